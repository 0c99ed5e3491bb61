// SPDX-License-Identifier: GPL-2.0

//! Attaching a loaded prog.
//!
//! Nothing is attached by a file descriptor of user space: what the kernel attaches to a perf event
//! (kprobes, tracepoints, uprobes) a module cannot attach, and says so.
//!
//! C file: [`kernel/bpf/syscall.c`](srctree/kernel/bpf/syscall.c), `link_create()`

use super::{
    loader::{
        eopnotsupp,
        LoadError,
        Step, //
    },
    skeleton::ProgDef, //
};
use crate::bpf::{
    fd::OwnedFd,
    link::Link,
    syscall::{
        self,
        FunctionList,
        IterTarget,
        LinkTarget,
        NetfilterHook, //
    }, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// A loaded prog.
pub struct Prog<'a> {
    /// Its fd.
    pub fd: &'a OwnedFd,
    /// What the object says of it.
    pub def: ProgDef,
}

/// How a prog is attached.
enum Kind {
    /// Goes through objects of the kernel.
    Iter,
    /// Names its target itself: `tp_btf`, `fentry`, `fexit`, `fmod_ret`, `lsm`.
    Tracing,
    /// To the tracepoint that its section names.
    RawTracepoint,
    /// To functions, with the flags for it.
    KprobeMulti(u32),
    /// To an interface: `xdp`, `tcx`, `netkit`.
    Interface,
    /// To a cgroup.
    Cgroup,
    /// To a network namespace.
    NetNs,
    /// To a netfilter hook.
    Netfilter,
    /// Not by a module, and what to do instead.
    Never(&'static str),
}

/// Opens what a prog is to be attached to: the folder of a cgroup, the file of a namespace.
///
/// # Errors
///
/// As [`OwnedFd::open`].
pub fn open_target(path: &'static CStr) -> Result<OwnedFd, LoadError> {
    OwnedFd::open(path).map_err(LoadError::at(Step::Open(path)))
}

impl Prog<'_> {
    fn kind(&self) -> Kind {
        let returns = self.section_head() == b"kretprobe.multi";

        match self.def.prog_type {
            bindings::bpf_prog_type_BPF_PROG_TYPE_TRACING => match self.def.expected_attach_type {
                bindings::bpf_attach_type_BPF_TRACE_ITER => Kind::Iter,
                _ => Kind::Tracing,
            },
            bindings::bpf_prog_type_BPF_PROG_TYPE_LSM => match self.def.expected_attach_type {
                bindings::bpf_attach_type_BPF_LSM_CGROUP => Kind::Cgroup,
                _ => Kind::Tracing,
            },
            bindings::bpf_prog_type_BPF_PROG_TYPE_RAW_TRACEPOINT
            | bindings::bpf_prog_type_BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE => Kind::RawTracepoint,
            bindings::bpf_prog_type_BPF_PROG_TYPE_KPROBE => match self.def.expected_attach_type {
                bindings::bpf_attach_type_BPF_TRACE_KPROBE_MULTI
                | bindings::bpf_attach_type_BPF_TRACE_KPROBE_SESSION => {
                    Kind::KprobeMulti(if returns {
                        bindings::BPF_F_KPROBE_MULTI_RETURN
                    } else {
                        0
                    })
                }
                bindings::bpf_attach_type_BPF_TRACE_UPROBE_MULTI
                | bindings::bpf_attach_type_BPF_TRACE_UPROBE_SESSION => {
                    Kind::Never("uprobes belong to programs of user space: attach it from there")
                }
                _ => match self.section_head() {
                    b"uprobe" | b"uprobe.s" | b"uretprobe" | b"uretprobe.s" | b"usdt"
                    | b"usdt.s" => Kind::Never(
                        "uprobes belong to programs of user space: attach it from there",
                    ),
                    _ => Kind::Never(
                        "a kprobe wants a perf event, which a module cannot open: \
                         use kprobe.multi or fentry",
                    ),
                },
            },
            bindings::bpf_prog_type_BPF_PROG_TYPE_TRACEPOINT => Kind::Never(
                "a tracepoint wants a perf event, which a module cannot open: use tp_btf or raw_tp",
            ),
            bindings::bpf_prog_type_BPF_PROG_TYPE_PERF_EVENT => {
                Kind::Never("a module cannot open a perf event: attach it from user space")
            }
            bindings::bpf_prog_type_BPF_PROG_TYPE_XDP => Kind::Interface,
            bindings::bpf_prog_type_BPF_PROG_TYPE_SCHED_CLS => {
                match self.def.expected_attach_type {
                    bindings::bpf_attach_type_BPF_TCX_INGRESS
                    | bindings::bpf_attach_type_BPF_TCX_EGRESS
                    | bindings::bpf_attach_type_BPF_NETKIT_PRIMARY
                    | bindings::bpf_attach_type_BPF_NETKIT_PEER => Kind::Interface,
                    _ => Kind::Never(
                        "a tc filter wants netlink: use tcx/ingress or tcx/egress, \
                         or attach it from user space",
                    ),
                }
            }
            bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SKB
            | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SOCK
            | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SOCK_ADDR
            | bindings::bpf_prog_type_BPF_PROG_TYPE_SOCK_OPS
            | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_DEVICE
            | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SYSCTL
            | bindings::bpf_prog_type_BPF_PROG_TYPE_CGROUP_SOCKOPT => Kind::Cgroup,
            bindings::bpf_prog_type_BPF_PROG_TYPE_SK_LOOKUP
            | bindings::bpf_prog_type_BPF_PROG_TYPE_FLOW_DISSECTOR => Kind::NetNs,
            bindings::bpf_prog_type_BPF_PROG_TYPE_NETFILTER => Kind::Netfilter,
            _ => Kind::Never(
                "progs of its type are not attached through a link, or not yet from here",
            ),
        }
    }

