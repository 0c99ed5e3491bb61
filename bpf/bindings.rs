// SPDX-License-Identifier: GPL-2.0

//! What `kernel::bindings` lacks: made by bindgen from `bindings_helper.h`.

#![allow(
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    unreachable_pub,
    improper_ctypes,
    clippy::all,
    reason = "generated"
)]

use kernel::{
    bindings::{
        self,
        bpf_attr,
        bpf_link,
        module,
        srcu_struct, //
    },
    ffi::{
        c_uint,
        c_void, //
    }, //
};

include!(env!("BPF_BINDINGS"));

#[cfg(not(CONFIG_NEED_SRCU_NMI_SAFE))]
use self::{
    __srcu_read_lock as srcu_read_lock,
    __srcu_read_unlock as srcu_read_unlock, //
};
#[cfg(CONFIG_NEED_SRCU_NMI_SAFE)]
use bindings::{
    __srcu_read_lock_nmisafe as srcu_read_lock,
    __srcu_read_unlock_nmisafe as srcu_read_unlock, //
};

/// Runs a sleepable prog, as `bpf_prog_test_run_syscall()` does: within a read-side section of RCU
/// Tasks Trace, and on one CPU. Returns what the prog returns.
///
/// `rcu_read_lock_trace()` is inline, and a module cannot call it. It is a read lock of the SRCU
/// that is locked here, one without barriers, which the grace period makes up for. The one here has
/// them, and counts in the same counters: so a grace period waits for it no less. That the two do
/// not mix is checked in `srcu_read_lock()` alone, for SRCU whose grace period does not make up for
/// it.
///
/// Nothing is added to the statistics of `kernel.bpf_stats_enabled`.
///
/// # Safety
///
/// `prog` must point to a sleepable prog, of which a reference is held, and `ctx` to what such a
/// prog takes for its context. The caller must be where one may sleep.
pub(super) unsafe fn bpf_prog_run_sleepable(
    prog: *const bindings::bpf_prog,
    ctx: *const c_void,
) -> c_uint {
    let srcu = &raw mut bindings::rcu_tasks_trace_srcu_struct;
    // SAFETY: by this function's contract; it is set before a prog has an fd.
    let Some(bpf_func) = (unsafe { (*prog).bpf_func }) else {
        return 0;
    };

    // SAFETY: it is there as long as the kernel runs, and is unlocked below, by the same task. The
    // instructions are the last field of the prog, which by this function's contract is there. What
    // lockdep is told is what `rcu_read_lock_trace()` tells it: the verifier's promises are
    // asserted by it.
    unsafe {
        #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
        let here = bpf_prog_run_sleepable as usize;
        #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
        bindings::lock_acquire(
            &raw mut (*srcu).dep_map,
            0,
            1,
            2,
            0,
            core::ptr::null_mut(),
            here,
        );
        let idx = srcu_read_lock(srcu);

        bindings::migrate_disable();
        let ret = bpf_func(ctx, (&raw const (*prog).__bindgen_anon_2).cast());
        bindings::migrate_enable();

        srcu_read_unlock(srcu, idx);
        #[cfg(CONFIG_DEBUG_LOCK_ALLOC)]
        bindings::lock_release(&raw mut (*srcu).dep_map, here);
        ret
    }
}
