// SPDX-License-Identifier: GPL-2.0
//! examples/gate: what it refuses to a hostile root, the line that dmesg has of it, and what goes on.

use std::ffi::{c_int, CString};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{bail, ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};
use rustix::io::Errno;
use rustix::mm::{mmap, mmap_anonymous, munmap, MapFlags as MmapFlags, ProtFlags};
use rustix::mount::{mount, MountFlags};
use rustix::process::{
    getpid, kill_process, pidfd_getfd, pidfd_open, waitpid, Pid, PidfdFlags, PidfdGetfdFlags,
    Signal, WaitOptions,
};
use rustix::system::delete_module;
use rustix::thread::{unshare_unsafe, UnshareFlags};
use rustix::time::{clock_gettime, ClockId};
use scenarios::{BPFTOOL, MODULE_DIR, OBJECTS_DIR};

use super::signed::{file, is_older, keyring, keyring_with_key, load_from_user_space};
use crate::bpf::{self, Ids};
use crate::kernel::{
    add_key, dmesg, eventually, expect_fds, fds, insmod, insmod_with, is_real_time, load,
    mount_bpffs, need_bpf_lsm, o_nonblock, release, rmmod, umount, Messages,
};
use crate::ktap::{note, Skip};
use crate::lab::{mount_debugfs, mount_tracing, TRACING};

/// The libc crate has none for s390x.
#[cfg(target_arch = "s390x")]
const SYS_KEXEC_FILE_LOAD: libc::c_long = 381;
#[cfg(not(target_arch = "s390x"))]
const SYS_KEXEC_FILE_LOAD: libc::c_long = libc::SYS_kexec_file_load;

const MNT: &str = "/tmp/bpf";
const DEVICE: &str = "/dev/gate";
const UNSIGNED: &str = "/modules/sockets.ko";
/// Of the prog of [`bpf::prog`].
const NOT_SIGNED: &str = "BPF prog of type 1 without a trusted signature";

/// The gate, and what dmesg has had of it.
struct Gate {
    messages: Messages,
    said: Vec<String>,
    /// What there was when the last line came that was waited for.
    before: Vec<String>,
}

impl Gate {
    /// Loads it, open.
    fn open(params: &str) -> Result<Self> {
        if !Path::new("/sys/kernel/security/lsm").exists() {
            need_bpf_lsm()?;
        }
        // BTF of the kernel stays from the first prog on.
        drop(bpf::prog("first", None)?);
        insmod_with(&format!("{MODULE_DIR}/gate.ko"), &CString::new(params)?)?
            .context("loading gate.ko")?;
        Ok(Gate {
            messages: Messages::from_now()?,
            said: Vec::new(),
            before: Vec::new(),
        })
    }

    /// Loads it and seals it, by its file.
    fn sealed(params: &str) -> Result<Self> {
        let mut gate = Self::open(params)?;
        gate.seal()?;
        Ok(gate)
    }

    fn seal(&mut self) -> Result<()> {
        expect_device("open\n")?;
        fs::write(DEVICE, "1\n").context("sealing it")?;
        expect_device("sealed\n")?;
        self.expect_line("gate: sealed")
    }

    /// Waits for a line of dmesg.
    fn expect_line(&mut self, line: &str) -> Result<()> {
        eventually(|| {
            self.said.extend(self.messages.new_lines()?);
            ensure!(
                self.said.iter().any(|seen| seen == line),
                "expected {line:?} in dmesg, seen {:?}",
                self.said
            );
            Ok(())
        })
        .inspect(|()| self.before = std::mem::take(&mut self.said))
    }

    /// Checks that something was refused to this task, and that dmesg says so.
    fn refuses<T>(
        &mut self,
        what: &str,
        answer: Result<T, Errno>,
        errno: Errno,
        rule: &str,
        text: &str,
    ) -> Result<()> {
        expect_errno(what, answer, errno)?;
        let comm = fs::read_to_string("/proc/self/comm")?;
        self.expect_line(&format!(
            "gate: {rule}: refused to pid {} ({}), uid 0, cgroup 1: {text}",
            std::process::id(),
            comm.trim_end()
        ))
        .with_context(|| what.to_owned())
    }

    /// Checks that it still stands.
    fn still_refuses_progs(&mut self) -> Result<()> {
        self.refuses(
            "an unsigned prog",
            unsigned_prog(),
            Errno::PERM,
            "progs",
            NOT_SIGNED,
        )
    }
}

fn expect_device(expected: &str) -> Result<()> {
    let seen = fs::read_to_string(DEVICE).context(DEVICE)?;
    ensure!(
        seen == expected,
        "{DEVICE}: expected {expected:?}, seen {seen:?}"
    );
    Ok(())
}

fn expect_errno<T>(what: &str, answer: Result<T, Errno>, errno: Errno) -> Result<()> {
    let seen = answer.map(drop);
    ensure!(
        seen == Err(errno),
        "{what}: expected {errno:?}, seen {seen:?}"
    );
    Ok(())
}

/// The errno of something.
fn errno_of<T>(answer: std::io::Result<T>) -> Result<T, Errno> {
    answer.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
}

fn unsigned_prog() -> Result<OwnedFd, Errno> {
    bpf::prog("unsigned", None).map_err(|error| {
        error
            .downcast_ref::<std::io::Error>()
            .and_then(Errno::from_io_error)
            .unwrap_or(Errno::INVAL)
    })
}

/// A loader prog, signed by the key of the tests.
fn signed_prog(keyring: i32) -> Result<Result<OwnedFd, Errno>> {
    let seen = load_from_user_space(true, true, &file("good")?, keyring)?;
    Ok(seen.map_err(|(errno, _)| errno))
}

/// What libbpf has given.
fn answer_of(ret: c_int) -> Result<OwnedFd, Errno> {
    match ret {
        ret if ret < 0 => Err(Errno::from_raw_os_error(-ret)),
        ret => bpf::owned(ret).map_err(|_| Errno::BADF),
    }
}

/// A system call without pointers.
fn syscall<const N: usize>(number: libc::c_long, args: [libc::c_long; N]) -> Result<i64, Errno> {
    let arg = |at: usize| args.get(at).copied().unwrap_or(0);
    // SAFETY: the callers pass no addresses but NULL.
    let ret = unsafe { libc::syscall(number, arg(0), arg(1), arg(2), arg(3), arg(4)) };
    match ret {
        -1 => errno_of(Err(std::io::Error::last_os_error())),
        ret => Ok(ret),
    }
}

fn open_for_writing(path: &str) -> Result<File, Errno> {
    errno_of(OpenOptions::new().read(true).write(true).open(path))
}

fn write_to(path: &str, text: &str) -> Result<(), Errno> {
    errno_of(fs::write(path, text))
}

