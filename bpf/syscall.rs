// SPDX-License-Identifier: GPL-2.0

//! The bpf commands that the kernel takes from a module.
//!
//! Each acts with the capabilities and in the fd table of the current task, as the system call
//! would.
//!
//! C file: [`kernel/bpf/syscall.c`](srctree/kernel/bpf/syscall.c)

use super::{
    attr,
    bindings::{
        kern_sys_bpf,
        LINUX_VERSION_CODE, //
    },
    fd::OwnedFd,
    user::UserBuf, //
};
use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

pub use super::attr::{
    CgroupHook,
    FunctionList,
    InterfaceHook,
    IterTarget,
    Keyring,
    KprobeMultiHook,
    LinkTarget,
    MapCreate,
    NetfilterHook,
    NetnsHook,
    ProgLoad,
    Signature,
    TracingHook, //
};

/// Whether the kernel checks the values of a prog's maps with the prog's signature: those before
/// 7.3 leave that to the prog.
pub const SIGNATURES_COVER_MAPS: bool = LINUX_VERSION_CODE >= (7 << 16) + (3 << 8);

/// Runs one command and returns what it returns: an fd, 0, or a negative errno.
///
/// # Safety
///
/// Each address in `attr` that `cmd` uses must be that of kernel memory, valid for what the command
/// does with it and as large as `attr` says.
#[inline]
unsafe fn bpf(cmd: bindings::bpf_cmd, attr: &mut bindings::bpf_attr) -> c_int {
    let size = size_of::<bindings::bpf_attr>() as c_uint;

    // SAFETY: `attr` is a whole `bpf_attr`; the rest is this function's contract.
    unsafe { kern_sys_bpf(cmd as c_int, attr, size) }
}

