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
    unreachable_pub,
    unused_imports,
    reason = "a library: what a module does not use is left out of it"
)]

mod attr;
mod bindings;
pub mod btf;
pub mod fd;
pub mod link;
pub mod map;
pub mod module;
pub mod preload;
pub mod prog;
mod slot;
pub mod syscall;
#[cfg(CONFIG_RUST_BPF_KUNIT_TEST)]
mod tests;
pub mod user;