pub fn gate_unloads_before_the_seal_and_leaves_nothing() -> Result<()> {
    need_bpf_lsm()?;
    drop(bpf::prog("first", None)?);
    let before = (fds()?, Ids::now());
    for _ in 0..3 {
        let gate = Gate::open("")?;
        expect_device("open\n")?;
        // Open: it refuses nothing.
        unsigned_prog().context("a prog before the seal")?;
        ensure!(
            fs::write(DEVICE, "0").is_err() && fs::write(DEVICE, "11").is_err(),
            "expected only 1 to be taken by {DEVICE}"
        );
        expect_device("open\n")?;
        rmmod("gate")?;
        drop(gate);
        expect_fds(&before.0, "rmmod gate")?;
        bpf::expect_nothing_since(&before.1, "rmmod gate")?;
        ensure!(!Path::new(DEVICE).exists(), "{DEVICE} is still there");
    }
    Ok(())
}

/// What of these ids can be had; the others have to be refused as if there was nothing.
fn had(ids: &std::collections::BTreeSet<u32>, get: impl Fn(u32) -> c_int) -> Result<Vec<OwnedFd>> {
    let mut had = Vec::new();
    for id in ids {
        match answer_of(get(*id)) {
            Ok(fd) => had.push(fd),
            Err(Errno::NOENT) => {}
            Err(errno) => bail!("id {id}: expected ENOENT or an fd, seen {errno:?}"),
        }
    }
    Ok(had)
}

pub fn gate_cannot_be_had_by_id_or_updated() -> Result<()> {
    need_bpf_lsm()?;
    drop(bpf::prog("first", None)?);
    let before = Ids::now();
    let mut gate = Gate::open("")?;
    let own = Ids::now().since(&before);
    ensure!(
        own.links.len() >= 8 && own.progs.len() >= 9 && own.maps.len() >= 4,
        "expected the gate's own, seen {own:?}"
    );
    mount_bpffs(MNT)?;
    pin::pin_iterators(Path::new(MNT), &["denials".parse()?])?;
    let other = bpf::iterator_of_links("other")?;
    let other_prog = bpf::prog_id("other")?;
    // SAFETY: a call without pointers.
    let other_prog = bpf::owned(unsafe { sys::bpf_prog_get_fd_by_id(other_prog) })?;
    let path = CString::new(format!("{MNT}/denials"))?;
    for sealed in [false, true] {
        if sealed {
            gate.seal()?;
        }
        // Its iterator, which only prints, and nothing else.
        // SAFETY: calls without pointers.
        let links = had(&own.links, |id| unsafe { sys::bpf_link_get_fd_by_id(id) })?;
        // SAFETY: as above.
        let progs = had(&own.progs, |id| unsafe { sys::bpf_prog_get_fd_by_id(id) })?;
        // SAFETY: as above.
        let maps = had(&own.maps, |id| unsafe { sys::bpf_map_get_fd_by_id(id) })?;
        ensure!(
            (links.len(), progs.len(), maps.len()) == (1, 1, 0),
            "sealed {sealed}: expected 1 link, 1 prog and 0 maps to be had, seen {}, {} and {}",
            links.len(),
            progs.len(),
            maps.len()
        );
        // SAFETY: the path ends with NUL.
        let pinned = answer_of(unsafe { sys::bpf_obj_get(path.as_ptr()) })?;
        for link in [&links[0], &pinned] {
            // SAFETY: calls without pointers.
            let detached = unsafe { sys::bpf_link_detach(link.as_raw_fd()) };
            ensure!(
                detached == -libc::EOPNOTSUPP,
                "detach: expected EOPNOTSUPP, seen {detached}"
            );
            // SAFETY: no options.
            let updated = unsafe {
                sys::bpf_link_update(link.as_raw_fd(), other_prog.as_raw_fd(), std::ptr::null())
            };
            if sealed {
                gate.refuses(
                    "an update",
                    answer_of(updated),
                    Errno::PERM,
                    "updates",
                    "update of a BPF link",
                )?;
            } else {
                ensure!(
                    updated == -libc::EINVAL,
                    "update: expected EINVAL, seen {updated}"
                );
            }
        }
    }
    // What the lines say.
    let last = *own.maps.last().context("a map")?;
    gate.said.clear();
    // SAFETY: a call without pointers.
    let answer = answer_of(unsafe { sys::bpf_map_get_fd_by_id(last) });
    let text = format!("id {last}, which is the gate's own");
    gate.refuses("a map", answer, Errno::NOENT, "own", &text)?;
    drop(other);
    gate.still_refuses_progs()
}

/// A copy of the gate by another name, which the kernel would load beside it.
fn second_gate() -> Result<String> {
    let mut file = fs::read(format!("{MODULE_DIR}/gate.ko"))?;
    // In its `struct module`, and in what modinfo(8) prints.
    let mut name = [0; 56];
    name[..4].copy_from_slice(b"gate");
    for (old, new) in [(&name[..], b"etag"), (&b"\0name=gate\0"[..], b"etag")] {
        let found: Vec<_> = (0..file.len() - old.len())
            .filter(|at| file[*at..].starts_with(old))
            .collect();
        ensure!(
            found.len() == 1,
            "expected one name of gate.ko, seen {found:?}"
        );
        let at = found[0] + old.windows(4).position(|four| four == b"gate").unwrap_or(0);
        file[at..at + 4].copy_from_slice(new);
    }
    let path = "/tmp/etag.ko";
    fs::write(path, file)?;
    Ok(path.to_owned())
}

pub fn gate_stays_and_lets_no_unsigned_module_in() -> Result<()> {
    let mut gate = Gate::open("")?;
    insmod(UNSIGNED)?.context("an unsigned module before the seal")?;
    rmmod("sockets")?;
    gate.seal()?;
    let unload = |flags| delete_module(c"gate", flags);
    expect_errno("rmmod", unload(o_nonblock()), Errno::AGAIN)?;
    gate.refuses(
        "rmmod -f",
        unload(o_nonblock() | libc::O_TRUNC),
        Errno::PERM,
        "unload",
        "forced unload of a module",
    )?;
    gate.refuses(
        "insmod",
        insmod(UNSIGNED)?,
        Errno::PERM,
        "modules",
        "module without a signature",
    )?;
    // Itself once more, and another that does the same.
    let again = format!("{MODULE_DIR}/gate.ko");
    for file in [again, second_gate()?] {
        gate.refuses(
            &file,
            insmod(&file)?,
            Errno::PERM,
            "modules",
            "module without a signature",
        )?;
    }
    let forced = File::open(UNSIGNED)?;
    // Without versions it is not what was signed.
    gate.refuses(
        "insmod -f",
        rustix::system::finit_module(&forced, c"", 1 | 2),
        Errno::PERM,
        "modules",
        "module without a signature",
    )?;
    gate.still_refuses_progs()
}

