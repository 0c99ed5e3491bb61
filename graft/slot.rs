// SPDX-License-Identifier: GPL-2.0

//! The kernel's slot for a provider of bpffs files: `bpf_preload_register()`.
//!
//! C file: [`kernel/bpf/inode.c`](srctree/kernel/bpf/inode.c)

use super::bindings::{
    bpf_preload_info,
    bpf_preload_ops, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

/// A call of the callback, which inode.c waits for by itself.
pub(super) struct Call;

impl Call {
    pub(super) fn enter() -> Self {
        Self
    }
}

/// The ops of a provider with this callback.
pub(super) fn ops(
    preload: unsafe extern "C" fn(*mut bpf_preload_info) -> c_int,
    _module: &'static ThisModule,
) -> bpf_preload_ops {
    bpf_preload_ops {
        preload: Some(preload),
    }
}

/// Lets mounts in. Fails if there is a provider, which is left as it is.
///
/// # Safety
///
/// `ops` must be those of [`ops`], and stay until [`unregister`].
pub(super) unsafe fn register(ops: *mut bpf_preload_ops) -> Result {
    // SAFETY: by this function's contract they stay for as long as they are registered.
    to_result(unsafe { bindings::bpf_preload_register(ops) })
}

/// Lets no new mount in, and waits for the one that is under way. Returns that the provider may be
/// freed.
///
/// # Safety
///
/// `ops` must be registered.
pub(super) unsafe fn unregister(ops: *mut bpf_preload_ops) -> bool {
    // SAFETY: FFI call; the address is only compared.
    unsafe { bindings::bpf_preload_unregister(ops) };
    true
}
