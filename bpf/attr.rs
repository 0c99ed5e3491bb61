// SPDX-License-Identifier: GPL-2.0

//! `union bpf_attr`: what each bpf command is told.
//!
//! Every byte that a command does not use is zero, as the kernel demands, so that the whole union
//! can be passed whatever its size is in the kernel that this is built for.
//!
//! C header: [`include/uapi/linux/bpf.h`](srctree/include/uapi/linux/bpf.h)

use super::{
    fd::OwnedFd,
    user::UserBuf, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// Size of one `struct bpf_insn`, in bytes.
const INSN_SIZE: usize = 8;

/// A map to create. Sizes are in bytes.
pub(crate) struct MapCreate<'a> {
    /// A `BPF_MAP_TYPE_*`.
    pub(crate) map_type: bindings::bpf_map_type,
    /// At most 15 bytes.
    pub(crate) map_name: &'a CStr,
    /// Size of a key.
    pub(crate) key_size: u32,
    /// Size of a value.
    pub(crate) value_size: u32,
    /// In elements.
    pub(crate) max_entries: u32,
}

/// A prog to load.
pub(crate) struct ProgLoad<'a> {
    /// A `BPF_PROG_TYPE_*`.
    pub(crate) prog_type: bindings::bpf_prog_type,
    /// At most 15 bytes.
    pub(crate) prog_name: &'a CStr,
    /// `struct bpf_insn`s in the machine's byte order.
    pub(crate) insns: &'a [u8],
    /// As in `MODULE_LICENSE()`: decides which helpers the prog may call.
    pub(crate) license: &'a CStr,
    /// `BPF_F_*`.
    pub(crate) prog_flags: u32,
    /// The fds that the instructions name by index.
    pub(crate) fd_array: &'a [u32],
}

/// An address as a `bpf_attr` has it.
fn addr_of<T>(slice: &[T]) -> u64 {
    slice.as_ptr().expose_provenance() as u64
}

/// An object's name as a `bpf_attr` has it: zero-padded. `EINVAL` if it is over 15 bytes.
fn obj_name(name: &CStr) -> Result<[c_char; bindings::BPF_OBJ_NAME_LEN as usize]> {
    let mut raw = [0; bindings::BPF_OBJ_NAME_LEN as usize];
    let bytes = name.to_bytes_with_nul();

    raw.get_mut(..bytes.len())
        .ok_or(EINVAL)?
        .copy_from_slice(bytes);
    Ok(raw)
}

pub(super) fn map_create(map: &MapCreate<'_>) -> Result<bindings::bpf_attr> {
    let mut attr = bindings::bpf_attr::default();

    attr.__bindgen_anon_1.map_type = map.map_type;
    attr.__bindgen_anon_1.map_name = obj_name(map.map_name)?;
    attr.__bindgen_anon_1.key_size = map.key_size;
    attr.__bindgen_anon_1.value_size = map.value_size;
    attr.__bindgen_anon_1.max_entries = map.max_entries;
    Ok(attr)
}

pub(super) fn map_update_elem(map: &OwnedFd, key: &[u8], value: &[u8]) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.__bindgen_anon_2.map_fd = map.as_raw();
    attr.__bindgen_anon_2.key = addr_of(key);
    attr.__bindgen_anon_2.__bindgen_anon_1.value = addr_of(value);
    attr
}

/// `EINVAL` if `insns` ends within an instruction.
pub(super) fn prog_load(prog: &ProgLoad<'_>) -> Result<bindings::bpf_attr> {
    let mut attr = bindings::bpf_attr::default();

    if prog.insns.len() % INSN_SIZE != 0 {
        return Err(EINVAL);
    }
    attr.__bindgen_anon_3.prog_type = prog.prog_type;
    attr.__bindgen_anon_3.prog_name = obj_name(prog.prog_name)?;
    attr.__bindgen_anon_3.insns = addr_of(prog.insns);
    attr.__bindgen_anon_3.insn_cnt = u32::try_from(prog.insns.len() / INSN_SIZE)?;
    attr.__bindgen_anon_3.license = addr_of(prog.license.to_bytes_with_nul());
    attr.__bindgen_anon_3.prog_flags = prog.prog_flags;
    attr.__bindgen_anon_3.fd_array = addr_of(prog.fd_array);
    Ok(attr)
}

pub(super) fn prog_run<C>(prog: &OwnedFd, ctx: *mut C, size: u32) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.test.prog_fd = prog.as_raw();
    attr.test.ctx_in = ctx.expose_provenance() as u64;
    attr.test.ctx_size_in = size;
    attr
}

