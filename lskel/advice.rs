// SPDX-License-Identifier: GPL-2.0

//! Advice for people: what to do about an error. It ends the line in dmesg.

use super::error::{
    ebadmsg,
    eopnotsupp,
    Step, //
};
use crate::bpf::syscall::Signature;
use kernel::{
    bindings,
    prelude::*, //
};

pub(super) const OTHER_BYTE_ORDER: &str = "it was generated for the other byte order";
pub(super) const FDS_CHANGE: &str = "another thread of this process changes its fds";
pub(super) const NO_PROCESS: &str = "it takes a process's memory, and a kernel thread has none";

// What is wrong with a signature.
pub(super) const NOT_SIGNED: &str = "it is not signed, and only signed objects are to be loaded";
pub(super) const OLD_SIGNATURES: &str =
    "kernels before 7.3 check signatures of another kind: use the object unsigned";
/// In bytes.
const MAX_SIGNATURE: usize = 8192;
const NO_SUCH_KEY: &str = "its key is not in that keyring, if it is one";
const OTHER_BYTES: &str = "the signature is that of other data or another loader prog";
const NO_SIGNATURE: &str = "the signature is cut short, or is none";
const TOO_LONG: &str = "the signature is longer than the 8 KiB that the kernel takes";
const NO_KEYRING: &str = "there is no such keyring";
const NO_ALGORITHM: &str = "the kernel lacks the algorithm of the signature or its key";

// What a module cannot attach, and the way round.
pub(super) const IS_UPROBE: &str = "uprobes belong to programs of user space: attach it from there";
pub(super) const IS_KPROBE: &str =
    "a kprobe wants a perf event, which a module cannot open: use kprobe.multi or fentry";
pub(super) const IS_TRACEPOINT: &str =
    "a tracepoint wants a perf event, which a module cannot open: use tp_btf or raw_tp";
pub(super) const IS_PERF_EVENT: &str =
    "a module cannot open a perf event: attach it from user space";
pub(super) const IS_TC: &str =
    "a tc filter wants netlink: use tcx/ingress or tcx/egress, or attach it from user space";
pub(super) const IS_OTHER: &str =
    "progs of its type are not attached through a link, or not yet from here";

// What else it takes to attach a prog.
pub(super) const NAME_TRACEPOINT: &str = "its section names no tracepoint: raw_tp/NAME";
pub(super) const NAME_FUNCTIONS: &str = "name its functions: attach_functions()";
pub(super) const NAME_INTERFACE: &str = "name the interface: attach_interface()";
pub(super) const NAME_CGROUP: &str = "name the cgroup: attach_cgroup()";
pub(super) const NAME_NETNS: &str = "name the network namespace: attach_netns()";
pub(super) const NAME_HOOK: &str = "name the hook: attach_netfilter()";
pub(super) const NO_COOKIE: &str = "progs of its attach type have no cookies";
pub(super) const COOKIE_EACH: &str = "a cookie for each function, or none at all";

// What replaces a function.
pub(super) const NO_FUNCTION_TYPE: &str = "that prog has no BTF";
pub(super) const OTHER_FUNCTION: &str =
    "that prog has other parameters than the function that its section names, or another type";
pub(super) const REPLACES_ONCE: &str =
    "it was attached before, which is possible once: load the object once more, or attach_to()";
pub(super) const IS_REPLACED: &str = "another one is in its place";

// What is called.
pub(super) const IS_SYSCALL: &str = "it is not attached but called: call() or function()";
pub(super) const NAME_ARGS: &str = "it uses more than the struct that it takes: name another one";

pub(super) const IS_CALLBACK: &str = "it is a callback: register its struct_ops";

// What kernels differ in.
pub(super) const SIGNED_OPS: &str =
    "the layout of this kernel's struct_ops is no part of what is signed: load it unsigned";
pub(super) const OTHER_SIZE: &str = "this kernel has it with another size";
pub(super) const WITHOUT_LINK: &str =
    "there is another one of its kind, or it was registered before: \
     without a link, of .struct_ops.link, that is possible once";

// What is missing where it is to be attached.
pub(super) const NO_FUNCTION: &str =
    "this kernel lacks a function of these, or it cannot be traced";