pub fn gate_refuses_progs_but_signed_ones() -> Result<()> {
    let (trusted, _) = keyring_with_key()?;
    let other = keyring("of root's own")?;
    add_key("asymmetric", "", &file("cert")?, other)?;
    let mut gate = Gate::sealed(&format!("keyring={trusted}"))?;
    gate.still_refuses_progs()?;
    let text = "BPF prog of type 31 without a trusted signature";
    if is_older()? {
        // Those of before 7.3 do not cover maps, and say nothing.
        let insns_alone = file("of_insns_alone")?;
        let seen = load_from_user_space(false, false, &insns_alone, trusted)?;
        let seen = seen.map_err(|(errno, _)| errno);
        return gate.refuses("a signed prog", seen, Errno::PERM, "progs", text);
    }
    signed_prog(trusted)?.context("a prog signed by a key of the trusted keyring")?;
    // Root can make keyrings, and put keys there.
    gate.refuses(
        "root's own key",
        signed_prog(other)?,
        Errno::PERM,
        "progs",
        text,
    )?;
    gate.still_refuses_progs()
}

pub fn gate_refuses_kernel_images_and_memory() -> Result<()> {
    let mut gate = Gate::open("")?;
    let mut devices = vec!["/dev/mem"];
    // Debian's kernels for clouds have no CONFIG_DEVPORT.
    if cfg!(target_arch = "x86_64") && !release().contains("-cloud-") {
        devices.push("/dev/port");
    }
    // They are there, and open before the seal.
    for path in &devices {
        open_for_writing(path).with_context(|| format!("{path} before the seal"))?;
    }
    File::open("/proc/kcore").context("/proc/kcore before the seal")?;
    let kexec = || syscall(libc::SYS_kexec_load, [0; 4]);
    kexec().context("unloading a kernel image before the seal")?;
    gate.seal()?;
    let text = "memory of the kernel (lockdown reason ";
    for path in devices {
        let text = format!("{text}2)");
        gate.refuses(path, open_for_writing(path), Errno::PERM, "memory", &text)?;
    }
    for writing in [false, true] {
        let opened = OpenOptions::new()
            .read(true)
            .write(writing)
            .open("/proc/kcore");
        let text = format!("{text}22)");
        gate.refuses(
            "/proc/kcore",
            errno_of(opened),
            Errno::PERM,
            "memory",
            &text,
        )?;
    }
    gate.refuses(
        "kexec_load",
        kexec(),
        Errno::PERM,
        "kexec",
        "kernel image without a signature",
    )?;
    // Ports, and with them what is on the bus.
    #[cfg(target_arch = "x86_64")]
    {
        let text = format!("{text}7)");
        let ports = syscall(libc::SYS_iopl, [3, 0, 0, 0]);
        gate.refuses("iopl", ports, Errno::PERM, "memory", &text)?;
    }
    gate.still_refuses_progs()
}

/// The start of an image that the kernel takes for one of Linux until it looks further: the fields of
/// Documentation/arch/x86/boot.rst that it looks at.
fn kernel_image() -> Vec<u8> {
    let mut image = vec![0; 64 << 10];
    for (at, bytes) in [
        (0x1f1, &[1][..]),                  // setup_sects
        (0x1fe, &[0x55, 0xaa]),             // boot_flag
        (0x202, b"HdrS"),                   // header
        (0x206, &[0x0f, 0x02]),             // version
        (0x211, &[1]),                      // loadflags: LOADED_HIGH
        (0x236, &[0x6f, 0]),                // xloadflags: 64 bits, above 4 GiB, 5 levels
        (0x230, &[0, 0, 0x20, 0]),          // kernel_alignment
        (0x260, &[0, 0, 0x10, 0]),          // init_size
        (0x238, &[0xff, 0x07, 0, 0]),       // cmdline_size
        (0x22c, &[0xff, 0xff, 0xff, 0x7f]), // initrd_addr_max
    ] {
        image[at..at + bytes.len()].copy_from_slice(bytes);
    }
    image
}

/// Without an initramfs and a command line.
fn kexec_file_load(image: libc::c_long, flags: libc::c_long) -> Result<i64, Errno> {
    syscall(SYS_KEXEC_FILE_LOAD, [image, -1, 0, 0, flags])
}

pub fn gate_refuses_unsigned_kernel_images() -> Result<()> {
    const KEXEC_FILE_UNLOAD: libc::c_long = 1;
    const KEXEC_FILE_NO_INITRAMFS: libc::c_long = 4;

    if cfg!(not(target_arch = "x86_64")) {
        return Err(Skip("the image is one of x86".into()).into());
    }
    let mut gate = Gate::open("")?;
    let path = "/tmp/image";
    fs::write(path, kernel_image())?;
    let image = File::open(path)?;
    let load = || kexec_file_load(image.as_raw_fd().into(), KEXEC_FILE_NO_INITRAMFS);
    // Without a signature, and taken: it can be left as it is not enforced.
    match load() {
        Err(Errno::NOSYS) => return Err(Skip("no CONFIG_KEXEC_FILE".into()).into()),
        seen => seen.context("an unsigned kernel image before the seal")?,
    };
    kexec_file_load(-1, KEXEC_FILE_UNLOAD).context("unloading it")?;
    gate.seal()?;
    gate.refuses(
        "kexec_file_load",
        load(),
        Errno::PERM,
        "kexec",
        "kernel image without a signature",
    )?;
    gate.still_refuses_progs()
}

pub fn gate_refuses_kprobes_and_lives_with_ftrace() -> Result<()> {
    let mut gate = Gate::open("")?;
    mount_tracing()?;
    let probes = format!("{TRACING}/kprobe_events");
    let function = "bpf_lsm_bpf_prog_load";
    let probe = format!("p:on_the_gate {function}");
    write_to(&probes, &probe).context("a kprobe before the seal")?;
    write_to(&probes, "")?;
    gate.seal()?;
    gate.refuses(
        "a kprobe",
        write_to(&probes, &probe),
        Errno::PERM,
        "kprobes",
        "kprobe",
    )?;
    // To watch its functions does not take it off them.
    for (file, text) in [
        ("set_ftrace_filter", "bpf_lsm_*"),
        ("current_tracer", "function"),
    ] {
        write_to(&format!("{TRACING}/{file}"), text).with_context(|| file)?;
    }
    gate.still_refuses_progs()?;
    write_to(&format!("{TRACING}/current_tracer"), "nop")?;
    write_to(&format!("{TRACING}/tracing_on"), "0")?;
    gate.still_refuses_progs()?;
    let off = write_to("/proc/sys/kernel/ftrace_enabled", "0");
    if is_older()? {
        let text = "write to ftrace_enabled";
        gate.refuses("ftrace off", off, Errno::PERM, "own", text)?;
    } else {
        expect_errno("ftrace off", off, Errno::OPNOTSUPP)?;
    }
    gate.still_refuses_progs()
}

