// SPDX-License-Identifier: GPL-2.0
//! examples/gate: what it refuses to a hostile root, the line that dmesg has of it, and what goes on.

use std::ffi::{c_int, CString};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use rustix::io::Errno;
use rustix::mount::{mount, MountFlags};
use rustix::process::{
    kill_process, pidfd_getfd, pidfd_open, waitpid, Pid, PidfdFlags, PidfdGetfdFlags, Signal,
    WaitOptions,
};
use rustix::system::delete_module;
use rustix::thread::{unshare_unsafe, UnshareFlags};
use scenarios::MODULE_DIR;

use super::signed::{file, is_older, keyring, keyring_with_key, load_from_user_space};
use crate::bpf::{self, Ids};
use crate::kernel::{
    add_key, dmesg, eventually, expect_fds, fds, insmod, insmod_with, load, mount_bpffs, need_bpf_lsm,
    o_nonblock, rmmod, umount, Messages,
};
use crate::lab::{mount_debugfs, mount_tracing, TRACING};

const MNT: &str = "/tmp/bpf";
const DEVICE: &str = "/dev/gate";
const UNSIGNED: &str = "/modules/sockets.ko";
/// Of the prog of [`bpf::prog`].
const NOT_SIGNED: &str = "BPF prog of type 1 without a trusted signature";

/// The gate, and what dmesg has had of it.
struct Gate {
    messages: Messages,
    said: Vec<String>,
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
        .inspect(|()| self.said.clear())
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

/// What libbpf has given.
fn answer_of(ret: c_int) -> Result<OwnedFd, Errno> {
    match ret {
        ret if ret < 0 => Err(Errno::from_raw_os_error(-ret)),
        ret => bpf::owned(ret).map_err(|_| Errno::BADF),
    }
}

/// A system call without pointers.
fn syscall(number: libc::c_long, args: [libc::c_long; 4]) -> Result<i64, Errno> {
    // SAFETY: the callers pass no addresses but NULL.
    let ret = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3]) };
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
    // Another name for it is another module, and unsigned.
    let gate_file = format!("{MODULE_DIR}/gate.ko");
    gate.refuses(
        "a second gate",
        insmod(&gate_file)?,
        Errno::PERM,
        "modules",
        "module without a signature",
    )?;
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
    let good = file("good")?;
    let load = |keyring| {
        load_from_user_space(true, true, &good, keyring)
            .map(|seen| seen.map_err(|(errno, _)| errno))
    };
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
    load(trusted)?.context("a prog signed by a key of the trusted keyring")?;
    // Root can make keyrings, and put keys there.
    gate.refuses("root's own key", load(other)?, Errno::PERM, "progs", text)?;
    gate.still_refuses_progs()
}

