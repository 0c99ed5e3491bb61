// SPDX-License-Identifier: GPL-2.0

//! Attaching a loaded prog, or calling it.
//!
//! Nothing is attached by a file descriptor of user space: what the kernel attaches to a perf event
//! (kprobes, tracepoints, uprobes) a module cannot attach, and says so.
//!
//! C file: [`kernel/bpf/syscall.c`](srctree/kernel/bpf/syscall.c), `link_create()`

use super::{
    advice,
    call::{
        Args,
        Function, //
    },
    error::{
        eopnotsupp,
        LoadError,
        Step, //
    },
    object::ProgDef, //
};
use crate::bpf::{
    fd::{
        KeptOpen,
        OwnedFd, //
    },
    link::{
        IterFile,
        IterLink,
        Link, //
    },
    prog::Prog as LoadedProg,
    syscall::{
        self,
        CgroupHook,
        FunctionList,
        InterfaceHook,
        IterTarget,
        KprobeMultiHook,
        LinkTarget,
        NetfilterHook,
        NetnsHook,
        TracingHook, //
    }, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    prelude::*, //
};

/// Opens what a prog is to be attached to: the folder of a cgroup, the file of a namespace.
///
/// # Errors
///
/// As [`OwnedFd::open`].
#[inline]
pub fn open_target(path: &'static CStr) -> Result<OwnedFd, LoadError> {
    OwnedFd::open(path).map_err(|e| Step::Open(path).failed(e))
}

/// How a prog is attached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ProgKind {
    /// Goes through objects of the kernel.
    Iter,
    /// To what it was loaded for: `tp_btf`, `fentry`, `fexit`, `fmod_ret`, `lsm`.
    Tracing,
    /// To the tracepoint that its section names.
    RawTracepoint,
    /// To functions.
    KprobeMulti,
    /// To an interface: `xdp`, `tcx`, `netkit`.
    Interface,
    /// To a cgroup.
    Cgroup,
    /// To a network namespace.
    Netns,
    /// To a netfilter hook.
    Netfilter,
    /// To a function of another prog, which it replaces.
    Freplace,
    /// To nothing: it is called.
    Syscall,
    /// To nothing: it is a callback of a struct_ops.
    Callback,
    /// Not by a module.
    Other,
}

/// A [`ProgKind`] as a type.
pub trait Kind {
    /// Which one.
    const KIND: ProgKind;
    /// Size of what it takes, if it is to be called.
    const ARGS: Option<usize> = None;
}

macro_rules! kinds {
    ($( $Name:ident, )*) => { $(
        #[doc = concat!("[`ProgKind::", stringify!($Name), "`]")]
        pub enum $Name {}

        impl Kind for $Name {
            const KIND: ProgKind = ProgKind::$Name;
        }
    )* };
}

kinds! {
    Iter,
    Tracing,
    RawTracepoint,
    KprobeMulti,
    Interface,
    Cgroup,
    Netns,
    Netfilter,
    Freplace,
    Other,
}

/// [`ProgKind::Syscall`], of a prog that takes an `A`.
pub struct Syscall<A>(PhantomData<A>);

impl<A: Args> Kind for Syscall<A> {
    const KIND: ProgKind = ProgKind::Syscall;
    const ARGS: Option<usize> = Some(size_of::<A>());
}

/// [`ProgKind::Syscall`], of a prog that is not to be called: its name in the generated file says
/// why.
pub enum Opaque {}

impl Kind for Opaque {
    const KIND: ProgKind = ProgKind::Syscall;
}