/// Starts something in a process of its own.
fn fork(body: impl FnOnce() -> Result<()>) -> Result<Pid> {
    // SAFETY: this process has one thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let done = body().inspect_err(|error| eprintln!("guest: {error:#}"));
        // SAFETY: it ends at once.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    Pid::from_raw(pid).context("fork")
}

/// Waits until it has ended well.
fn wait_for(child: Pid) -> Result<()> {
    let ended = waitpid(Some(child), WaitOptions::empty())?;
    let status = ended.and_then(|(_, status)| status.exit_status());
    ensure!(status == Some(0), "a child: its message is on the console");
    Ok(())
}

/// Runs something in a process of its own.
fn in_fork(body: impl FnOnce() -> Result<()>) -> Result<()> {
    wait_for(fork(body)?)
}

/// A process of a user that waits to be killed.
struct Waiting(Pid);

impl Waiting {
    fn of(uid: u32) -> Result<Self> {
        // SAFETY: this process has one thread; the child makes system calls only.
        let pid = unsafe {
            let pid = libc::fork();
            if pid == 0 {
                libc::setuid(uid);
                // As a program that this user has started: other than that, only who may trace the
                // namespace that this one comes from may trace it.
                libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0);
                loop {
                    libc::pause();
                }
            }
            pid
        };
        let waiting = Waiting(Pid::from_raw(pid).context("fork")?);
        let status = format!("/proc/{pid}/status");
        eventually(|| {
            let status = fs::read_to_string(&status)?;
            ensure!(status.contains(&format!("Uid:\t{uid}\t")), "{status}");
            Ok(())
        })?;
        Ok(waiting)
    }

    fn number(&self) -> libc::c_long {
        self.0.as_raw_nonzero().get().into()
    }

    fn attach(&self) -> Result<i64, Errno> {
        let call = |request| syscall(libc::SYS_ptrace, [request, self.number(), 0, 0]);
        call(libc::PTRACE_SEIZE.into())?;
        call(libc::PTRACE_INTERRUPT.into())?;
        let _ = waitpid(Some(self.0), WaitOptions::empty());
        call(libc::PTRACE_DETACH.into())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = kill_process(self.0, Signal::KILL);
        let _ = waitpid(Some(self.0), WaitOptions::empty());
    }
}

pub fn gate_refuses_processes_of_other_users() -> Result<()> {
    let mut gate = Gate::open("")?;
    let (user, root) = (Waiting::of(1000)?, Waiting::of(0)?);
    let pidfd = pidfd_open(user.0, PidfdFlags::empty())?;
    let getfd = || pidfd_getfd(&pidfd, 1, PidfdGetfdFlags::empty());
    let memory = format!("/proc/{}/mem", user.number());
    user.attach().context("attaching before the seal")?;
    getfd().context("an fd before the seal")?;
    open_for_writing(&memory).context("memory before the seal")?;
    gate.seal()?;
    let text = format!("process {} of another user", user.number());
    let mut refuses = |what: &str, answer: Result<(), Errno>, errno| {
        gate.refuses(what, answer, errno, "ptrace", &text)
    };
    refuses("attach", user.attach().map(drop), Errno::PERM)?;
    refuses("pidfd_getfd", getfd().map(drop), Errno::PERM)?;
    refuses("mem", open_for_writing(&memory).map(drop), Errno::ACCESS)?;
    // Root's own, and what ps reads.
    root.attach().context("a process of root")?;
    fs::read_to_string(format!("/proc/{}/stat", user.number()))?;
    fs::read_link(format!("/proc/{}/exe", user.number()))?;
    gate.still_refuses_progs()
}

pub fn gate_does_not_open_again() -> Result<()> {
    let mut gate = Gate::sealed("")?;
    for text in ["0", "open", ""] {
        let _ = fs::write(DEVICE, text);
        expect_device("sealed\n")?;
    }
    fs::write(DEVICE, "1").context("sealing it again")?;
    // It has no parameters that could be written.
    ensure!(
        !Path::new("/sys/module/gate/parameters").exists(),
        "expected no parameters in sysfs"
    );
    for (name, value) in [
        ("kernel/unprivileged_bpf_disabled", "2"),
        ("kernel/bpf_stats_enabled", "1"),
        ("net/core/bpf_jit_harden", "2"),
        ("net/core/bpf_jit_enable", "0"),
        ("kernel/perf_event_paranoid", "-1"),
        ("kernel/kptr_restrict", "0"),
        ("kernel/modules_disabled", "1"),
    ] {
        let path = format!("/proc/sys/{name}");
        write_to(&path, value).with_context(|| path.clone())?;
        let seen = fs::read_to_string(&path)?;
        ensure!(
            seen.trim_end() == value,
            "{path}: expected {value}, seen {seen:?}"
        );
        gate.still_refuses_progs().with_context(|| path)?;
    }
    // All that can be killed, the kernel's threads asked one by one.
    let children = [Waiting::of(0)?, Waiting::of(1000)?];
    syscall(libc::SYS_kill, [-1, libc::SIGKILL.into(), 0, 0])?;
    for child in children {
        let ended = waitpid(Some(child.0), WaitOptions::empty())?;
        let signal = ended.and_then(|(_, status)| status.terminating_signal());
        ensure!(
            signal == Some(libc::SIGKILL),
            "expected a child killed, seen {signal:?}"
        );
        std::mem::forget(child);
    }
    let mut asked = 0;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) {
            if pid != 1 {
                let pid = Pid::from_raw(pid).context("a pid")?;
                // One of a worker that has gone since is no process any more.
                match kill_process(pid, Signal::KILL) {
                    Ok(()) => asked += 1,
                    Err(Errno::SRCH) => {}
                    Err(errno) => bail!("killing {pid:?}: {errno}"),
                }
            }
        }
    }
    ensure!(
        asked > 10,
        "expected the kernel's threads in /proc, seen {asked}"
    );
    gate.still_refuses_progs()?;
    expect_errno(
        "rmmod",
        delete_module(c"gate", o_nonblock()),
        Errno::PERM, // By modules_disabled.
    )
}

/// The file of the counts.
fn counts() -> Result<Vec<(String, u64)>> {
    fs::read_to_string(format!("{MNT}/denials"))?
        .lines()
        .map(|line| {
            let (rule, count) = line.split_once(' ').context("a row of the counts")?;
            Ok((rule.to_owned(), count.trim().parse()?))
        })
        .collect()
}