pub fn gate_refuses_kernel_images_and_memory() -> Result<()> {
    let mut gate = Gate::open("")?;
    // They are there, and open before the seal.
    for path in ["/dev/mem", "/dev/port"] {
        open_for_writing(path).with_context(|| format!("{path} before the seal"))?;
    }
    File::open("/proc/kcore").context("/proc/kcore before the seal")?;
    let kexec = || syscall(libc::SYS_kexec_load, [0; 4]);
    kexec().context("unloading a kernel image before the seal")?;
    gate.seal()?;
    let text = "memory of the kernel (lockdown reason ";
    for path in ["/dev/mem", "/dev/port"] {
        let text = format!("{text}2)");
        gate.refuses(path, open_for_writing(path), Errno::PERM, "memory", &text)?;
    }
    for writing in [false, true] {
        let opened = OpenOptions::new()
            .read(true)
            .write(writing)
            .open("/proc/kcore");
        expect_errno("/proc/kcore", errno_of(opened), Errno::PERM)?;
    }
    eventually(|| {
        gate.said.extend(gate.messages.new_lines()?);
        ensure!(
            gate.said.iter().filter(|line| line.contains(text)).count() >= 2,
            "expected two lines of {text:?}, seen {:?}",
            gate.said
        );
        Ok(())
    })?;
    gate.refuses(
        "kexec_load",
        kexec(),
        Errno::PERM,
        "kexec",
        "kernel image without a signature",
    )?;
    // Ports, and with them what is on the bus.
    let text = format!("{text}7)");
    let ports = syscall(libc::SYS_iopl, [3, 0, 0, 0]);
    gate.refuses("iopl", ports, Errno::PERM, "memory", &text)
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

/// Runs something in a process of its own.
fn in_fork(body: impl FnOnce() -> Result<()>) -> Result<()> {
    // SAFETY: this process has one thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let done = body().inspect_err(|error| eprintln!("guest: {error:#}"));
        // SAFETY: it ends at once.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    let ended = waitpid(
        Some(Pid::from_raw(pid).context("fork")?),
        WaitOptions::empty(),
    )?;
    let status = ended.and_then(|(_, status)| status.exit_status());
    ensure!(status == Some(0), "a child: its message is on the console");
    Ok(())
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
        ("kernel/modules_disabled", "1"),
    ] {
        let path = format!("/proc/sys/{name}");
        if Path::new(&path).exists() {
            let _ = write_to(&path, value);
            gate.still_refuses_progs().with_context(|| path)?;
        }
    }
    // All that can be killed.
    let child = Waiting::of(0)?;
    syscall(libc::SYS_kill, [-1, libc::SIGKILL.into(), 0, 0])?;
    drop(child);
    std::thread::sleep(std::time::Duration::from_secs(1));
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
    for _ in 0..DENIALS {
        expect_errno("a prog", unsigned_prog(), Errno::PERM)?;
    }
    let after = counts()?;
    ensure!(
        after[0].1 == before[0].1 + DENIALS && after[1] == before[1],
        "expected {DENIALS} more of progs, seen {before:?}, then {after:?}"
    );
    std::thread::sleep(std::time::Duration::from_secs(3));
    let lines = gate.messages.new_lines()?;
    let told = lines
        .iter()
        .filter(|line| line.contains(NOT_SIGNED))
        .count();
    let more: u64 = lines
        .iter()
        .filter_map(|line| {
            line.strip_prefix("gate: ")?
                .strip_suffix(" more were refused, which the counts have")?
                .parse::<u64>()
                .ok()
        })
        .sum();
    // Eight each half second, from before the first of them on.
    ensure!(
        (8..=64).contains(&told) && more > 0,
        "expected some lines and how many there were more, seen {told} and {more}"
    );
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

pub fn gate_holds_in_a_user_namespace() -> Result<()> {
    let mut gate = Gate::sealed("")?;
    in_fork(|| {
        // SAFETY: new namespaces leave the fd table alone.
        unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)? };
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", "0 0 1")?;
        expect_errno("a prog", unsigned_prog(), Errno::PERM)?;
        let unload = delete_module(c"gate", o_nonblock() | libc::O_TRUNC);
        expect_errno("rmmod -f", unload, Errno::PERM)?;
        expect_errno("/dev/mem", open_for_writing("/dev/mem"), Errno::PERM)?;
        ensure!(
            fs::write(DEVICE, "0").is_err(),
            "expected no 0 to be taken by {DEVICE}"
        );
        Ok(())
    })?;
    // Some of it the kernel refuses to such a root itself, before the gate is asked.
    expect_device("sealed\n")?;
    gate.still_refuses_progs()
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
    fs::read_to_string(format!("{debugfs}/sleep_time"))
        .or_else(|_| fs::read_to_string(format!("{debugfs}/wakeup_sources")))
        .context("a file of debugfs that all may read")?;
    if !is_older()? {
        load_from_user_space(true, true, &file("good")?, keyring)?
            .map_err(|(errno, _)| errno)
            .context("a signed prog")?;
    }
    // An ordinary rmmod.
    umount(MNT)?;
    crate::kernel::unload()?;
    // Nothing of this was refused.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let lines = gate.messages.new_lines()?;
    ensure!(
        !lines.iter().any(|line| line.contains("refused")),
        "expected nothing refused, seen {lines:?}"
    );
    gate.still_refuses_progs()
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

/// What README.md says that root keeps.
pub fn gate_cannot_undo_what_was_open_before_the_seal() -> Result<()> {
    let mut gate = Gate::open("")?;
    let mut memory = open_for_writing("/dev/mem").context("/dev/mem before the seal")?;
    let prog = unsigned_prog().context("a prog before the seal")?;
    gate.seal()?;
    let mut byte = [0];
    memory
        .read_exact(&mut byte)
        .context("reading /dev/mem by an fd from before the seal")?;
    memory.flush()?;
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