/// How a prog is attached, by the types that it was loaded with.
pub(super) const fn kind_of(def: &ProgDef) -> ProgKind {
    match def.prog_type {
        bindings::bpf_prog_type_BPF_PROG_TYPE_TRACING => match def.expected_attach_type {
            bindings::bpf_attach_type_BPF_TRACE_ITER => ProgKind::Iter,
            _ => ProgKind::Tracing,
        },
        bindings::bpf_prog_type_BPF_PROG_TYPE_LSM => match def.expected_attach_type {
            bindings::bpf_attach_type_BPF_LSM_CGROUP => ProgKind::Cgroup,
            _ => ProgKind::Tracing,
        },
        bindings::bpf_prog_type_BPF_PROG_TYPE_RAW_TRACEPOINT
        | bindings::bpf_prog_type_BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE => ProgKind::RawTracepoint,
        bindings::bpf_prog_type_BPF_PROG_TYPE_KPROBE
            if KprobeMultiHook::new(def.expected_attach_type).is_some() =>
        {
            ProgKind::KprobeMulti
        }
        bindings::bpf_prog_type_BPF_PROG_TYPE_XDP => ProgKind::Interface,
        bindings::bpf_prog_type_BPF_PROG_TYPE_SCHED_CLS
            if InterfaceHook::new(def.expected_attach_type).is_some() =>
        {
            ProgKind::Interface
        }
        bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SKB
        | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SOCK
        | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SOCK_ADDR
        | bindings::bpf_prog_type_BPF_PROG_TYPE_SOCK_OPS
        | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_DEVICE
        | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SYSCTL
        | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SOCKOPT => ProgKind::Cgroup,
        bindings::bpf_prog_type_BPF_PROG_TYPE_SK_LOOKUP
        | bindings::bpf_prog_type_BPF_PROG_TYPE_FLOW_DISSECTOR => ProgKind::Netns,
        bindings::bpf_prog_type_BPF_PROG_TYPE_NETFILTER => ProgKind::Netfilter,
        bindings::bpf_prog_type_BPF_PROG_TYPE_EXT => ProgKind::Freplace,
        bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL => ProgKind::Syscall,
        bindings::bpf_prog_type_BPF_PROG_TYPE_STRUCT_OPS => ProgKind::Callback,
        _ => ProgKind::Other,
    }
}

/// A loaded prog of this kind: it has the methods with which such a prog can be attached.
pub struct Prog<'a, K> {
    any: AnyProg<'a>,
    _kind: PhantomData<K>,
}

impl<'a, K: Kind> Prog<'a, K> {
    /// `any` is of this kind.
    pub(super) fn new(any: AnyProg<'a>) -> Self {
        Self {
            any,
            _kind: PhantomData,
        }
    }

    /// Holds it open beyond the skeleton.
    ///
    /// # Errors
    ///
    /// `EBADF` if another thread of the task has closed its fd.
    #[inline]
    pub fn keep_open(&self) -> Result<KeptOpen, LoadError> {
        self.any
            .fd
            .keep_open()
            .map_err(|e| Step::TakeFd(self.any.def.name).failed(e))
    }

    /// Its id, by which user space can ask for it.
    ///
    /// # Errors
    ///
    /// `EBADF` or `EINVAL` if another thread of the task has put something else in its place.
    #[inline]
    pub fn id(&self) -> Result<u32, LoadError> {
        self.any.id()
    }

    /// The same, its kind forgotten.
    #[inline]
    pub fn into_any(self) -> AnyProg<'a> {
        self.any
    }
}

// What the methods below have in common: they fail with a `LoadError` that names the prog, and
// says, where that is known, what to do about it. They are `#[inline]` so that a module has in it
// those that it uses.

impl Prog<'_, Iter> {
    /// Attaches it to all that it can go through.
    #[inline]
    pub fn attach(&self) -> Result<IterLink, LoadError> {
        self.attach_iter(IterTarget::All)
    }

    /// Attaches it to what it is to go through.
    // One copy of it in a module that has several.
    #[inline(never)]
    pub fn attach_iter(&self, target: IterTarget<'_>) -> Result<IterLink, LoadError> {
        self.any
            .link(&LinkTarget::Iter(target))?
            .try_into()
            .map_err(|e| Step::TakeLink(self.any.def.name).failed(e))
    }

    /// Attaches it to all that it can go through. What is had of it is its file: see [`IterFile`].
    #[inline]
    pub fn attach_file(&self) -> Result<IterFile, LoadError> {
        let fd = self.any.create_link(&LinkTarget::Iter(IterTarget::All))?;
        let failed = |e| Step::TakeLink(self.any.def.name).failed(e);
        let link = self.any.take_link(&fd)?.try_into().map_err(failed)?;

        IterFile::get_from_fd(&fd, &link).map_err(|e| failed(e).with_advice(advice::FDS_CHANGE))
    }
}

