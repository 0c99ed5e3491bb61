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

/// Size of the hash of a prog, in bytes.
pub(super) const SHA256_SIZE: usize = 32;

/// Size of one `struct bpf_insn`, in bytes.
const INSN_SIZE: usize = size_of::<bindings::bpf_insn>();

// What an instruction's `code` and `src_reg` are where it names an fd.
const LD_IMM64: u32 = bindings::BPF_LD | bindings::BPF_IMM | bindings::BPF_DW;
const CALL: u32 = bindings::BPF_JMP | bindings::BPF_CALL;
const PSEUDO_MAP_IDX: u32 = bindings::BPF_PSEUDO_MAP_IDX;
const PSEUDO_MAP_IDX_VALUE: u32 = bindings::BPF_PSEUDO_MAP_IDX_VALUE;
const PSEUDO_KFUNC_CALL: u32 = bindings::BPF_PSEUDO_KFUNC_CALL;

/// A map to create. Sizes are in bytes.
pub struct MapCreate<'a> {
    /// A `BPF_MAP_TYPE_*`.
    pub map_type: bindings::bpf_map_type,
    /// At most 15 bytes.
    pub map_name: &'a CStr,
    /// Size of a key.
    pub key_size: u32,
    /// Size of a value.
    pub value_size: u32,
    /// In elements.
    pub max_entries: u32,
    /// `BPF_F_*`.
    pub map_flags: u32,
}

/// A prog to load.
pub struct ProgLoad<'a> {
    /// A `BPF_PROG_TYPE_*`.
    pub prog_type: bindings::bpf_prog_type,
    /// At most 15 bytes.
    pub prog_name: &'a CStr,
    /// `struct bpf_insn`s in the machine's byte order.
    pub insns: &'a [u8],
    /// As in `MODULE_LICENSE()`: decides which helpers the prog may call.
    pub license: &'a CStr,
    /// `BPF_F_*`.
    pub prog_flags: u32,
    /// The fds that the instructions name by index.
    pub fd_array: &'a [u32],
}

/// Where the kernel looks for the key of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyring {
    /// The keys that the kernel was built with.
    Builtin,
    /// These, and those that one of them or the machine's owner (MOK) has added.
    Secondary,
    /// The firmware's.
    Platform,
    /// The keyring of this serial number.
    Serial(i32),
}

impl Keyring {
    /// By the number that `BPF_PROG_LOAD` takes: 0, 1, 2, or a serial number.
    pub const fn from_number(number: i32) -> Self {
        match number {
            0 => Self::Builtin,
            1 => Self::Secondary,
            2 => Self::Platform,
            serial => Self::Serial(serial),
        }
    }

    const fn as_raw(self) -> i32 {
        match self {
            Self::Builtin => 0,
            Self::Secondary => 1,
            Self::Platform => 2,
            Self::Serial(serial) => serial,
        }
    }
}

/// The signature of a prog and its maps.
#[derive(Clone, Copy)]
pub struct Signature<'a> {
    /// A detached CMS.
    pub cms: &'a [u8],
    /// Where its key is.
    pub keyring: Keyring,
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
    attr.__bindgen_anon_1.map_flags = map.map_flags;
    Ok(attr)
}

/// A map that only the prog of this hash can use.
pub(super) fn map_create_exclusive(
    map: &MapCreate<'_>,
    prog_hash: &[u8; SHA256_SIZE],
) -> Result<bindings::bpf_attr> {
    let mut attr = map_create(map)?;

    attr.__bindgen_anon_1.excl_prog_hash = addr_of(prog_hash);
    attr.__bindgen_anon_1.excl_prog_hash_size = SHA256_SIZE as u32;
    Ok(attr)
}

pub(super) fn map_freeze(map: &OwnedFd) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.__bindgen_anon_2.map_fd = map.as_raw();
    attr
}

/// Whether an instruction names an fd by an index that is not in an array of `len` fds.
///
/// Newer kernels look at `fd_array_cnt` themselves, older ones read what is behind the array.
fn names_index_outside(insn: &[u8], len: usize) -> bool {
    let &[code, registers, off0, off1, imm0, imm1, imm2, imm3] = insn else {
        return true;
    };
    let source = u32::from(if cfg!(target_endian = "little") {
        registers >> 4
    } else {
        registers & 0xf
    });
    let index = match u32::from(code) {
        LD_IMM64 if matches!(source, PSEUDO_MAP_IDX | PSEUDO_MAP_IDX_VALUE) => {
            u32::from_ne_bytes([imm0, imm1, imm2, imm3])
        }
        // 0 is the kernel itself.
        CALL if source == PSEUDO_KFUNC_CALL => match u16::from_ne_bytes([off0, off1]) {
            0 => return false,
            index => index.into(),
        },
        _ => return false,
    };

    index as usize >= len
}

