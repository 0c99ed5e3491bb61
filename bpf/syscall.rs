// SPDX-License-Identifier: GPL-2.0

//! The bpf commands that the kernel takes from a module.
//!
//! Each acts with the capabilities and in the fd table of the current task, as the system call
//! would.
//!
//! C file: [`kernel/bpf/syscall.c`](srctree/kernel/bpf/syscall.c)

use super::{
    attr,
    bindings::kern_sys_bpf,
    fd::OwnedFd,
    user::UserBuf, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

pub(crate) use super::attr::{
    FunctionList,
    IterTarget,
    LinkTarget,
    MapCreate,
    NetfilterHook,
    ProgLoad, //
};

/// Runs one command and returns what it returns: an fd, 0, or a negative errno.
///
/// # Safety
///
/// Each address in `attr` that `cmd` uses must be that of kernel memory, valid for what the command
/// does with it and as large as `attr` says.
unsafe fn bpf(cmd: bindings::bpf_cmd, attr: &mut bindings::bpf_attr) -> c_int {
    let size = size_of::<bindings::bpf_attr>() as c_uint;

    // SAFETY: `attr` is a whole `bpf_attr`; the rest is the caller's promise.
    unsafe { kern_sys_bpf(cmd as c_int, attr, size) }
}

/// `BPF_MAP_CREATE`
///
/// # Examples
///
/// ```
/// use kernel::bpf::{
///     map::Map,
///     syscall::{
///         self,
///         MapCreate, //
///     }, //
/// };
///
/// let fd = syscall::map_create(&MapCreate {
///     map_type: kernel::bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
///     map_name: c"example",
///     key_size: 4,
///     value_size: 12,
///     max_entries: 1,
/// })?;
/// let map = Map::get_from_fd(&fd)?;
///
/// // The map outlives its fd.
/// drop(fd);
/// assert_eq!(map.copy_array_value()?.len(), 12);
/// # Ok::<(), Error>(())
/// ```
pub(crate) fn map_create(map: &MapCreate<'_>) -> Result<OwnedFd> {
    let mut attr = attr::map_create(map)?;

    // SAFETY: the attr has no address.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_MAP_CREATE, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_MAP_UPDATE_ELEM`
///
/// # Safety
///
/// `key` must have the size of the map's keys, `value` that of its values.
pub(crate) unsafe fn map_update_elem(map: &OwnedFd, key: &[u8], value: &[u8]) -> Result {
    let mut attr = attr::map_update_elem(map, key, value);

    // SAFETY: the command reads one key and one value, which by the caller's promise are there.
    to_result(unsafe { bpf(bindings::bpf_cmd_BPF_MAP_UPDATE_ELEM, &mut attr) })
}

/// `BPF_PROG_LOAD`
///
/// # Safety
///
/// The instructions must not name an index outside `fd_array`: the verifier does not know its size.
pub(crate) unsafe fn prog_load(prog: &ProgLoad<'_>) -> Result<OwnedFd> {
    let mut attr = attr::prog_load(prog)?;

    // SAFETY: instructions, license and `fd_array` outlive the call, the attr says how many
    // instructions there are, the license ends with NUL, and `fd_array` is by the caller's promise
    // only read within its bounds.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_PROG_LOAD, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_PROG_RUN` of a `BPF_PROG_TYPE_SYSCALL` prog: returns what the prog returns.
///
/// # Errors
///
/// `EINVAL` if the prog uses more context than `size`, if that is over 65,535 bytes, or without
/// `CONFIG_BPF_JIT`.
///
/// # Safety
///
/// `ctx` must be valid for reads and writes of `size` bytes, and any bytes must be good values
/// there. The bpf commands that the prog runs take kernel addresses: the prog must pass only valid
/// ones.
pub(crate) unsafe fn prog_run<C>(prog: &OwnedFd, ctx: *mut C, size: u32) -> Result<c_int> {
    let mut attr = attr::prog_run(prog, ctx, size);

    // SAFETY: the verifier keeps the prog within `size` bytes of the context, which by the caller's
    // promise are there.
    to_result(unsafe { bpf(bindings::bpf_cmd_BPF_PROG_RUN, &mut attr) })?;
    // SAFETY: the whole attr was zeroed, so each of its views is initialised.
    Ok(unsafe { attr.test.retval } as c_int)
}

/// `BPF_LINK_CREATE`
pub(crate) fn link_create(
    prog: &OwnedFd,
    attach_type: bindings::bpf_attach_type,
    target: &LinkTarget<'_>,
) -> Result<OwnedFd> {
    let iter_info = match target {
        LinkTarget::Iter(iter) => iter.info(),
        _ => Default::default(),
    };
    let mut attr = attr::link_create(prog, attach_type, target, &iter_info);

    // SAFETY: the kernel address that the attr can have is that of `iter_info`, with its size.
    // Those of user memory the kernel checks.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_LINK_CREATE, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_RAW_TRACEPOINT_OPEN`. With the name of a tracepoint for a `raw_tp` prog, without one for a
/// prog that names its target itself: `tp_btf`, `fentry`, `fexit`, `fmod_ret`, `lsm`.
///
/// # Errors
///
/// `EFAULT` with a name in a kernel thread, which has no memory of its own.
pub(crate) fn raw_tracepoint_open(
    prog: &OwnedFd,
    name: Option<&CStr>,
    cookie: u64,
) -> Result<OwnedFd> {
    // The kernel takes the name from user space only.
    let name = name
        .map(|name| UserBuf::holding(name.to_bytes_with_nul()))
        .transpose()?;
    let mut attr = attr::raw_tracepoint_open(prog, name.as_ref(), cookie);

    // SAFETY: the only address is that of the name, which the kernel takes for one in user memory.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_RAW_TRACEPOINT_OPEN, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}
