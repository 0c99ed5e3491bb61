// SPDX-License-Identifier: GPL-2.0

//! BPF: the safe face of the kernel's own bpf calls.
//!
//! Maps and progs are made in kernel context, links are owned, and what bpffs shows can be
//! provided.
//!
//! C files: [`kernel/bpf/syscall.c`](srctree/kernel/bpf/syscall.c) and
//! [`kernel/bpf/inode.c`](srctree/kernel/bpf/inode.c)

#![allow(unsafe_code, reason = "the kernel's bpf calls are made safe here")]
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a module uses the part that it needs"
)]

pub(crate) mod attr;
mod bindings;
pub(crate) mod fd;
pub(crate) mod link;
pub(crate) mod map;
pub(crate) mod preload;
pub(crate) mod syscall;
#[cfg(CONFIG_RUST_BPF_KUNIT_TEST)]
mod tests;
pub(crate) mod user;