impl Prog<'_, Tracing> {
    /// Attaches it to what it was loaded for.
    #[inline]
    pub fn attach(&self) -> Result<Link, LoadError> {
        self.any.attach()
    }

    /// The same, with a number of its own: what `bpf_get_attach_cookie()` returns.
    #[inline]
    pub fn attach_with_cookie(&self, cookie: u64) -> Result<Link, LoadError> {
        match TracingHook::new(self.any.def.expected_attach_type) {
            Some(hook) => self.any.link(&LinkTarget::Tracing(hook, cookie)),
            None => Err(self.any.error(EINVAL, advice::NO_COOKIE)),
        }
    }
}

impl Prog<'_, RawTracepoint> {
    /// Attaches it to the tracepoint that its section names. `EFAULT` in a kernel thread.
    #[inline]
    pub fn attach(&self) -> Result<Link, LoadError> {
        self.any.attach()
    }

    /// The same, with a number of its own: what `bpf_get_attach_cookie()` returns.
    #[inline]
    pub fn attach_with_cookie(&self, cookie: u64) -> Result<Link, LoadError> {
        self.any.open_raw_tracepoint(cookie)
    }
}

impl Prog<'_, KprobeMulti> {
    /// Attaches it to the function that its section names. `EFAULT` in a kernel thread.
    #[inline]
    pub fn attach(&self) -> Result<Link, LoadError> {
        self.any.attach()
    }

    /// The same, with a number of its own: what `bpf_get_attach_cookie()` returns.
    #[inline]
    pub fn attach_with_cookie(&self, cookie: u64) -> Result<Link, LoadError> {
        self.any
            .attach_functions(&[self.any.one_function()?], &[cookie])
    }

    /// Attaches it to functions of the kernel, by their names; with a cookie for each, or none at
    /// all. `EFAULT` in a kernel thread; `ESRCH` for a function that is not there; `EOPNOTSUPP` if
    /// the kernel has no `kprobe.multi`.
    #[inline]
    pub fn attach_functions(
        &self,
        functions: &[&CStr],
        cookies: &[u64],
    ) -> Result<Link, LoadError> {
        self.any.attach_functions(functions, cookies)
    }
}

impl Prog<'_, Interface> {
    /// Attaches it to a network interface of the caller's namespace; `flags` (`XDP_FLAGS_*`) are 0
    /// for `tcx` and `netkit`. If there is no such interface, `EINVAL` for `xdp`, `ENODEV` for the
    /// others.
    #[inline]
    pub fn attach_interface(&self, ifindex: u32, flags: u32) -> Result<Link, LoadError> {
        // Of an xdp prog this is 0 where its section says no more.
        let hook = match self.any.def.prog_type {
            bindings::bpf_prog_type_BPF_PROG_TYPE_XDP => Some(InterfaceHook::Xdp),
            _ => InterfaceHook::new(self.any.def.expected_attach_type),
        };

        self.any
            .link(&LinkTarget::Interface {
                hook: hook.ok_or(self.any.error(EINVAL, advice::IS_OTHER))?,
                ifindex,
                flags,
            })
            .map_err(|e| e.advise_if(&[EINVAL, ENODEV], advice::NO_INTERFACE))
    }
}