/// `BPF_MAP_CREATE`
///
/// # Examples
///
/// ```
/// use kernel::bpf::{
///     map::Map,
///     syscall::{
///         self,
///         MapCreate, //
///     }, //
/// };
///
/// let fd = syscall::map_create(&MapCreate {
///     map_type: kernel::bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
///     map_name: c"example",
///     key_size: 4,
///     value_size: 12,
///     max_entries: 1,
///     map_flags: 0,
/// })?;
/// let map = Map::get_from_fd(&fd)?;
///
/// // The map outlives its fd.
/// drop(fd);
/// map.write(8, &7_u32.to_ne_bytes())?;
/// assert_eq!(map.read_u32(8)?, 7);
/// assert!(map.read_u32(12).is_err());
/// # Ok::<(), Error>(())
/// ```
pub fn map_create(map: &MapCreate<'_>) -> Result<OwnedFd> {
    let mut attr = attr::map_create(map)?;

    // SAFETY: the attr has no address.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_MAP_CREATE, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_MAP_CREATE` of a map that only the prog with these instructions can use.
pub fn map_create_for(map: &MapCreate<'_>, insns: &[u8]) -> Result<OwnedFd> {
    let mut prog_hash = [0; attr::SHA256_SIZE];

    // SAFETY: `insns` has as many bytes as it is told, and a hash has room in `prog_hash`.
    unsafe { bindings::sha256(insns.as_ptr(), insns.len(), prog_hash.as_mut_ptr()) };
    let mut attr = attr::map_create_exclusive(map, &prog_hash)?;

    // SAFETY: `prog_hash` outlives the call, and the attr says how large it is.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_MAP_CREATE, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_MAP_FREEZE`: user space cannot write to the map any more.
///
/// # Errors
///
/// `EPERM` if it could not before, `EBUSY` if it is frozen.
pub fn map_freeze(map: &OwnedFd) -> Result {
    let mut attr = attr::map_freeze(map);

    // SAFETY: the attr has no address.
    to_result(unsafe { bpf(bindings::bpf_cmd_BPF_MAP_FREEZE, &mut attr) })
}

/// `BPF_PROG_LOAD`
///
/// # Errors
///
/// `EINVAL`, among others, if the instructions name an fd that is not in `fd_array`.
pub fn prog_load(prog: &ProgLoad<'_>) -> Result<OwnedFd> {
    let mut attr = attr::prog_load(prog)?;

    // SAFETY: instructions, license and `fd_array` outlive the call, the attr says how many
    // instructions there are, the license ends with NUL, and by the check of `attr::prog_load` no
    // instruction has `fd_array` read outside its bounds.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_PROG_LOAD, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// The same with a signature of the instructions and of the values of all maps in `fd_array`, each
/// of which must be frozen and for this prog alone.
///
/// # Errors
///
/// `ENOKEY` if the keyring has no such key, `EKEYREJECTED` if something has changed since it was
/// signed.
pub fn prog_load_signed(prog: &ProgLoad<'_>, signature: &Signature<'_>) -> Result<OwnedFd> {
    let mut attr = attr::prog_load_signed(prog, signature)?;

    // SAFETY: as for `prog_load`; the signature outlives the call, and the attr has its size.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_PROG_LOAD, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_PROG_LOAD` of a callback that does nothing, for the member of this number of a struct; and
/// the fd of a module's BTF if the struct is there, else 0.
#[inline]
pub fn empty_callback(name: &CStr, struct_id: u32, module: u32, member: u32) -> Result<OwnedFd> {
    let mut attr = attr::empty_callback(name, struct_id, module, member)?;

    // SAFETY: instructions and license are static, and the attr says how many there are.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_PROG_LOAD, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_PROG_RUN` of a `BPF_PROG_TYPE_SYSCALL` prog: returns what the prog returns.
///
/// # Errors
///
/// `EINVAL` if the prog uses more context than there is, if that is over 65,535 bytes, or without
/// `CONFIG_BPF_JIT`.
///
/// # Safety
///
/// The bpf commands that the prog runs take kernel addresses: the prog must pass only valid ones.
pub unsafe fn prog_run(prog: &OwnedFd, ctx: &mut [u32]) -> Result<c_int> {
    let mut attr = attr::prog_run(prog, ctx)?;

    // SAFETY: the verifier keeps the prog within the context, whose size the attr says; any bytes
    // are integers. The rest is this function's contract.
    to_result(unsafe { bpf(bindings::bpf_cmd_BPF_PROG_RUN, &mut attr) })?;
    // SAFETY: the whole attr was zeroed, so each of its views is initialised.
    Ok(unsafe { attr.test.retval } as c_int)
}

/// `BPF_LINK_CREATE`
#[inline]
pub fn link_create(prog: &OwnedFd, target: &LinkTarget<'_>) -> Result<OwnedFd> {
    let iter_info = match target {
        LinkTarget::Iter(iter) => iter.info(),
        _ => Default::default(),
    };
    let mut attr = attr::link_create(prog, target, &iter_info);

    // SAFETY: the attach type follows from the target, and the kernel refuses a prog of another
    // one: so it reads the attr as it was written. The kernel address that the attr can have is
    // that of `iter_info`, with its size. Those of user memory the kernel checks.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_LINK_CREATE, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_LINK_CREATE` of a prog that takes the place of a function of another one. `function` is the
/// number of that function's type in the BTF of `target`.
#[inline]
pub fn link_create_freplace(prog: &OwnedFd, target: &OwnedFd, function: u32) -> Result<OwnedFd> {
    let mut attr = attr::link_create_freplace(prog, target, function);

    // SAFETY: the attr has no address: of a prog of another type too, the kernel reads numbers.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_LINK_CREATE, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_LINK_CREATE` of a struct_ops map, which registers it.
#[inline]
pub fn link_create_struct_ops(map: &OwnedFd) -> Result<OwnedFd> {
    let mut attr = attr::link_create_struct_ops(map);

    // SAFETY: the attr has no address.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_LINK_CREATE, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}

/// `BPF_RAW_TRACEPOINT_OPEN`. With the name of a tracepoint for a `raw_tp` prog, without one for a
/// prog that names its target itself: `tp_btf`, `fentry`, `fexit`, `fmod_ret`, `lsm`.
///
/// # Errors
///
/// `EFAULT` with a name in a kernel thread, which has no memory of its own.
#[inline]
pub fn raw_tracepoint_open(prog: &OwnedFd, name: Option<&CStr>, cookie: u64) -> Result<OwnedFd> {
    // The kernel takes the name from user space only.
    let name = name
        .map(|name| UserBuf::holding(name.to_bytes_with_nul()))
        .transpose()?;
    let mut attr = attr::raw_tracepoint_open(prog, name.as_ref(), cookie);

    // SAFETY: the only address is that of the name, which the kernel takes for one in user memory.
    let ret = unsafe { bpf(bindings::bpf_cmd_BPF_RAW_TRACEPOINT_OPEN, &mut attr) };
    // SAFETY: this command returns a new fd.
    unsafe { OwnedFd::from_ret(ret) }
}