pub fn gate_counts_in_a_file_and_tells_dmesg_a_little_at_a_time() -> Result<()> {
    const DENIALS: u64 = 300;

    let mut gate = Gate::sealed("")?;
    let pin = || pin::pin_iterators(Path::new(MNT), &["denials".parse()?]);
    mount_bpffs(MNT)?;
    pin()?;
    let rules = [
        "progs", "modules", "kexec", "memory", "kprobes", "ptrace", "updates", "own", "unload",
    ];
    let before = counts()?;
    ensure!(
        before.iter().map(|(rule, _)| rule).eq(&rules),
        "expected {rules:?}, seen {before:?}"
    );
    gate.messages.new_lines()?;
    let start = Instant::now();
    for _ in 0..DENIALS {
        expect_errno("a prog", unsigned_prog(), Errno::PERM)?;
    }
    let after = counts()?;
    ensure!(
        after[0].1 == before[0].1 + DENIALS && after[1] == before[1],
        "expected {DENIALS} more of progs, seen {before:?}, then {after:?}"
    );
    let (mut told, mut more, mut fast) = (0, 0, false);
    eventually(|| {
        for line in gate.messages.new_lines()? {
            told += u64::from(line.contains(NOT_SIGNED));
            more += line
                .strip_prefix("gate: ")
                .and_then(|line| line.strip_suffix(" more were refused, which the counts have"))
                .map_or(Ok(0), str::parse::<u64>)?;
        }
        // Eight each half second, and those of the turn that has begun.
        fast |= told > 8 * (start.elapsed().as_millis() as u64 / 500 + 2);
        ensure!(
            told + more == DENIALS && more > 0,
            "expected {DENIALS} told, seen {told} and {more} more"
        );
        Ok(())
    })?;
    ensure!(!fast, "expected eight lines a turn, seen more");
    // Without its file it goes on counting, and the file can be had again.
    fs::remove_file(format!("{MNT}/denials"))?;
    umount(MNT)?;
    expect_errno("a prog", unsigned_prog(), Errno::PERM)?;
    mount_bpffs(MNT)?;
    pin()?;
    let again = counts()?;
    ensure!(
        again[0].1 == after[0].1 + 1,
        "expected one more than {after:?}, seen {again:?}"
    );
    Ok(())
}

/// Becomes root of a user namespace with the same users. One of them outside has to say which.
fn new_user_namespace() -> Result<()> {
    let own = std::process::id();
    let (waits, starts) = rustix::pipe::pipe()?;
    let helper = fork(|| {
        rustix::io::read(&waits, &mut [0])?;
        for map in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{own}/{map}"), "0 0 65536")?;
        }
        Ok(())
    })?;
    // SAFETY: new namespaces leave the fd table alone.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)? };
    rustix::io::write(&starts, b"1")?;
    wait_for(helper).context("the maps of users")
}

pub fn gate_holds_in_a_user_namespace() -> Result<()> {
    let mut gate = Gate::open("")?;
    // What the kernel alone lets root of a namespace do: processes of the namespace's other users.
    in_fork(|| {
        new_user_namespace()?;
        let user = Waiting::of(1000)?;
        user.attach().context("attaching before the seal")?;
        Ok(())
    })?;
    gate.seal()?;
    in_fork(|| {
        new_user_namespace()?;
        let user = Waiting::of(1000)?;
        let text = format!("process {} of another user", user.number());
        gate.refuses("attach", user.attach(), Errno::PERM, "ptrace", &text)?;
        // This it refuses itself, before the gate is asked.
        expect_errno("a prog", unsigned_prog(), Errno::PERM)?;
        let unload = delete_module(c"gate", o_nonblock() | libc::O_TRUNC);
        expect_errno("rmmod -f", unload, Errno::PERM)?;
        expect_errno("writing 0", write_to(DEVICE, "0"), Errno::INVAL)
    })?;
    expect_device("sealed\n")?;
    gate.still_refuses_progs()
}

pub fn gate_holds_in_another_root() -> Result<()> {
    const NEW: &str = "/tmp/root";

    let mut gate = Gate::sealed("")?;
    in_fork(|| {
        // As switch_root(8) leaves an initramfs, but that this one's files stay for the test.
        // SAFETY: a new namespace leaves the fd table alone.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS)? };
        fs::create_dir_all(NEW)?;
        mount("tmpfs", NEW, "tmpfs", MountFlags::empty(), None)?;
        for folder in ["/dev", "/proc", "/sys"] {
            let to = format!("{NEW}{folder}");
            fs::create_dir(&to)?;
            rustix::mount::mount_move(folder, to)?;
        }
        std::env::set_current_dir(NEW)?;
        rustix::mount::mount_move(NEW, "/")?;
        rustix::process::chroot(".")?;
        std::env::set_current_dir("/")?;
        ensure!(
            !Path::new(MODULE_DIR).exists(),
            "expected another root, seen {MODULE_DIR}"
        );
        expect_errno("writing 0", write_to(DEVICE, "0"), Errno::INVAL)?;
        expect_device("sealed\n")?;
        expect_errno("rmmod", delete_module(c"gate", o_nonblock()), Errno::AGAIN)?;
        gate.still_refuses_progs()
    })?;
    gate.still_refuses_progs()
}

/// A prog that has the kernel load another, as loader progs do. Gives that one's fd.
fn loader_prog() -> Result<OwnedFd> {
    const SIZE: i16 = 120;
    const LICENSE_AT: i32 = 64;

    let opts = sys::bpf_map_create_opts {
        sz: size_of::<sys::bpf_map_create_opts>() as _,
        ..Default::default()
    };
    let map = MapHandle::create(MapType::Array, Some("loader"), 4, 128, 1, &opts)?;
    let mut text = [0; 128];
    for (at, insn) in bpf::returning(0).iter().enumerate() {
        text[at * 8] = insn.code;
        text[at * 8 + 4..at * 8 + 8].copy_from_slice(&insn.imm.to_ne_bytes());
    }
    text[LICENSE_AT as usize..][..3].copy_from_slice(b"GPL");
    map.update(&0_u32.to_ne_bytes(), &text, MapFlags::ANY)?;
    let insn = |code: u32, dst: u8, src: u8, off, imm| {
        let mut insn = sys::bpf_insn {
            code: code as u8,
            off,
            imm,
            ..Default::default()
        };
        insn.set_dst_reg(dst);
        insn.set_src_reg(src);
        insn
    };
    let store = sys::BPF_ST | sys::BPF_MEM;
    let mov = sys::BPF_ALU64 | sys::BPF_MOV;
    let value = |at| {
        let load = sys::BPF_LD | sys::BPF_DW | sys::BPF_IMM;
        let fd = map.as_fd().as_raw_fd();
        [
            insn(load, 1, sys::BPF_PSEUDO_MAP_VALUE as u8, 0, fd),
            insn(0, 0, 0, 0, at),
        ]
    };
    let keep = |off| insn(sys::BPF_STX | sys::BPF_MEM | sys::BPF_DW, 10, 1, off, 0);
    // `union bpf_attr`, on its stack.
    let mut insns: Vec<_> = (0..SIZE / 8)
        .map(|word| insn(store | sys::BPF_DW, 10, 0, word * 8 - SIZE, 0))
        .collect();
    let socket_filter = sys::BPF_PROG_TYPE_SOCKET_FILTER as i32;
    insns.extend([
        insn(store | sys::BPF_W, 10, 0, -SIZE, socket_filter),
        insn(store | sys::BPF_W, 10, 0, 4 - SIZE, 2),
    ]);
    insns.extend(value(0));
    insns.push(keep(8 - SIZE));
    insns.extend(value(LICENSE_AT));
    insns.push(keep(16 - SIZE));
    insns.extend([
        insn(mov | sys::BPF_K, 1, 0, 0, sys::BPF_PROG_LOAD as i32),
        insn(mov | sys::BPF_X, 2, 10, 0, 0),
        insn(
            sys::BPF_ALU64 | sys::BPF_ADD | sys::BPF_K,
            2,
            0,
            0,
            (-SIZE).into(),
        ),
        insn(mov | sys::BPF_K, 3, 0, 0, SIZE.into()),
        insn(
            sys::BPF_JMP | sys::BPF_CALL,
            0,
            0,
            0,
            sys::BPF_FUNC_sys_bpf as i32,
        ),
        insn(sys::BPF_JMP | sys::BPF_EXIT, 0, 0, 0, 0),
    ]);
    let mut opts = sys::bpf_prog_load_opts {
        sz: size_of::<sys::bpf_prog_load_opts>() as _,
        prog_flags: sys::BPF_F_SLEEPABLE,
        ..Default::default()
    };
    bpf::load_prog(sys::BPF_PROG_TYPE_SYSCALL, "loader", &insns, &mut opts)
}