impl Prog<'_, Cgroup> {
    /// Attaches it to a cgroup, whose folder `cgroup` is. `EBADF` if it is not a folder of cgroup2.
    #[inline]
    pub fn attach_cgroup(&self, cgroup: &OwnedFd) -> Result<Link, LoadError> {
        let hook = CgroupHook::new(self.any.def.expected_attach_type)
            .ok_or(self.any.error(EINVAL, advice::IS_OTHER))?;

        self.any
            .link(&LinkTarget::Cgroup(hook, cgroup))
            .map_err(|e| e.advise_if(&[EBADF], advice::NO_CGROUP))
    }
}

impl Prog<'_, Netns> {
    /// Attaches it to a network namespace, whose file (`/proc/self/ns/net`, say) `netns` is.
    #[inline]
    pub fn attach_netns(&self, netns: &OwnedFd) -> Result<Link, LoadError> {
        let hook = NetnsHook::new(self.any.def.expected_attach_type)
            .ok_or(self.any.error(EINVAL, advice::IS_OTHER))?;

        self.any.link(&LinkTarget::Netns(hook, netns))
    }
}

impl Prog<'_, Netfilter> {
    /// Attaches it to a netfilter hook of the caller's network namespace. `EAFNOSUPPORT`, `EPROTO`
    /// or `ENOENT` for a hook that is not there.
    #[inline]
    pub fn attach_netfilter(&self, hook: NetfilterHook) -> Result<Link, LoadError> {
        self.any.link(&LinkTarget::Netfilter(hook))
    }
}

impl Prog<'_, Freplace> {
    /// Puts it in the place of the function that its section names, for as long as the link lives.
    /// The prog with that function is one of the same object.
    ///
    /// # Errors
    ///
    /// `EINVAL` the second time, as the kernel does this once for each load. `EBUSY` if another one
    /// is there.
    #[inline]
    pub fn attach(&self) -> Result<Link, LoadError> {
        self.any.attach()
    }

    /// Puts it in the place of another prog, of this or another object, as a whole: of the function
    /// that the prog is, not of one that it calls.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that one has other parameters than the function that its section names, or
    /// another type than the prog with it. `EBUSY` if another one is there.
    #[inline]
    pub fn attach_to(&self, target: &AnyProg<'_>) -> Result<Link, LoadError> {
        let failed = |e| Step::Attach(self.any.def.name).failed(e);
        let prog = LoadedProg::get_from_fd(target.fd, target.def.prog_type).map_err(failed)?;
        let function = prog
            .function_type()
            .ok_or(failed(EINVAL).with_advice(advice::NO_FUNCTION_TYPE))?;
        let fd = syscall::link_create_freplace(self.any.fd, target.fd, function).map_err(|e| {
            failed(e)
                .advise_if(&[EINVAL], advice::OTHER_FUNCTION)
                .advise_if(&[EBUSY], advice::IS_REPLACED)
        })?;

        self.any.take_link(&fd)
    }
}

impl<A: Args> Prog<'_, Syscall<A>> {
    /// Calls it, and returns what the prog returns.
    ///
    /// # Errors
    ///
    /// As [`Self::function`], and nothing of the prog's: it has not run then.
    #[inline]
    pub fn call(&self, args: &mut A) -> Result<i32, LoadError> {
        Ok(self.function()?.call(args))
    }

    /// Takes it as a function, which outlives the skeleton.
    ///
    /// # Errors
    ///
    /// `E2BIG` if the prog uses more than there is in an `A`, as one whose parameter is a
    /// `void *` may do. `EBADF` or `EINVAL` if another thread of the task has put something else in
    /// the prog's place.
    #[inline]
    pub fn function(&self) -> Result<Function<A>, LoadError> {
        let name = self.any.def.name;

        Function::of(self.any.fd, name).map_err(|e| {
            Step::TakeFd(name)
                .failed(e)
                .advise_if(&[E2BIG], advice::NAME_ARGS)
                .advise_if(&[EBADF], advice::FDS_CHANGE)
        })
    }
}

