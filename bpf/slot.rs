// SPDX-License-Identifier: GPL-2.0

//! The kernel's slot for a provider of bpffs files: `bpf_preload_ops`, a variable.
//!
//! In a kernel tree another file stands here, on `bpf_preload_register()`: see `scripts/graft`.
//!
//! # What a module cannot close
//!
//! inode.c reads `bpf_preload_ops` several times without a lock that a module can take: first
//! whether there is a provider, then its `owner`. Between the two an `rmmod` can clear the slot,
//! and inode.c follows NULL. The C provider has the same window, a few instructions wide.
//!
//! What it has read before that leads to the provider's ops, until it has a reference to the
//! module, or is refused one. It may be preempted there, but does not sleep: so nothing is freed
//! before each task has slept once since the slot was cleared, which is what
//! `synchronize_rcu_tasks()` waits for.
//!
//! The C provider overwrites the slot without looking.

use super::bindings::{
    bpf_preload_info,
    bpf_preload_ops, //
};
use core::ptr::null_mut;
use kernel::{
    bindings,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// How many calls of the callback are under way.
static CALLS: Atomic<i32> = Atomic::new(0);

/// One of them.
pub(super) struct Call(());

impl Call {
    pub(super) fn enter() -> Self {
        CALLS.fetch_add(1, Full);
        Self(())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        CALLS.fetch_sub(1, Full);
    }
}

/// The kernel's slot for a provider.
fn slot() -> &'static Atomic<*mut bpf_preload_ops> {
    // SAFETY: a static of the kernel, aligned and always there. inode.c loads it with plain loads
    // of one word, which our stores do not tear, and the address dependency orders what it reads
    // through it.
    unsafe { Atomic::from_ptr(&raw mut super::bindings::bpf_preload_ops) }
}

/// The ops of a provider with this callback.
pub(super) fn ops(
    preload: unsafe extern "C" fn(*mut bpf_preload_info) -> c_int,
    module: &'static ThisModule,
) -> bpf_preload_ops {
    bpf_preload_ops {
        preload: Some(preload),
        owner: module.as_ptr(),
    }
}

/// Lets mounts in. Fails if there is a provider, which is left as it is.
///
/// # Safety
///
/// `ops` must be those of [`ops`], and stay until [`unregister`] says that they may go.
pub(super) unsafe fn register(ops: *mut bpf_preload_ops) -> Result {
    // A full barrier: a mount that sees the slot sees everything that it leads to.
    slot()
        .cmpxchg(null_mut(), ops, Full)
        .map(drop)
        .map_err(|_| EBUSY)
}

/// Lets no new mount in, and waits for those that may use the provider. Returns whether it may be
/// freed: if not, it has to stay for ever.
///
/// # Safety
///
/// `ops` must be registered.
pub(super) unsafe fn unregister(ops: *mut bpf_preload_ops) -> bool {
    // SAFETY: by this function's contract they are there; `owner` was set in `ops` and does not
    // change.
    let owner = unsafe { (*ops).owner };

    // Someone else's ops stay.
    let _ = slot().cmpxchg(ops, null_mut(), Full);
    // Those that have read the slot have a reference to the module now, or no use for the ops.
    synchronize_tasks();

    // While the module goes nobody gets a reference to it, and it does not go before those who
    // have one are done. In any other state a mount may be in the callback, or may have the links
    // that it got and no references of its own yet: this code stays until it is out of the
    // callback, and the links stay for ever.
    if is_going(owner) {
        return true;
    }
    while CALLS.load(Acquire) != 0 {
        fsleep(Delta::from_millis(1));
    }
    synchronize_tasks();
    false
}

/// Waits until each task that is preempted now has slept, or is in user space.
#[inline]
fn synchronize_tasks() {
    // SAFETY: FFI call without requirements but that the task may sleep, which is so where
    // registrations are dropped.
    #[cfg(CONFIG_TASKS_RCU)]
    unsafe {
        bindings::synchronize_rcu_tasks()
    };
    // SAFETY: as above. In such a kernel no task is preempted in the kernel.
    #[cfg(not(CONFIG_TASKS_RCU))]
    unsafe {
        bindings::synchronize_rcu()
    };
}

/// Whether `owner`, this module, is being removed. Built in (NULL) it never is.
#[inline]
fn is_going(owner: *mut bindings::module) -> bool {
    if owner.is_null() {
        return false;
    }
    // SAFETY: the module whose code is running is there.
    let state = unsafe { (&raw const (*owner).state).read_volatile() };

    state == bindings::module_state_MODULE_STATE_GOING
}