/// Runs a prog: gives what it returns.
fn run(prog: &OwnedFd) -> Result<c_int, Errno> {
    let mut ctx = [0_u64; 8];
    let mut opts = sys::bpf_test_run_opts {
        sz: size_of::<sys::bpf_test_run_opts>() as _,
        ctx_in: ctx.as_mut_ptr().cast(),
        ctx_size_in: size_of_val(&ctx) as u32,
        ..Default::default()
    };
    // SAFETY: `opts` has the size that it says, and it and the context are live.
    let error = unsafe { sys::bpf_prog_test_run_opts(prog.as_raw_fd(), &mut opts) };
    match error {
        0 => Ok(opts.retval as c_int),
        _ => Err(Errno::from_raw_os_error(-error)),
    }
}

pub fn gate_runs_no_loader_from_before_the_seal() -> Result<()> {
    let (trusted, _) = keyring_with_key()?;
    let mut gate = Gate::open(&format!("keyring={trusted}"))?;
    let loader = loader_prog()?;
    let load = || run(&loader).and_then(answer_of);
    drop(load().context("a prog that a prog loads before the seal")?);
    gate.seal()?;
    let text = "BPF prog of type 31 without a trusted signature";
    gate.refuses("the loader", load(), Errno::PERM, "progs", text)?;
    if !is_older()? {
        let signed = signed_prog(trusted)?.context("a signed prog")?;
        run(&signed).context("running a signed prog")?;
    }
    // Nor while a thread can put it where something else was. Last, as one that has been waited
    // for still shares the fds for a moment.
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                std::thread::yield_now();
            }
        });
        let text = "BPF prog run by fds that another task shares";
        let seen = gate.refuses("in two threads", load(), Errno::PERM, "progs", text);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        seen
    })?;
    gate.still_refuses_progs()
}

pub fn gate_lets_signed_modules_in() -> Result<()> {
    let mut gate = Gate::sealed("")?;
    insmod(&format!("{MODULE_DIR}/signed.ko"))?.context("a module with a signature")?;
    // And what it has the kernel load.
    mount_bpffs(MNT)?;
    bpf::expect_both_files(MNT)?;
    umount(MNT)?;
    gate.refuses(
        "insmod",
        insmod(UNSIGNED)?,
        Errno::PERM,
        "modules",
        "module without a signature",
    )
}

/// More instructions than the gate adds to a call, beside the hundredth by which two runs differ.
const LIMIT: u64 = 1000;

/// Instructions of this thread and of its children that have ended.
fn instructions_so_far() -> Result<u64> {
    // SAFETY: all zeroes are one.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: it is live.
    let error = unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage) };
    ensure!(error == 0, "getrusage: {}", std::io::Error::last_os_error());
    let own = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = own.tv_sec + usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    let micros = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    Ok((seconds * 1_000_000_000 + micros * 1000 + own.tv_nsec) as u64)
}

/// Something that everyone calls all the time.
struct Call {
    name: &'static str,
    run: fn() -> Result<()>,
    times: u64,
}

impl Call {
    const ALL: [Call; 4] = [
        Call {
            name: "open(2) and close(2)",
            run: || {
                File::open("/proc/self/exe")?;
                Ok(())
            },
            times: 200,
        },
        Call {
            name: "a program from fork(2) and execve(2) to its end",
            run: || {
                let status = Command::new("/proc/self/exe")
                    .arg("no such mode")
                    .status()?;
                ensure!(status.code() == Some(2), "expected 2, seen {status}");
                Ok(())
            },
            times: 10,
        },
        Call {
            name: "mmap(2) and munmap(2)",
            run: || {
                // SAFETY: a new mapping, which nothing uses.
                unsafe {
                    let at = mmap_anonymous(
                        std::ptr::null_mut(),
                        4096,
                        ProtFlags::READ,
                        MmapFlags::PRIVATE,
                    )?;
                    munmap(at, 4096)?;
                }
                Ok(())
            },
            times: 200,
        },
        Call {
            name: "bpf(2), an id of a link that is none",
            run: || {
                // SAFETY: a call without pointers.
                let answer = answer_of(unsafe { sys::bpf_link_get_fd_by_id(u32::MAX / 2) });
                expect_errno("a link", answer, Errno::NOENT)
            },
            times: 200,
        },
    ];

    /// Instructions of one.
    fn cost(&self) -> Result<u64> {
        let mut costs = Vec::new();
        for _ in 0..5 {
            let start = instructions_so_far()?;
            for _ in 0..self.times {
                (self.run)()?;
            }
            costs.push((instructions_so_far()? - start) / self.times);
        }
        costs.sort_unstable();
        Ok(costs[2])
    }
}

