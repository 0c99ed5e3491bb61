// SPDX-License-Identifier: GPL-2.0

//! The ABI between a loader prog and whoever runs it.
//!
//! libbpf's `gen_loader` emits a loader prog that reads and writes one context: a header, then one
//! descriptor for each map, then one for each prog. This file is the only definition of it here:
//! the kernel-side runtime and the generator on the host both compile it. It uses nothing but
//! `core` and fixed-width types.
//!
//! C header: [`tools/lib/bpf/skel_internal.h`](srctree/tools/lib/bpf/skel_internal.h)

#![allow(non_camel_case_types, reason = "names stay with C")]
#![allow(unreachable_pub, reason = "public in the generator")]

/// The head of a loader prog's context, 24 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct bpf_loader_ctx {
    /// Size of the whole context, in bytes.
    pub sz: u32,
    /// [`BPF_SKEL_KERNEL`] or 0.
    pub flags: u32,
    /// The verifier's log level for each BTF and prog that the loader prog loads; 0 is no log.
    pub log_level: u32,
    /// Size of the buffer at `log_buf`, in bytes.
    pub log_size: u32,
    /// Address of the log's buffer, in user memory.
    pub log_buf: u64,
}

/// One map in a loader prog's context, 16 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct bpf_map_desc {
    /// Out: the map's fd; 0 means none.
    pub map_fd: i32,
    /// In: overrides the map's `max_entries`, in elements; 0 keeps what the object says.
    pub max_entries: u32,
    /// In: address of the initial value of a data map (`.rodata`, `.data`, `.bss`), in kernel
    /// memory with [`BPF_SKEL_KERNEL`]; 0 keeps what the object says.
    pub initial_value: u64,
}

/// One prog in a loader prog's context, 4 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct bpf_prog_desc {
    /// Out: the prog's fd; 0 means none.
    pub prog_fd: i32,
}

/// In [`bpf_loader_ctx::flags`]: addresses in the context are kernel addresses.
pub const BPF_SKEL_KERNEL: u32 = 1;

const _: () = {
    use core::mem::{offset_of, size_of};

    assert!(size_of::<bpf_loader_ctx>() == 24);
    assert!(offset_of!(bpf_loader_ctx, flags) == 4);
    assert!(offset_of!(bpf_loader_ctx, log_level) == 8);
    assert!(offset_of!(bpf_loader_ctx, log_size) == 12);
    assert!(offset_of!(bpf_loader_ctx, log_buf) == 16);
    assert!(size_of::<bpf_map_desc>() == 16);
    assert!(offset_of!(bpf_map_desc, max_entries) == 4);
    assert!(offset_of!(bpf_map_desc, initial_value) == 8);
    assert!(size_of::<bpf_prog_desc>() == 4);
};