pub(super) const NO_FPROBE: &str = "this kernel is configured without CONFIG_FPROBE";
pub(super) const NO_INTERFACE: &str = "is there an interface of this number?";
pub(super) const NO_CGROUP: &str = "that is no folder of cgroup2: is it mounted there?";

// What the kernel lacks.
const NO_BTF: &str = "the kernel needs CONFIG_DEBUG_INFO_BTF";
const IS_MISSING: &str =
    "this kernel is too old for it or configured without it, or its module is not loaded";

/// What the user can do, where the step and the errno tell.
pub(super) fn on(step: Step, error: Error) -> Option<&'static str> {
    match step {
        Step::LoadLoaderProg | Step::LoadSignedLoader | Step::RunLoaderProg | Step::LoadProg(_)
            if error == eopnotsupp() =>
        {
            Some(if cfg!(CONFIG_PREEMPT_RT) {
                "is the JIT off? sysctl net.core.bpf_jit_enable=1; PREEMPT_RT has no BPF timers"
            } else {
                "is the JIT off? sysctl net.core.bpf_jit_enable=1"
            })
        }
        Step::LoadLoaderProg | Step::LoadProg(_) if error == EINVAL && reads_are_locked_down() => {
            Some("the kernel is locked down: progs may not read its memory")
        }
        Step::ReadData if error == ENXIO => {
            Some("they went when the module's init had returned: keep() them there")
        }
        Step::ReadData if error == ebadmsg() => {
            Some("they are not those that the module was built with")
        }
        Step::RunLoaderProg if error == EINVAL => Some("the kernel needs CONFIG_BPF_JIT"),
        Step::FindMember { .. } if error == ENOENT => {
            Some("this kernel's struct lacks it: leave_out() a callback, set a number to 0")
        }
        Step::RegisterWithout { .. } => Some("the kernel has to have it"),
        Step::Register(_) if error == EBUSY => {
            Some("there is another one of its kind, or it is registered already")
        }
        Step::Register(_) if error == EEXIST => Some("its name is taken"),
        Step::Register(_) if error == EINVAL => {
            Some("a callback is missing, a value is not allowed, or it is registered already")
        }
        Step::Find { .. } | Step::FindType { .. } if error == EINVAL => Some(NO_BTF),
        Step::Find { .. } | Step::FindType { .. } => Some(IS_MISSING),
        _ if error == EPERM => {
            Some("it takes CAP_SYS_ADMIN, and no LSM or lockdown that forbids it")
        }
        _ if error == EMFILE => Some("raise the limit of open files"),
        _ => None,
    }
}

/// What is wrong with a signature that was refused with this errno.
pub(super) fn on_signature(signature: &Signature<'_>, error: Error) -> Option<&'static str> {
    const ERRNOS: &[(u32, &str)] = &[
        (bindings::ENOKEY, NO_SUCH_KEY),
        (bindings::EKEYREJECTED, OTHER_BYTES),
        (bindings::EBADMSG, NO_SIGNATURE),
        (bindings::ENOPKG, NO_ALGORITHM),
        (bindings::ENOTDIR, NO_KEYRING),
        // The map is for another prog, or still written to.
        (bindings::EACCES, FDS_CHANGE),
        (bindings::EBUSY, FDS_CHANGE),
    ];

    if error == EINVAL {
        return Some(match signature.cms.len() {
            0 => NO_SIGNATURE,
            1..=MAX_SIGNATURE => NO_KEYRING,
            _ => TOO_LONG,
        });
    }
    ERRNOS
        .iter()
        .find(|(errno, _)| error.to_errno() == -(*errno as c_int))
        .map(|(_, advice)| *advice)
}

/// Whether lockdown refuses helpers that read kernel memory.
fn reads_are_locked_down() -> bool {
    #[cfg(CONFIG_SECURITY)]
    {
        let what = bindings::lockdown_reason_LOCKDOWN_BPF_READ_KERNEL;

        // SAFETY: FFI call without requirements.
        unsafe { bindings::security_locked_down(what) != 0 }
    }
    #[cfg(not(CONFIG_SECURITY))]
    false
}