pub fn gate_costs_this_much() -> Result<()> {
    let calls = Call::ALL;
    let mut figures = vec![Vec::new(); calls.len()];
    need_bpf_lsm()?;
    drop(bpf::prog("first", None)?);
    let mut measure = || -> Result<()> {
        for (call, figures) in calls.iter().zip(&mut figures) {
            figures.push(call.cost()?);
        }
        Ok(())
    };
    // The first of all is cold.
    measure()?;
    measure()?;
    let mut gate = Gate::open("")?;
    measure()?;
    gate.seal()?;
    measure()?;
    note("| call | without | open | sealed |");
    for (call, figures) in calls.iter().zip(&figures) {
        let [_, without, open, sealed] = figures[..] else {
            bail!("expected four figures, seen {figures:?}");
        };
        note(&format!(
            "| {} | {without} | {open} | {sealed} |",
            call.name
        ));
        ensure!(
            sealed <= without + without / 100 + LIMIT,
            "{}: expected at most {LIMIT} instructions and a hundredth over {without}, seen {sealed}",
            call.name
        );
    }
    Ok(())
}

pub fn gate_lets_everyday_life_go_on() -> Result<()> {
    let (keyring, _) = keyring_with_key()?;
    load()?;
    mount_bpffs(MNT)?;
    let mut gate = Gate::sealed(&format!("keyring={keyring}"))?;
    // Files, processes, mounts, maps, what others have loaded.
    fs::write("/tmp/file", "text")?;
    let mut text = String::new();
    File::open("/tmp/file")?.read_to_string(&mut text)?;
    ensure!(text == "text", "expected text, seen {text:?}");
    let status = Command::new("/proc/self/exe")
        .arg("no such mode")
        .status()?;
    ensure!(status.code() == Some(2), "expected 2, seen {status}");
    fs::create_dir_all("/tmp/other")?;
    mount("tmpfs", "/tmp/other", "tmpfs", MountFlags::empty(), None)?;
    umount("/tmp/other")?;
    bpf::expect_both_files(MNT)?;
    bpf::hash_map("a_map", 4, 4)?;
    let listed = fs::read_to_string(format!("{MNT}/progs.debug"))?;
    ensure!(
        listed.contains("own_prog"),
        "expected the gate's progs to be listed, seen {listed}"
    );
    let debugfs = mount_debugfs()?;
    fs::read_to_string(format!("{debugfs}/devices_deferred"))
        .context("a file of debugfs that all may read")?;
    if !is_older()? {
        signed_prog(keyring)?.context("a signed prog")?;
    }
    // An ordinary rmmod.
    umount(MNT)?;
    crate::kernel::unload()?;
    // Nothing of this was refused: lines come in the order of the denials.
    gate.still_refuses_progs()?;
    let refused: Vec<_> = gate
        .before
        .iter()
        .filter(|line| line.contains("refused"))
        .collect();
    ensure!(
        refused.len() == 1,
        "expected the last prog refused and nothing else, seen {refused:?}"
    );
    Ok(())
}

pub fn gate_leaves_out_the_rules_that_it_is_told_to() -> Result<()> {
    let mut gate = Gate::sealed("progs=0 modules=0 kexec=0 memory=0 kprobes=0 ptrace=0 updates=0")?;
    unsigned_prog().context("a prog")?;
    insmod(UNSIGNED)?.context("a module")?;
    rmmod("sockets")?;
    syscall(libc::SYS_kexec_load, [0; 4]).context("a kernel image")?;
    open_for_writing("/dev/mem").context("/dev/mem")?;
    mount_tracing()?;
    write_to(&format!("{TRACING}/kprobe_events"), "p:one vfs_read").context("a kprobe")?;
    write_to(&format!("{TRACING}/kprobe_events"), "")?;
    Waiting::of(1000)?.attach().context("a process")?;
    // Itself it does not leave out.
    gate.refuses(
        "rmmod -f",
        delete_module(c"gate", o_nonblock() | libc::O_TRUNC),
        Errno::PERM,
        "unload",
        "forced unload of a module",
    )
}

pub fn gate_is_not_sealed_with_rescue() -> Result<()> {
    need_bpf_lsm()?;
    let path = format!("{MODULE_DIR}/gate.ko");
    expect_errno(
        "sealed and rescue",
        insmod_with(&path, c"seal=1 rescue=1")?,
        Errno::PERM,
    )?;
    let mut gate = Gate::open("rescue=1")?;
    expect_errno("sealing it", write_to(DEVICE, "1"), Errno::PERM)?;
    gate.expect_line("gate: rescue=1: not sealed")?;
    expect_device("open\n")?;
    unsigned_prog().context("a prog")?;
    rmmod("gate")
}

pub fn gate_says_when_no_prog_is_asked() -> Result<()> {
    let seen = insmod(&format!("{MODULE_DIR}/gate.ko"))?;
    expect_errno("insmod", seen, Errno::NODEV)?;
    let line = "gate: progs are not asked: the kernel's command line needs lsm=...,bpf";
    let lines = dmesg()?;
    // The kernel writes what is not ASCII its own way.
    ensure!(
        lines
            .iter()
            .any(|seen| seen.starts_with("gate: progs are not asked")),
        "expected {line:?}, seen {lines:?}"
    );
    Ok(())
}

/// Has bpftool load an object, for a file in bpffs.
fn load_object(name: &str) -> Result<Output> {
    mount_bpffs(MNT)?;
    let (object, file) = (format!("{OBJECTS_DIR}/{name}.o"), format!("{MNT}/{name}"));
    Command::new(BPFTOOL)
        .args(["prog", "load", &object, &file])
        .output()
        .context(BPFTOOL)
}

pub fn no_timer_loads_progs() -> Result<()> {
    let output = load_object("loads_by_timer")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let why = if is_real_time()? {
        "bpf_timer cannot be used for PREEMPT_RT"
    } else {
        "sleepable helper bpf_sys_bpf"
    };
    ensure!(
        !output.status.success() && said.contains(why),
        "expected {why:?} of the verifier, seen {output:?}"
    );
    Ok(())
}

pub fn gate_cannot_end_work_from_before_the_seal() -> Result<()> {
    let mut gate = Gate::open("")?;
    let output = load_object("loads_by_work")?;
    ensure!(output.status.success(), "bpftool: {output:?}");
    let path = CString::new(format!("{MNT}/loads_by_work"))?;
    // SAFETY: the path ends with NUL.
    let prog = answer_of(unsafe { sys::bpf_obj_get(path.as_ptr()) })?;
    // Nothing is done for a map that user space does not hold.
    let _jobs = MapHandle::from_map_id(bpf::map_info("jobs")?.id)?;
    let answer = run(&prog)?;
    ensure!(answer == 0, "starting work: expected 0, seen {answer}");
    gate.seal()?;
    expect_errno("starting it", run(&prog), Errno::PERM)?;
    let globals = bpf::map_info("loads_by.bss")?.id;
    let globals = MapHandle::from_map_id(globals)?;
    let zero = 0_u32.to_ne_bytes();
    let mut value = globals.lookup(&zero, MapFlags::ANY)?.context("a value")?;
    // `go` comes first.
    value[..4].copy_from_slice(&1_u32.to_ne_bytes());
    globals.update(&zero, &value, MapFlags::ANY)?;
    let number = |name| -> Result<i32> {
        let bytes = bpf::global("loads_by.bss", name)?;
        Ok(i32::from_ne_bytes(
            bytes.try_into().ok().context("4 bytes")?,
        ))
    };
    let mut pid = 0;
    eventually(|| {
        pid = number("pid")?;
        ensure!(pid != 0, "the work is not done yet");
        Ok(())
    })?;
    let answer = number("answer")?;
    ensure!(answer >= 0, "expected an fd, seen {answer}");
    let comm = fs::read_to_string(format!("/proc/{pid}/comm"))?;
    ensure!(
        comm.starts_with("kworker"),
        "expected a worker, seen {comm}"
    );
    gate.still_refuses_progs()
}

