// SPDX-License-Identifier: GPL-2.0

//! What [`kernel::bindings`] has for this alone.

use kernel::{
    bindings,
    ffi::{
        c_uint,
        c_void, //
    }, //
};

pub(super) use kernel::bindings::{
    bpf_preload_info,
    bpf_preload_ops,
    kern_sys_bpf,
    BPF_PRELOAD_LINKS,
    LINUX_VERSION_CODE, //
};

/// Runs a sleepable prog, as `bpf_prog_test_run_syscall()` does. Returns what the prog returns.
///
/// # Safety
///
/// `prog` must point to a sleepable prog, of which a reference is held, and `ctx` to what such a
/// prog takes for its context. The caller must be where one may sleep.
#[inline]
pub(super) unsafe fn bpf_prog_run_sleepable(
    prog: *const bindings::bpf_prog,
    ctx: *const c_void,
) -> c_uint {
    // SAFETY: the section is left below, by the same task. The rest is this function's contract.
    unsafe {
        bindings::rcu_read_lock_trace();
        let ret = bindings::bpf_prog_run_pin_on_cpu(prog, ctx);
        bindings::rcu_read_unlock_trace();
        ret
    }
}