/// A loaded prog of whatever kind.
pub struct AnyProg<'a> {
    pub(super) fd: &'a OwnedFd,
    pub(super) def: &'static ProgDef,
}

impl AnyProg<'_> {
    /// Attaches it to what its section names.
    ///
    /// # Errors
    ///
    /// A [`LoadError`] that names the prog and, where it is not one to be attached like this, says
    /// what is: `EINVAL` if it wants to be told the target, `EOPNOTSUPP` if a module cannot attach
    /// it, `EFAULT` if it takes memory of a process (`raw_tp`, `kprobe.multi`) and this is a kernel
    /// thread.
    #[inline]
    pub fn attach(&self) -> Result<Link, LoadError> {
        match kind_of(self.def) {
            ProgKind::Iter => self.link(&LinkTarget::Iter(IterTarget::All)),
            ProgKind::Tracing | ProgKind::RawTracepoint => self.open_raw_tracepoint(0),
            ProgKind::Freplace => self.open_raw_tracepoint(0).map_err(|e| {
                e.advise_if(&[EINVAL], advice::REPLACES_ONCE)
                    .advise_if(&[EBUSY], advice::IS_REPLACED)
            }),
            ProgKind::KprobeMulti => self.attach_functions(&[self.one_function()?], &[]),
            ProgKind::Interface => Err(self.error(EINVAL, advice::NAME_INTERFACE)),
            ProgKind::Cgroup => Err(self.error(EINVAL, advice::NAME_CGROUP)),
            ProgKind::Netns => Err(self.error(EINVAL, advice::NAME_NETNS)),
            ProgKind::Netfilter => Err(self.error(EINVAL, advice::NAME_HOOK)),
            ProgKind::Syscall => Err(self.error(EINVAL, advice::IS_SYSCALL)),
            ProgKind::Callback => Err(self.error(EINVAL, advice::IS_CALLBACK)),
            ProgKind::Other => Err(self.error(eopnotsupp(), self.why_not())),
        }
    }

    /// Its id: see [`Prog::id`].
    ///
    /// # Errors
    ///
    /// As [`Prog::id`].
    #[inline]
    pub fn id(&self) -> Result<u32, LoadError> {
        let failed = |e| Step::TakeFd(self.def.name).failed(e);
        let prog = LoadedProg::get_from_fd(self.fd, self.def.prog_type).map_err(failed)?;

        if prog.is_named(self.def.name) {
            Ok(prog.id())
        } else {
            Err(failed(EBADF).with_advice(advice::FDS_CHANGE))
        }
    }

    /// Whether it is one of those that are attached to something, and not called.
    pub(super) fn is_attached(&self) -> bool {
        !matches!(kind_of(self.def), ProgKind::Syscall | ProgKind::Callback)
    }

    /// Why a module cannot attach it, and the way round.
    #[inline]
    fn why_not(&self) -> &'static str {
        match self.def.prog_type {
            bindings::bpf_prog_type_BPF_PROG_TYPE_KPROBE => match self.def.expected_attach_type {
                bindings::bpf_attach_type_BPF_TRACE_UPROBE_MULTI
                | bindings::bpf_attach_type_BPF_TRACE_UPROBE_SESSION => advice::IS_UPROBE,
                _ => match self.section_head() {
                    b"uprobe" | b"uprobe.s" | b"uretprobe" | b"uretprobe.s" | b"usdt"
                    | b"usdt.s" => advice::IS_UPROBE,
                    _ => advice::IS_KPROBE,
                },
            },
            bindings::bpf_prog_type_BPF_PROG_TYPE_TRACEPOINT => advice::IS_TRACEPOINT,
            bindings::bpf_prog_type_BPF_PROG_TYPE_PERF_EVENT => advice::IS_PERF_EVENT,
            bindings::bpf_prog_type_BPF_PROG_TYPE_SCHED_CLS => advice::IS_TC,
            _ => advice::IS_OTHER,
        }
    }

    /// The section up to the first slash.
    #[inline]
    fn section_head(&self) -> &'static [u8] {
        let section = self.def.section.to_bytes();

        section
            .split(|&byte| byte == b'/')
            .next()
            .unwrap_or(section)
    }

    /// The section from the first slash on.
    #[inline]
    fn section_rest(&self) -> Option<&'static CStr> {
        let section = self.def.section.to_bytes_with_nul();
        let slash = section.iter().position(|&byte| byte == b'/')?;

        CStr::from_bytes_with_nul(section.get(slash + 1..)?)
            .ok()
            .filter(|rest| !rest.is_empty())
    }

    /// The function that the section of a `kprobe.multi` prog names.
    #[inline]
    fn one_function(&self) -> Result<&'static CStr, LoadError> {
        let pattern = |name: &&CStr| name.to_bytes().iter().any(|byte| b"*?".contains(byte));

        match self.section_rest() {
            Some(name) if !pattern(&name) => Ok(name),
            _ => Err(self.error(EINVAL, advice::NAME_FUNCTIONS)),
        }
    }

    #[inline]
    fn attach_functions(&self, functions: &[&CStr], cookies: &[u64]) -> Result<Link, LoadError> {
        let hook = KprobeMultiHook::new(self.def.expected_attach_type)
            .ok_or(self.error(EINVAL, advice::IS_KPROBE))?;
        let flags = match self.section_head() {
            b"kretprobe.multi" => bindings::BPF_F_KPROBE_MULTI_RETURN,
            _ => 0,
        };

        if !cookies.is_empty() && cookies.len() != functions.len() {
            return Err(self.error(EINVAL, advice::COOKIE_EACH));
        }
        let functions = FunctionList::new(functions, cookies, flags).map_err(|e| {
            Step::Attach(self.def.name)
                .failed(e)
                .advise_if(&[EFAULT], advice::NO_PROCESS)
        })?;

        self.link(&LinkTarget::KprobeMulti(hook, &functions))
            .map_err(|e| {
                e.advise_if(&[ESRCH], advice::NO_FUNCTION)
                    .advise_if(&[eopnotsupp()], advice::NO_FPROBE)
            })
    }

    #[inline]
    fn open_raw_tracepoint(&self, cookie: u64) -> Result<Link, LoadError> {
        let failed = |e| Step::Attach(self.def.name).failed(e);

        let fd = match kind_of(self.def) {
            ProgKind::RawTracepoint => {
                let name = self
                    .section_rest()
                    .ok_or(self.error(EINVAL, advice::NAME_TRACEPOINT))?;

                syscall::raw_tracepoint_open(self.fd, Some(name), cookie)
                    .map_err(|e| failed(e).advise_if(&[EFAULT], advice::NO_PROCESS))?
            }
            _ => syscall::raw_tracepoint_open(self.fd, None, cookie).map_err(failed)?,
        };

        self.take_link(&fd)
    }

    fn link(&self, target: &LinkTarget<'_>) -> Result<Link, LoadError> {
        self.take_link(&self.create_link(target)?)
    }

    fn create_link(&self, target: &LinkTarget<'_>) -> Result<OwnedFd, LoadError> {
        syscall::link_create(self.fd, target).map_err(|e| Step::Attach(self.def.name).failed(e))
    }

    fn take_link(&self, fd: &OwnedFd) -> Result<Link, LoadError> {
        let failed = |e| Step::TakeLink(self.def.name).failed(e);
        let link = Link::get_from_fd(fd).map_err(failed)?;

        // Fds are the task's: another thread of it can have put something else there.
        if link.is_of(self.def.name) {
            Ok(link)
        } else {
            Err(failed(EBADF).with_advice(advice::FDS_CHANGE))
        }
    }

    #[inline]
    fn error(&self, error: Error, advice: &'static str) -> LoadError {
        Step::Attach(self.def.name)
            .failed(error)
            .with_advice(advice)
    }
}