/// `EINVAL` if `insns` ends within an instruction or names an fd that is not in `fd_array`.
pub(super) fn prog_load(prog: &ProgLoad<'_>) -> Result<bindings::bpf_attr> {
    let mut attr = bindings::bpf_attr::default();

    // What is left at the end is no instruction.
    if prog
        .insns
        .chunks(INSN_SIZE)
        .any(|insn| names_index_outside(insn, prog.fd_array.len()))
    {
        return Err(EINVAL);
    }
    attr.__bindgen_anon_3.prog_type = prog.prog_type;
    attr.__bindgen_anon_3.prog_name = obj_name(prog.prog_name)?;
    attr.__bindgen_anon_3.insns = addr_of(prog.insns);
    attr.__bindgen_anon_3.insn_cnt = u32::try_from(prog.insns.len() / INSN_SIZE)?;
    attr.__bindgen_anon_3.license = addr_of(prog.license.to_bytes_with_nul());
    attr.__bindgen_anon_3.prog_flags = prog.prog_flags;
    if !prog.fd_array.is_empty() {
        attr.__bindgen_anon_3.fd_array = addr_of(prog.fd_array);
        attr.__bindgen_anon_3.fd_array_cnt = u32::try_from(prog.fd_array.len())?;
    }
    Ok(attr)
}

/// The same with a signature.
pub(super) fn prog_load_signed(
    prog: &ProgLoad<'_>,
    signature: &Signature<'_>,
) -> Result<bindings::bpf_attr> {
    let mut attr = prog_load(prog)?;

    attr.__bindgen_anon_3.signature = addr_of(signature.cms);
    attr.__bindgen_anon_3.signature_size = u32::try_from(signature.cms.len())?;
    attr.__bindgen_anon_3.keyring_id = signature.keyring.as_raw();
    Ok(attr)
}

pub(super) fn prog_run(prog: &OwnedFd, ctx: &mut [u32]) -> Result<bindings::bpf_attr> {
    let mut attr = bindings::bpf_attr::default();

    attr.test.prog_fd = prog.as_raw();
    attr.test.ctx_in = ctx.as_mut_ptr().expose_provenance() as u64;
    attr.test.ctx_size_in = u32::try_from(size_of_val(ctx))?;
    Ok(attr)
}