    /// The section up to the first slash.
    fn section_head(&self) -> &'static [u8] {
        let section = self.def.section.to_bytes();

        section
            .split(|&byte| byte == b'/')
            .next()
            .unwrap_or(section)
    }

    /// The section from the first slash on.
    fn section_rest(&self) -> Option<&'static CStr> {
        let section = self.def.section.to_bytes_with_nul();
        let slash = section.iter().position(|&byte| byte == b'/')?;

        CStr::from_bytes_with_nul(section.get(slash + 1..)?)
            .ok()
            .filter(|rest| !rest.is_empty())
    }

    /// Attaches it to what its section names.
    ///
    /// # Errors
    ///
    /// A [`LoadError`] that names the prog and, where it is not one to be attached like this, what
    /// is: `EINVAL` if it wants to be told the target, `EOPNOTSUPP` if a module cannot attach it,
    /// `EFAULT` if it takes memory of a process (`raw_tp`, `kprobe.multi`) and this is a kernel
    /// thread.
    pub fn attach(&self) -> Result<Link, LoadError> {
        match self.kind() {
            Kind::Iter => self.link(LinkTarget::None),
            Kind::Tracing | Kind::RawTracepoint => self.open_raw_tracepoint(0),
            Kind::KprobeMulti(_) => self.attach_functions(&[self.one_function()?], &[]),
            kind => Err(self.refuse(kind)),
        }
    }

    /// Attaches it to what its section names, and gives it a number of its own: what
    /// `bpf_get_attach_cookie()` returns. For tracing and LSM progs, `raw_tp` and `kprobe.multi`.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`].
    pub fn attach_with_cookie(&self, cookie: u64) -> Result<Link, LoadError> {
        match self.kind() {
            Kind::Tracing => self.link(LinkTarget::Cookie(cookie)),
            Kind::RawTracepoint => self.open_raw_tracepoint(cookie),
            Kind::KprobeMulti(_) => self.attach_functions(&[self.one_function()?], &[cookie]),
            Kind::Iter => Err(self.error(EINVAL, "iterators have no cookies")),
            kind => Err(self.refuse(kind)),
        }
    }

    /// Attaches an iterator to what it is to go through.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`].
    pub fn attach_iter(&self, target: IterTarget<'_>) -> Result<Link, LoadError> {
        match self.kind() {
            Kind::Iter => self.link(LinkTarget::Iter(target)),
            kind => Err(self.refuse(kind)),
        }
    }

    /// Attaches a `kprobe.multi` prog to functions of the kernel, by their names; with a cookie for
    /// each, or none at all.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`]; `EINVAL` for another number of cookies; `ESRCH` for a function that is
    /// not there; `EOPNOTSUPP` if the kernel has no `kprobe.multi`.
    pub fn attach_functions(
        &self,
        functions: &[&CStr],
        cookies: &[u64],
    ) -> Result<Link, LoadError> {
        let flags = match self.kind() {
            Kind::KprobeMulti(flags) => flags,
            kind => return Err(self.refuse(kind)),
        };
        if !cookies.is_empty() && cookies.len() != functions.len() {
            return Err(self.error(EINVAL, "a cookie for each function, or none at all"));
        }
        let functions = FunctionList::new(functions, cookies, flags)
            .map_err(|e| self.no_user_memory(LoadError::at(Step::Attach(self.def.name))(e)))?;

        self.link(LinkTarget::Functions(&functions)).map_err(|e| {
            e.remedied_if(
                &[ESRCH],
                "this kernel lacks a function of these, or it cannot be traced",
            )
            .remedied_if(
                &[eopnotsupp()],
                "this kernel is configured without CONFIG_FPROBE",
            )
        })
    }

    /// Attaches an `xdp`, `tcx` or `netkit` prog to a network interface of the caller's namespace;
    /// `flags` (`XDP_FLAGS_*`) are 0 for the last two.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`]; if there is no such interface, `EINVAL` for `xdp`, `ENODEV` for the
    /// others.
    pub fn attach_interface(&self, ifindex: u32, flags: u32) -> Result<Link, LoadError> {
        match self.kind() {
            Kind::Interface => self
                .link(LinkTarget::Interface { ifindex, flags })
                .map_err(|e| {
                    e.remedied_if(&[EINVAL, ENODEV], "is there an interface of this number?")
                }),
            kind => Err(self.refuse(kind)),
        }
    }

    /// Attaches it to a cgroup, whose folder `cgroup` is.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`]; `EBADF` if it is not a folder of cgroup2.
    pub fn attach_cgroup(&self, cgroup: &OwnedFd) -> Result<Link, LoadError> {
        match self.kind() {
            Kind::Cgroup => self.link(LinkTarget::Fd(cgroup)).map_err(|e| {
                e.remedied_if(
                    &[EBADF],
                    "that is no folder of cgroup2: is it mounted there?",
                )
            }),
            kind => Err(self.refuse(kind)),
        }
    }

    /// Attaches an `sk_lookup` or `flow_dissector` prog to a network namespace, whose file
    /// (`/proc/self/ns/net`, say) `netns` is.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`].
    pub fn attach_netns(&self, netns: &OwnedFd) -> Result<Link, LoadError> {
        match self.kind() {
            Kind::NetNs => self.link(LinkTarget::Fd(netns)),
            kind => Err(self.refuse(kind)),
        }
    }

    /// Attaches it to a netfilter hook of the caller's network namespace.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`]; `EAFNOSUPPORT`, `EPROTO` or `ENOENT` for a hook that is not there.
    pub fn attach_netfilter(&self, hook: NetfilterHook) -> Result<Link, LoadError> {
        match self.kind() {
            Kind::Netfilter => self.link(LinkTarget::Netfilter(hook)),
            kind => Err(self.refuse(kind)),
        }
    }

    /// The function that the section of a `kprobe.multi` prog names.
    fn one_function(&self) -> Result<&'static CStr, LoadError> {
        let pattern = |name: &&CStr| name.to_bytes().iter().any(|byte| b"*?".contains(byte));

        match self.section_rest() {
            Some(name) if !pattern(&name) => Ok(name),
            _ => Err(self.error(EINVAL, "name its functions: attach_functions()")),
        }
    }

    fn open_raw_tracepoint(&self, cookie: u64) -> Result<Link, LoadError> {
        let name = match self.kind() {
            Kind::RawTracepoint => match self.section_rest() {
                Some(name) => Some(name),
                None => {
                    return Err(self.error(EINVAL, "its section names no tracepoint: raw_tp/NAME"))
                }
            },
            _ => None,
        };
        let fd = syscall::raw_tracepoint_open(self.fd, name, cookie)
            .map_err(LoadError::at(Step::Attach(self.def.name)))
            .map_err(|e| {
                if name.is_some() {
                    self.no_user_memory(e)
                } else {
                    e
                }
            })?;

        self.take_link(&fd)
    }

    fn link(&self, target: LinkTarget<'_>) -> Result<Link, LoadError> {
        let fd = syscall::link_create(self.fd, self.def.expected_attach_type, &target)
            .map_err(LoadError::at(Step::Attach(self.def.name)))?;

        self.take_link(&fd)
    }

    fn take_link(&self, fd: &OwnedFd) -> Result<Link, LoadError> {
        let failed = LoadError::at(Step::TakeLink(self.def.name));
        let link = match Link::get_from_fd(fd) {
            Ok(link) => link,
            Err(e) => return Err(failed(e)),
        };

        // Fds are the task's: another thread of it can have put something else there.
        if link.is_of(self.def.name) {
            Ok(link)
        } else {
            Err(failed(EBADF).with_remedy("another thread of this process changes its fds"))
        }
    }

    fn error(&self, error: Error, remedy: &'static str) -> LoadError {
        LoadError::at(Step::Attach(self.def.name))(error).with_remedy(remedy)
    }

    /// What to say when it is not attached like that.
    fn refuse(&self, kind: Kind) -> LoadError {
        let remedy = match kind {
            Kind::Never(why) => return self.error(eopnotsupp(), why),
            Kind::Iter => "it is an iterator: attach() or attach_iter()",
            Kind::Tracing => "it names its target itself: attach()",
            Kind::RawTracepoint => "its section names its tracepoint: attach()",
            Kind::KprobeMulti(_) => "it is attached to functions: attach_functions()",
            Kind::Interface => "name the interface: attach_interface()",
            Kind::Cgroup => "name the cgroup: attach_cgroup()",
            Kind::NetNs => "name the network namespace: attach_netns()",
            Kind::Netfilter => "name the hook: attach_netfilter()",
        };
        self.error(EINVAL, remedy)
    }

    fn no_user_memory(&self, error: LoadError) -> LoadError {
        error.remedied_if(
            &[EFAULT],
            "it takes a process's memory, and a kernel thread has none",
        )
    }
}