/// KiB of memory that could be had.
fn available() -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(number.context("MemAvailable")?.parse()?)
}

/// A process that holds memory: `take` gives it. The kernel ends those with a high `score` first.
fn hog(score: &str, take: impl FnOnce() -> Result<Vec<Vec<u8>>>) -> Result<Waiting> {
    let hog = fork(|| {
        fs::write("/proc/self/oom_score_adj", score)?;
        let held = take()?;
        // Says that it has it, and keeps it.
        kill_process(getpid(), Signal::STOP)?;
        drop(held);
        Ok(())
    })?;
    waitpid(Some(hog), WaitOptions::UNTRACED)?;
    Ok(Waiting(hog))
}

pub fn gate_attaches_whole_or_not_at_all_when_memory_is_short() -> Result<()> {
    need_bpf_lsm()?;
    drop(bpf::prog("first", None)?);
    let path = format!("{MODULE_DIR}/gate.ko");
    let before = (fds()?, Ids::now());
    // Maps and progs of the loader go a moment later.
    let links = || Ids::now().since(&before.1).links.len();
    insmod(&path)?.context("with memory")?;
    let whole = links();
    rmmod("gate")?;
    bpf::expect_nothing_since(&before.1, "rmmod gate")?;
    let mut ends = [0; 3];
    // All but a little, and then more.
    let mut hogs = vec![hog("-900", || {
        let mut held = Vec::new();
        while let more @ 1.. = available()?.saturating_sub(16 << 10) {
            held.push(vec![1; (more as usize) << 10]);
        }
        Ok(held)
    })?];
    for round in 0..40 {
        // What is no longer there in large pieces goes in small ones.
        let size = [2 << 20, 256 << 10][round % 2];
        hogs.push(hog("500", || Ok(vec![vec![1; size]]))?);
        // The kernel takes this one for what has to end.
        let insmod = fork(|| {
            fs::write("/proc/self/oom_score_adj", "1000")?;
            insmod(&path)?.context("insmod")
        })?;
        let ended = waitpid(Some(insmod), WaitOptions::empty())?;
        let (_, status) = ended.context("insmod")?;
        let is_loaded = Path::new("/sys/module/gate").exists();
        ensure!(
            is_loaded || status.exit_status() != Some(0),
            "round {round}: insmod has succeeded and there is no gate"
        );
        if is_loaded {
            ensure!(
                links() == whole && Path::new(DEVICE).exists(),
                "round {round}: expected {whole} links and {DEVICE}, seen {}",
                links()
            );
            rmmod("gate")?;
        }
        bpf::expect_nothing_since(&before.1, "a round")?;
        expect_fds(&before.0, "a round")?;
        let end = match status.terminating_signal() {
            _ if is_loaded => 0,
            None => 1,
            Some(_) => 2,
        };
        ends[end] += 1;
        note(&format!(
            "round {round}: {}",
            ["loaded", "refused", "insmod killed"][end]
        ));
        if ends[1] + ends[2] == 3 {
            break;
        }
    }
    let [loaded, refused, killed] = ends;
    note(&format!(
        "loaded {loaded} times, refused {refused}, insmod killed {killed}"
    ));
    ensure!(
        loaded > 0 && refused + killed > 0,
        "expected both ends, seen {ends:?}"
    );
    Ok(())
}

/// Built in, that `text` was said before init was run.
pub fn expect_before_init(text: &str) -> Result<()> {
    let lines = dmesg()?;
    let line = |text: &str| {
        let at = lines.iter().position(|line| line.contains(text));
        at.with_context(|| format!("expected a message with {text:?}, seen none"))
    };
    ensure!(
        line(text)? < line("Run /init as init process")?,
        "expected {text:?} before init is run, seen the other order"
    );
    Ok(())
}

pub fn gate_is_sealed_before_init_which_obeys_it() -> Result<()> {
    expect_before_init("gate: sealed")?;
    expect_device("sealed\n")?;
    ensure!(std::process::id() == 1, "expected to be init");
    let mut gate = Gate {
        messages: Messages::from_now()?,
        said: Vec::new(),
        before: Vec::new(),
    };
    gate.still_refuses_progs()?;
    // That rule is left out by Kconfig.
    Waiting::of(1000)?.attach().context("a process of a user")?;
    gate.still_refuses_progs()
}

pub fn gate_is_not_there_before_init_with_rescue() -> Result<()> {
    expect_before_init("gate: rescue=1: not sealed")?;
    ensure!(!Path::new(DEVICE).exists(), "expected no {DEVICE}");
    unsigned_prog().context("a prog")?;
    Ok(())
}

/// What README.md says that root keeps.
pub fn gate_cannot_undo_what_was_open_before_the_seal() -> Result<()> {
    let mut gate = Gate::open("")?;
    let memory = open_for_writing("/dev/mem").context("/dev/mem before the seal")?;
    let prog = unsigned_prog().context("a prog before the seal")?;
    gate.seal()?;
    // Not by read(2): arm64's has no more than RAM, and of that nothing with CONFIG_STRICT_DEVMEM.
    // SAFETY: a mapping where there was none, of what nobody here changes.
    let page = unsafe {
        mmap(
            std::ptr::null_mut(),
            4096,
            ProtFlags::READ,
            MmapFlags::SHARED,
            &memory,
            0,
        )
    };
    let page = page.context("mapping /dev/mem by an fd from before the seal")?;
    // SAFETY: of the mapping, which ends here.
    unsafe {
        page.cast::<u8>().read_volatile();
        munmap(page, 4096)?;
    }
    // The prog is still one that can be attached.
    let (ours, _theirs) = rustix::net::socketpair(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::empty(),
        None,
    )?;
    // SAFETY: the option's value is an fd, of its size.
    let set = unsafe {
        libc::setsockopt(
            ours.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_BPF,
            (&raw const prog).cast(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    ensure!(set == 0, "attaching: {}", std::io::Error::last_os_error());
    let _ = prog.as_fd();
    gate.still_refuses_progs()
}