/// Enums of attach types.
macro_rules! attach_types {
    ($( $(#[$doc:meta])* $Name:ident { $( $Variant:ident = $value:ident, )* } )*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $Name {
            $( #[doc = concat!("`", stringify!($value), "`")] $Variant, )*
        }

        impl $Name {
            /// The one of this number. [`None`] if it is of another kind.
            pub const fn new(attach_type: bindings::bpf_attach_type) -> Option<Self> {
                match attach_type {
                    $( bindings::$value => Some(Self::$Variant), )*
                    _ => None,
                }
            }

            const fn as_raw(self) -> bindings::bpf_attach_type {
                match self {
                    $( Self::$Variant => bindings::$value, )*
                }
            }
        }
    )* };
}

attach_types! {
    /// How a tracing or LSM prog hangs on the function or tracepoint that it was loaded for.
    TracingHook {
        RawTp = bpf_attach_type_BPF_TRACE_RAW_TP,
        Fentry = bpf_attach_type_BPF_TRACE_FENTRY,
        Fexit = bpf_attach_type_BPF_TRACE_FEXIT,
        Fsession = bpf_attach_type_BPF_TRACE_FSESSION,
        ModifyReturn = bpf_attach_type_BPF_MODIFY_RETURN,
        Lsm = bpf_attach_type_BPF_LSM_MAC,
    }
    /// Where in a network interface a prog is called.
    InterfaceHook {
        Xdp = bpf_attach_type_BPF_XDP,
        TcxIngress = bpf_attach_type_BPF_TCX_INGRESS,
        TcxEgress = bpf_attach_type_BPF_TCX_EGRESS,
        NetkitPrimary = bpf_attach_type_BPF_NETKIT_PRIMARY,
        NetkitPeer = bpf_attach_type_BPF_NETKIT_PEER,
    }
    /// Where in a cgroup a prog is called.
    CgroupHook {
        InetIngress = bpf_attach_type_BPF_CGROUP_INET_INGRESS,
        InetEgress = bpf_attach_type_BPF_CGROUP_INET_EGRESS,
        InetSockCreate = bpf_attach_type_BPF_CGROUP_INET_SOCK_CREATE,
        InetSockRelease = bpf_attach_type_BPF_CGROUP_INET_SOCK_RELEASE,
        SockOps = bpf_attach_type_BPF_CGROUP_SOCK_OPS,
        Device = bpf_attach_type_BPF_CGROUP_DEVICE,
        Sysctl = bpf_attach_type_BPF_CGROUP_SYSCTL,
        Getsockopt = bpf_attach_type_BPF_CGROUP_GETSOCKOPT,
        Setsockopt = bpf_attach_type_BPF_CGROUP_SETSOCKOPT,
        Inet4Bind = bpf_attach_type_BPF_CGROUP_INET4_BIND,
        Inet6Bind = bpf_attach_type_BPF_CGROUP_INET6_BIND,
        Inet4PostBind = bpf_attach_type_BPF_CGROUP_INET4_POST_BIND,
        Inet6PostBind = bpf_attach_type_BPF_CGROUP_INET6_POST_BIND,
        Inet4Connect = bpf_attach_type_BPF_CGROUP_INET4_CONNECT,
        Inet6Connect = bpf_attach_type_BPF_CGROUP_INET6_CONNECT,
        UnixConnect = bpf_attach_type_BPF_CGROUP_UNIX_CONNECT,
        Inet4Getpeername = bpf_attach_type_BPF_CGROUP_INET4_GETPEERNAME,
        Inet6Getpeername = bpf_attach_type_BPF_CGROUP_INET6_GETPEERNAME,
        UnixGetpeername = bpf_attach_type_BPF_CGROUP_UNIX_GETPEERNAME,
        Inet4Getsockname = bpf_attach_type_BPF_CGROUP_INET4_GETSOCKNAME,
        Inet6Getsockname = bpf_attach_type_BPF_CGROUP_INET6_GETSOCKNAME,
        UnixGetsockname = bpf_attach_type_BPF_CGROUP_UNIX_GETSOCKNAME,
        Udp4Sendmsg = bpf_attach_type_BPF_CGROUP_UDP4_SENDMSG,
        Udp6Sendmsg = bpf_attach_type_BPF_CGROUP_UDP6_SENDMSG,
        UnixSendmsg = bpf_attach_type_BPF_CGROUP_UNIX_SENDMSG,
        Udp4Recvmsg = bpf_attach_type_BPF_CGROUP_UDP4_RECVMSG,
        Udp6Recvmsg = bpf_attach_type_BPF_CGROUP_UDP6_RECVMSG,
        UnixRecvmsg = bpf_attach_type_BPF_CGROUP_UNIX_RECVMSG,
        Lsm = bpf_attach_type_BPF_LSM_CGROUP,
    }
    /// Where in a network namespace a prog is called.
    NetnsHook {
        SkLookup = bpf_attach_type_BPF_SK_LOOKUP,
        FlowDissector = bpf_attach_type_BPF_FLOW_DISSECTOR,
    }
    /// When a prog on many functions is called.
    KprobeMultiHook {
        Probe = bpf_attach_type_BPF_TRACE_KPROBE_MULTI,
        Session = bpf_attach_type_BPF_TRACE_KPROBE_SESSION,
    }
}

/// What `BPF_LINK_CREATE` attaches a prog to, and as what.
///
/// The command's attr is a union, of which the attach type says how the kernel reads it: so the
/// attach type follows from this, and is not told apart. The kernel refuses a prog that was loaded
/// for another one.
pub enum LinkTarget<'a> {
    /// What a tracing or LSM prog was loaded for, with a value that `bpf_get_attach_cookie()` gives
    /// to it.
    Tracing(TracingHook, u64),
    /// What an iterator goes through.
    Iter(IterTarget<'a>),
    /// A network interface, by its index in the caller's network namespace.
    Interface {
        /// Where in it.
        hook: InterfaceHook,
        /// The index.
        ifindex: u32,
        /// As the hook has them: `XDP_FLAGS_*`, `BPF_F_*`.
        flags: u32,
    },
    /// A cgroup, by its folder.
    Cgroup(CgroupHook, &'a OwnedFd),
    /// A network namespace, by its file.
    Netns(NetnsHook, &'a OwnedFd),
    /// A netfilter hook.
    Netfilter(NetfilterHook),
    /// Functions of the kernel.
    KprobeMulti(KprobeMultiHook, &'a FunctionList),
}

impl LinkTarget<'_> {
    fn attach_type(&self) -> bindings::bpf_attach_type {
        match *self {
            Self::Tracing(hook, _) => hook.as_raw(),
            Self::Iter(_) => bindings::bpf_attach_type_BPF_TRACE_ITER,
            Self::Interface { hook, .. } => hook.as_raw(),
            Self::Cgroup(hook, _) => hook.as_raw(),
            Self::Netns(hook, _) => hook.as_raw(),
            Self::Netfilter(_) => bindings::bpf_attach_type_BPF_NETFILTER,
            Self::KprobeMulti(hook, _) => hook.as_raw(),
        }
    }
}

/// What an iterator goes through, for the kinds that ask.
#[derive(Clone, Copy)]
pub enum IterTarget<'a> {
    /// All that there are.
    All,
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
pub struct NetfilterHook {
    /// An `NFPROTO_*`.
    pub pf: u32,
    /// An `NF_INET_*`.
    pub hooknum: u32,
    /// The lowest is called first; the kernel refuses its own lowest and highest.
    pub priority: i32,
    /// `BPF_F_NETFILTER_*`.
    pub flags: u32,
}

/// Names of functions, and a cookie for each, as `BPF_LINK_CREATE` of kprobe.multi wants them: in
/// user memory.
pub struct FunctionList {
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
    #[inline]
    pub fn new(names: &[&CStr], cookies: &[u64], flags: u32) -> Result<Self> {
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
            IterTarget::All => {}
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
    target: &LinkTarget<'_>,
    iter_info: &bindings::bpf_iter_link_info,
) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.link_create.__bindgen_anon_1.prog_fd = prog.as_raw();
    attr.link_create.attach_type = target.attach_type();
    match *target {
        LinkTarget::Tracing(_, cookie) => {
            attr.link_create.__bindgen_anon_3.tracing.cookie = cookie;
        }
        LinkTarget::Iter(IterTarget::All) => {}
        LinkTarget::Iter(_) => {
            let iter_info = core::slice::from_ref(iter_info);

            attr.link_create.__bindgen_anon_3.__bindgen_anon_1.iter_info = addr_of(iter_info);
            attr.link_create
                .__bindgen_anon_3
                .__bindgen_anon_1
                .iter_info_len = size_of_val(iter_info) as u32;
        }
        LinkTarget::Interface { ifindex, flags, .. } => {
            attr.link_create.__bindgen_anon_2.target_ifindex = ifindex;
            attr.link_create.flags = flags;
        }
        LinkTarget::Cgroup(_, fd) | LinkTarget::Netns(_, fd) => {
            attr.link_create.__bindgen_anon_2.target_fd = fd.as_raw();
        }
        LinkTarget::Netfilter(hook) => {
            attr.link_create.__bindgen_anon_3.netfilter.pf = hook.pf;
            attr.link_create.__bindgen_anon_3.netfilter.hooknum = hook.hooknum;
            attr.link_create.__bindgen_anon_3.netfilter.priority = hook.priority;
            attr.link_create.__bindgen_anon_3.netfilter.flags = hook.flags;
        }
        LinkTarget::KprobeMulti(_, list) => {
            attr.link_create.__bindgen_anon_3.kprobe_multi.flags = list.flags;
            attr.link_create.__bindgen_anon_3.kprobe_multi.cnt = list.count;
            attr.link_create.__bindgen_anon_3.kprobe_multi.syms = list.memory.addr();
            attr.link_create.__bindgen_anon_3.kprobe_multi.cookies = list.cookies;
        }
    }
    attr
}

/// A callback that does nothing.
pub(super) fn empty_callback(
    name: &CStr,
    struct_id: u32,
    module: u32,
    member: u32,
) -> Result<bindings::bpf_attr> {
    // r0 = 0; exit
    const INSNS: &[u8] = &[0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let mut attr = prog_load(&ProgLoad {
        prog_type: bindings::bpf_prog_type_BPF_PROG_TYPE_STRUCT_OPS,
        prog_name: name,
        insns: INSNS,
        license: c"GPL",
        prog_flags: 0,
        fd_array: &[],
    })?;

    attr.__bindgen_anon_3.expected_attach_type = member;
    attr.__bindgen_anon_3.attach_btf_id = struct_id;
    attr.__bindgen_anon_3.__bindgen_anon_1.attach_btf_obj_fd = module;
    Ok(attr)
}

#[inline]
pub(super) fn link_create_freplace(
    prog: &OwnedFd,
    target: &OwnedFd,
    function: u32,
) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.link_create.__bindgen_anon_1.prog_fd = prog.as_raw();
    attr.link_create.__bindgen_anon_2.target_fd = target.as_raw();
    attr.link_create.__bindgen_anon_3.tracing.target_btf_id = function;
    attr
}

pub(super) fn link_create_struct_ops(map: &OwnedFd) -> bindings::bpf_attr {
    let mut attr = bindings::bpf_attr::default();

    attr.link_create.__bindgen_anon_1.map_fd = map.as_raw();
    attr.link_create.attach_type = bindings::bpf_attach_type_BPF_STRUCT_OPS;
    attr
}

/// `name` is that of a tracepoint, in user memory, for progs that do not name it themselves.
#[inline]
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
