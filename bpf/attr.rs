// SPDX-License-Identifier: GPL-2.0

//! `union bpf_attr`: what each bpf command is told.
//!
//! Every byte that a command does not use is zero, as the kernel demands, so that the whole union can be
//! passed whatever its size is in the kernel that this is built for.
//!
//! C header: [`include/uapi/linux/bpf.h`](srctree/include/uapi/linux/bpf.h)

use super::fd::OwnedFd;
use kernel::{
    bindings,
    prelude::*, //
};

/// Size of one `struct bpf_insn`, in bytes.
const INSN_SIZE: usize = 8;

/// A map to create. Sizes are in bytes.
pub(crate) struct MapCreate<'a> {
    /// A `BPF_MAP_TYPE_*`.
    pub(crate) map_type: bindings::bpf_map_type,
    /// At most 15 bytes.
    pub(crate) map_name: &'a CStr,
    /// Size of a key.
    pub(crate) key_size: u32,
    /// Size of a value.
    pub(crate) value_size: u32,
    /// In elements.
    pub(crate) max_entries: u32,
}

/// A prog to load.
pub(crate) struct ProgLoad<'a> {
    /// A `BPF_PROG_TYPE_*`.
    pub(crate) prog_type: bindings::bpf_prog_type,
    /// At most 15 bytes.
    pub(crate) prog_name: &'a CStr,
    /// `struct bpf_insn`s in the machine's byte order.
    pub(crate) insns: &'a [u8],
    /// As in `MODULE_LICENSE()`: decides which helpers the prog may call.
    pub(crate) license: &'a CStr,
    /// `BPF_F_*`.
    pub(crate) prog_flags: u32,
    /// The fds that the instructions name by index.
    pub(crate) fd_array: &'a [u32],
}

/// An address as a `bpf_attr` has it.
fn addr_of<T>(slice: &[T]) -> u64 {
    slice.as_ptr().expose_provenance() as u64
}

/// An object's name as a `bpf_attr` has it: zero-padded. `EINVAL` if it is over 15 bytes.
fn obj_name(name: &CStr) -> Result<[c_char; bindings::BPF_OBJ_NAME_LEN as usize]> {
    let mut raw = [0; bindings::BPF_OBJ_NAME_LEN as usize];
    let bytes = name.to_bytes_with_nul();

    raw.get_mut(..bytes.len())
        .ok_or(EINVAL)?
        .copy_from_slice(bytes);
    Ok(raw)
}

pub(super) fn map_create(map: &MapCreate<'_>) -> Result<bindings::bpf_attr> {
    let mut attr = bindings::bpf_attr::default();

    attr.__bindgen_anon_1.map_type = map.map_type;
    attr.__bindgen_anon_1.map_name = obj_name(map.map_name)?;
    attr.__bindgen_anon_1.key_size = map.key_size;
    attr.__bindgen_anon_1.value_size = map.value_size;
    attr.__bindgen_anon_1.max_entries = map.max_entries;
    Ok(attr)
}

pub(super) fn map_update_elem(map: &OwnedFd, key: &[u8], value: &[u8]) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.__bindgen_anon_2.map_fd = map.as_raw();
    attr.__bindgen_anon_2.key = addr_of(key);
    attr.__bindgen_anon_2.__bindgen_anon_1.value = addr_of(value);
    attr
}

/// `EINVAL` if `insns` ends within an instruction.
pub(super) fn prog_load(prog: &ProgLoad<'_>) -> Result<bindings::bpf_attr> {
    let mut attr = bindings::bpf_attr::default();

    if prog.insns.len() % INSN_SIZE != 0 {
        return Err(EINVAL);
    }
    attr.__bindgen_anon_3.prog_type = prog.prog_type;
    attr.__bindgen_anon_3.prog_name = obj_name(prog.prog_name)?;
    attr.__bindgen_anon_3.insns = addr_of(prog.insns);
    attr.__bindgen_anon_3.insn_cnt = u32::try_from(prog.insns.len() / INSN_SIZE)?;
    attr.__bindgen_anon_3.license = addr_of(prog.license.to_bytes_with_nul());
    attr.__bindgen_anon_3.prog_flags = prog.prog_flags;
    attr.__bindgen_anon_3.fd_array = addr_of(prog.fd_array);
    Ok(attr)
}

pub(super) fn prog_run<C>(prog: &OwnedFd, ctx: *mut C, size: u32) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.test.prog_fd = prog.as_raw();
    attr.test.ctx_in = ctx.expose_provenance() as u64;
    attr.test.ctx_size_in = size;
    attr
}

pub(super) fn link_create(
    prog: &OwnedFd,
    attach_type: bindings::bpf_attach_type,
) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.link_create.__bindgen_anon_1.prog_fd = prog.as_raw();
    attr.link_create.attach_type = attach_type;
    attr
}

pub(super) fn raw_tracepoint_open(prog: &OwnedFd) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.raw_tracepoint.prog_fd = prog.as_raw();
    attr
}