/// What a prog is attached to by `BPF_LINK_CREATE`, beside what the prog itself says.
pub(crate) enum LinkTarget<'a> {
    /// Nothing.
    None,
    /// A value that `bpf_get_attach_cookie()` gives to the prog; for tracing and LSM progs.
    Cookie(u64),
    /// What an iterator goes through.
    Iter(IterTarget<'a>),
    /// A network interface, by its index, with the flags of the prog's type.
    Interface {
        /// Its index, in the caller's network namespace.
        ifindex: u32,
        /// As the prog's type has them.
        flags: u32,
    },
    /// A cgroup or a network namespace.
    Fd(&'a OwnedFd),
    /// A netfilter hook.
    Netfilter(NetfilterHook),
    /// Functions of the kernel.
    Functions(&'a FunctionList),
}

/// What an iterator goes through, for the kinds that ask.
#[derive(Clone, Copy)]
pub(crate) enum IterTarget<'a> {
    /// The elements of a map.
    Map(&'a OwnedFd),
    /// A cgroup and those around it, in a `BPF_CGROUP_ITER_*` order; the root without an fd.
    Cgroup(Option<&'a OwnedFd>, bindings::bpf_cgroup_iter_order),
    /// The thread of this number.
    Thread(u32),
    /// The threads of the process of this number.
    Process(u32),
}

/// Where in netfilter a prog is called.
#[derive(Clone, Copy)]
pub(crate) struct NetfilterHook {
    /// An `NFPROTO_*`.
    pub(crate) pf: u32,
    /// An `NF_INET_*`.
    pub(crate) hooknum: u32,
    /// The lowest is called first; the kernel refuses its own lowest and highest.
    pub(crate) priority: i32,
    /// `BPF_F_NETFILTER_*`.
    pub(crate) flags: u32,
}

/// Names of functions, and a cookie for each, as `BPF_LINK_CREATE` of kprobe.multi wants them: in
/// user memory.
pub(crate) struct FunctionList {
    memory: UserBuf,
    count: u32,
    /// The address of the cookies; 0 for none.
    cookies: u64,
    /// `BPF_F_KPROBE_MULTI_*`.
    flags: u32,
}

impl FunctionList {
    /// Writes the list into memory of the calling process.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are cookies, but not as many as functions; as [`UserBuf::new`].
    pub(crate) fn new(names: &[&CStr], cookies: &[u64], flags: u32) -> Result<Self> {
        if !cookies.is_empty() && cookies.len() != names.len() {
            return Err(EINVAL);
        }
        // The addresses of the names, the cookies, the names.
        let words = names.len() + cookies.len();
        let bytes: usize = names
            .iter()
            .map(|name| name.to_bytes_with_nul().len())
            .sum();
        let memory = UserBuf::new(words * size_of::<u64>() + bytes)?;
        let mut image = KVVec::with_capacity(memory.size(), GFP_KERNEL)?;
        let cookies_at = memory.addr() + (names.len() * size_of::<u64>()) as u64;
        let mut name_at = memory.addr() + (words * size_of::<u64>()) as u64;

        for name in names {
            image.extend_from_slice(&name_at.to_ne_bytes(), GFP_KERNEL)?;
            name_at += name.to_bytes_with_nul().len() as u64;
        }
        for cookie in cookies {
            image.extend_from_slice(&cookie.to_ne_bytes(), GFP_KERNEL)?;
        }
        for name in names {
            image.extend_from_slice(name.to_bytes_with_nul(), GFP_KERNEL)?;
        }
        memory.write(&image)?;

        Ok(Self {
            memory,
            count: u32::try_from(names.len())?,
            cookies: if cookies.is_empty() { 0 } else { cookies_at },
            flags,
        })
    }
}

impl IterTarget<'_> {
    /// What `link_create.iter_info` points to.
    pub(super) fn info(&self) -> bindings::bpf_iter_link_info {
        let mut info = bindings::bpf_iter_link_info::default();

        match *self {
            IterTarget::Map(map) => info.map.map_fd = map.as_raw(),
            IterTarget::Cgroup(cgroup, order) => {
                info.cgroup.order = order;
                info.cgroup.cgroup_fd = cgroup.map_or(0, |fd| fd.as_raw());
            }
            IterTarget::Thread(tid) => info.task.tid = tid,
            IterTarget::Process(pid) => info.task.pid = pid,
        }
        info
    }
}

/// `iter_info` is what [`IterTarget::info`] gives, where the target is one.
pub(super) fn link_create(
    prog: &OwnedFd,
    attach_type: bindings::bpf_attach_type,
    target: &LinkTarget<'_>,
    iter_info: &bindings::bpf_iter_link_info,
) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.link_create.__bindgen_anon_1.prog_fd = prog.as_raw();
    attr.link_create.attach_type = attach_type;
    match *target {
        LinkTarget::None => {}
        LinkTarget::Cookie(cookie) => {
            attr.link_create.__bindgen_anon_3.tracing.cookie = cookie;
        }
        LinkTarget::Iter(_) => {
            let iter_info = core::slice::from_ref(iter_info);

            attr.link_create.__bindgen_anon_3.__bindgen_anon_1.iter_info = addr_of(iter_info);
            attr.link_create
                .__bindgen_anon_3
                .__bindgen_anon_1
                .iter_info_len = size_of_val(iter_info) as u32;
        }
        LinkTarget::Interface { ifindex, flags } => {
            attr.link_create.__bindgen_anon_2.target_ifindex = ifindex;
            attr.link_create.flags = flags;
        }
        LinkTarget::Fd(fd) => attr.link_create.__bindgen_anon_2.target_fd = fd.as_raw(),
        LinkTarget::Netfilter(hook) => {
            attr.link_create.__bindgen_anon_3.netfilter.pf = hook.pf;
            attr.link_create.__bindgen_anon_3.netfilter.hooknum = hook.hooknum;
            attr.link_create.__bindgen_anon_3.netfilter.priority = hook.priority;
            attr.link_create.__bindgen_anon_3.netfilter.flags = hook.flags;
        }
        LinkTarget::Functions(list) => {
            attr.link_create.__bindgen_anon_3.kprobe_multi.flags = list.flags;
            attr.link_create.__bindgen_anon_3.kprobe_multi.cnt = list.count;
            attr.link_create.__bindgen_anon_3.kprobe_multi.syms = list.memory.addr();
            attr.link_create.__bindgen_anon_3.kprobe_multi.cookies = list.cookies;
        }
    }
    attr
}

/// `name` is that of a tracepoint, in user memory, for progs that do not name it themselves.
pub(super) fn raw_tracepoint_open(
    prog: &OwnedFd,
    name: Option<&UserBuf>,
    cookie: u64,
) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.raw_tracepoint.prog_fd = prog.as_raw();
    attr.raw_tracepoint.name = name.map_or(0, UserBuf::addr);
    attr.raw_tracepoint.cookie = cookie;
    attr
}
