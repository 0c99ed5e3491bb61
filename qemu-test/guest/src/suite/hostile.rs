// SPDX-License-Identifier: GPL-2.0
//! Tasks, settings and blobs that mean no good.

use std::ffi::c_int;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use rustix::io::{fcntl_dupfd_cloexec, Errno};
use rustix::mount::{
    fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount, move_mount, FsMountFlags,
    FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags,
};
use rustix::process::{
    chroot, pidfd_getfd, pidfd_open, setrlimit, Pid, PidfdFlags, PidfdGetfdFlags, Resource, Rlimit,
};
use rustix::system::{delete_module, finit_module};
use rustix::thread::{
    set_no_new_privs, set_thread_gid, set_thread_uid, unshare_unsafe, UnshareFlags,
};
use scenarios::{BLOB, FOREIGN_BLOB, MODULE_DIR};

use crate::bpf::{self, expect_both_files, Ids};
use crate::kernel::{
    eventually, expect_fds, fds, insmod, load, loaded_modules, module, module_file, mount_bpffs,
    need_bpf_lsm, rmmod, umount, unload, Messages,
};
use crate::ktap::note;
use crate::suite::storms::{setting, Random};

const MNT: &str = "/tmp/bpf";

/// Runs one of the functions of [`child`] and gives what it prints.
fn in_child(role: &[&str]) -> Result<String> {
    let output = Command::new("/proc/self/exe")
        .args(["hostile", module()])
        .args(role)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("starting {role:?}"))?;
    ensure!(output.status.success(), "{role:?}: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The children.
pub fn child(role: &[&str]) -> Result<()> {
    match role {
        ["meddle", rounds] => meddle(rounds.parse()?),
        ["cgroup", folder] => {
            fs::write(format!("{folder}/cgroup.procs"), "0")?;
            answer(insmod(&module_file())?)
        }
        ["seccomp"] => {
            deny_bpf_by_seccomp()?;
            answer(insmod(&module_file())?)
        }
        ["no-address-space"] => {
            let file = File::open(module_file())?;
            let none = Rlimit {
                current: Some(0),
                maximum: Some(0),
            };
            setrlimit(Resource::As, none)?;
            answer(finit_module(&file, c"", 0))
        }
        ["user-namespace"] => user_namespace(),
        ["chroot", folder] => {
            chroot(*folder)?;
            std::env::set_current_dir("/")?;
            answer(mount("bpf", "/", "bpf", MountFlags::empty(), None))
        }
        ["blobs", first, last] => blobs(first.parse()?, last.parse()?),
        _ => bail!("{role:?} is nothing that this child knows"),
    }
}

/// Prints an errno, or 0.
fn answer(answer: Result<(), Errno>) -> Result<()> {
    println!("{}", answer.err().map_or(0, Errno::raw_os_error));
    Ok(())
}

/// Where fds are that nobody meddles with.
const SAFE_FD: i32 = 100;

/// Loads and unloads while a thread of the same task puts other things in the place of each low fd, and
/// closes it.
fn meddle(rounds: u32) -> Result<()> {
    let safe = |fd: OwnedFd| -> Result<OwnedFd> { Ok(fcntl_dupfd_cloexec(&fd, SAFE_FD)?) };
    let module_file = safe(File::open(module_file())?.into())?;
    let map = bpf::hash_map("impostor", 1, 0)?;
    // The links of the first load live on in a mount: the best impostors, as they are iterators' links.
    let mut impostors = vec![
        safe(File::open("/dev/null")?.into())?,
        safe(bpf::prog("impostor", None)?)?,
        fcntl_dupfd_cloexec(map.as_fd(), SAFE_FD)?,
    ];
    for id in Ids::now().links {
        impostors.push(safe(bpf::link_by_id(id)?)?);
    }
    let impostors: Vec<c_int> = impostors.iter().map(AsRawFd::as_raw_fd).collect();
    let name = std::ffi::CString::new(module())?;
    let (go, going, stop) = (
        AtomicBool::new(false),
        AtomicBool::new(false),
        AtomicBool::new(false),
    );
    let done = AtomicUsize::new(0);
    // The time of a load, which nobody disturbs.
    let start = Instant::now();
    finit_module(&module_file, c"", 0)?;
    let load_time = start.elapsed();
    delete_module(&name, 0)?;
    // The most that the thread rests after a change, in us: from nothing to the time of some loads.
    let rest = AtomicUsize::new(0);
    let seed = u64::from(std::process::id()) << 7;
    let mut random = Random(0x2545_f491_4f6c_dd1d ^ seed);
    let (mut loaded, mut refused) = (0, 0);
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(|| {
            let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
            while !stop.load(Ordering::SeqCst) {
                if !go.load(Ordering::SeqCst) {
                    going.store(false, Ordering::SeqCst);
                    std::thread::yield_now();
                    continue;
                }
                going.store(true, Ordering::SeqCst);
                let fd = 3 + random.below(12) as c_int;
                // SAFETY: system calls on numbers; whoever has these fds expects it.
                unsafe {
                    if random.below(3) == 0 {
                        libc::close(fd);
                    } else {
                        libc::dup2(impostors[random.below(impostors.len() as u64) as usize], fd);
                    }
                }
                done.fetch_add(1, Ordering::SeqCst);
                random.pause(Duration::from_micros(rest.load(Ordering::SeqCst) as u64));
            }
        });
        let result = (|| {
            for round in 0..rounds {
                let most = load_time * (round % 8) / 2;
                rest.store(most.as_micros() as usize, Ordering::SeqCst);
                go.store(true, Ordering::SeqCst);
                while !going.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                std::thread::sleep(Duration::from_micros(random.below(500)));
                let seen = finit_module(&module_file, c"", 0);
                go.store(false, Ordering::SeqCst);
                while going.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                for fd in 3..20 {
                    // SAFETY: as above; nothing that is used is below SAFE_FD.
                    unsafe { rustix::io::close(fd) };
                }
                match seen {
                    Ok(()) => {
                        loaded += 1;
                        mount_bpffs("/tmp/meddled")?;
                        expect_both_files("/tmp/meddled")?;
                        umount("/tmp/meddled")?;
                        delete_module(&name, 0)?;
                    }
                    Err(_) => refused += 1,
                }
            }
            Ok(())
        })();
        stop.store(true, Ordering::SeqCst);
        result
    })?;
    println!("{loaded} {refused} {}", done.into_inner());
    Ok(())
}

pub fn a_thread_that_changes_the_fd_table_gets_no_wrong_link_pinned() -> Result<()> {
    load()?;
    mount_bpffs(MNT)?;
    unload()?;
    let rounds = setting("meddle_rounds", 30, 60)?;
    let before = Ids::now();
    let (mut loaded, mut refused, mut changes) = (0, 0, 0);
    for done in (0..rounds).step_by(10) {
        let seen = in_child(&["meddle", "10"])?;
        let numbers: Vec<u64> = seen.split(' ').flat_map(str::parse).collect();
        let [ok, not, changed] = numbers[..] else {
            bail!("a line of the child: {seen:?}");
        };
        (loaded, refused, changes) = (loaded + ok, refused + not, changes + changed);
        note(&format!("{} loads", done + 10));
    }
    note(&format!(
        "| fd table changed during a load | {loaded} loads, {refused} refused, {changes} changes of an fd |"
    ));
    ensure!(
        loaded > 0 && refused > 0,
        "expected loads that succeed and loads that do not, seen {loaded} and {refused}"
    );
    bpf::expect_nothing_since(&before, "loads with an fd table that changes")?;
    load()?;
    mount_bpffs("/tmp/after")?;
    expect_both_files("/tmp/after")
}

pub fn a_memory_cgroup_too_small_refuses_cleanly() -> Result<()> {
    let root = "/sys/fs/cgroup";
    mount("cgroup2", root, "cgroup2", MountFlags::empty(), None).context("mounting cgroup2")?;
    fs::write(format!("{root}/cgroup.subtree_control"), "+memory")?;
    let folder = format!("{root}/small");
    fs::create_dir_all(&folder)?;
    // Kill what does not fit: the guest's init is not in there.
    let (mut loaded, mut refused, mut killed) = (0, 0, 0);
    load()?;
    unload()?;
    let before = Ids::now();
    for kib in (64..4096).step_by(128) {
        note(&format!("{kib} KiB"));
        fs::write(format!("{folder}/memory.max"), format!("{kib}K"))?;
        match in_child(&["cgroup", &folder]).as_deref() {
            Ok("0") => {
                loaded += 1;
                mount_bpffs(MNT)?;
                expect_both_files(MNT)?;
                umount(MNT)?;
                unload()?;
            }
            Ok(_) => refused += 1,
            Err(_) => {
                killed += 1;
                if loaded_modules()?.iter().any(|name| name == module()) {
                    unload()?;
                }
            }
        }
    }
    note(&format!(
        "| memory cgroup of 64 to 4096 KiB | {loaded} loads, {refused} refused, {killed} killed |"
    ));
    ensure!(
        refused + killed > 0,
        "expected a cgroup that is too small, seen none"
    );
    bpf::expect_nothing_since(&before, "small cgroups")?;
    load()?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)
}

/// A filter that answers EPERM to bpf(2).
fn deny_bpf_by_seccomp() -> Result<()> {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    let insn = |code, jf, k| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf,
        k,
    };
    let mut insns = [
        // The number of the system call; unless it is bpf's, skip one; EPERM; allow.
        insn(BPF_LD | BPF_W | BPF_ABS, 0, 0),
        insn(BPF_JMP | BPF_JEQ | BPF_K, 1, libc::SYS_bpf as u32),
        insn(
            BPF_RET | BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EPERM as u32,
        ),
        insn(BPF_RET | BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: insns.len() as u16,
        filter: insns.as_mut_ptr(),
    };
    set_no_new_privs(true)?;
    // SAFETY: the program is live and has the length that it says.
    let error = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    ensure!(error == 0, "seccomp: {}", std::io::Error::last_os_error());
    ensure!(
        bpf::hash_map("denied", 1, 0).is_err(),
        "expected bpf(2) denied by seccomp, seen a map"
    );
    Ok(())
}

pub fn a_task_with_a_seccomp_filter_on_bpf_loads() -> Result<()> {
    loads_in_child("seccomp")
}

pub fn a_task_without_address_space_loads() -> Result<()> {
    loads_in_child("no-address-space")
}

fn loads_in_child(role: &str) -> Result<()> {
    let seen = in_child(&[role])?;
    ensure!(seen == "0", "loading: expected success, seen errno {seen}");
    mount_bpffs(MNT)?;
    expect_both_files(MNT)
}

/// A file system that was asked for in a user namespace, and created by init.
fn user_namespace() -> Result<()> {
    // SAFETY: new namespaces leave the fd table alone.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS)? };
    let alone = mount("bpf", "/tmp", "bpf", MountFlags::empty(), None);
    let fs_fd = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC)?;
    println!(
        "{} {}",
        fs_fd.as_raw_fd(),
        alone.err().map_or(0, Errno::raw_os_error)
    );
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    // Init has written the maps: root here is somebody else outside.
    set_thread_gid(rustix::fs::Gid::ROOT)?;
    set_thread_uid(rustix::fs::Uid::ROOT)?;
    let mount_fd = fsmount(
        &fs_fd,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )?;
    move_mount(
        &mount_fd,
        "",
        rustix::fs::CWD,
        "/tmp",
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )?;
    let mut names: Vec<_> = fs::read_dir("/tmp")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.sort();
    let read = fs::read("/tmp/progs.debug").map_err(|error| error.raw_os_error());
    println!("{} {read:?}", names.join(" "));
    Ok(())
}

pub fn a_delegated_mount_of_a_user_namespace_has_both_files_which_its_root_cannot_read(
) -> Result<()> {
    load()?;
    let mut child = Command::new("/proc/self/exe")
        .args(["hostile", module(), "user-namespace"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("piped")?).lines();
    let first = lines.next().context("no line of the child")??;
    let numbers: Vec<i32> = first.split(' ').flat_map(str::parse).collect();
    let [fs_fd, alone] = numbers[..] else {
        bail!("a line of the child: {first:?}");
    };
    ensure!(
        alone == Errno::PERM.raw_os_error(),
        "a mount by the user namespace alone: expected EPERM, seen {alone}"
    );
    let pid = Pid::from_raw(child.id() as i32).context("a pid")?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let fs_fd = pidfd_getfd(&pidfd, fs_fd, PidfdGetfdFlags::empty())?;
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{}/{map}", child.id()), "0 100000 65536")?;
    }
    fsconfig_set_string(&fs_fd, "delegate_cmds", "any")?;
    fsconfig_create(&fs_fd).context("creating the delegated file system")?;
    child.stdin.take().context("piped")?.write_all(b"go\n")?;
    let names = lines.next().context("no files of the child")??;
    child.wait()?;
    let expected = format!(
        "maps.debug progs.debug Err(Some({}))",
        Errno::ACCESS.raw_os_error()
    );
    ensure!(
        names == expected,
        "files of the delegated mount and what reading gives: expected {expected:?}, seen {names:?}"
    );
    Ok(())
}

pub fn a_mount_in_a_chroot_without_modprobe_works() -> Result<()> {
    for (folder, expected) in [("/tmp/without", 0), ("/tmp/with", 2)] {
        fs::create_dir_all(folder)?;
        if expected == 2 {
            load()?;
        }
        let seen = in_child(&["chroot", folder])?;
        ensure!(seen == "0", "a mount in a chroot: errno {seen}");
        let files = fs::read_dir(folder)?.count();
        ensure!(
            files == expected,
            "files of {folder}: expected {expected}, seen {files}"
        );
        umount(folder)?;
    }
    Ok(())
}

/// Loads, and expects to be refused with an errno and one line that has `text`, and nothing left.
pub(super) fn expect_refused(file: &str, expected: Errno, text: &str) -> Result<()> {
    expect_refusal(|| insmod(file), expected, text)
}

/// The same with another way to load.
pub(super) fn expect_refusal(
    load: impl FnOnce() -> Result<Result<(), Errno>>,
    expected: Errno,
    text: &str,
) -> Result<()> {
    let mut messages = Messages::from_now()?;
    let before = fds()?;
    let ids = Ids::now();
    let seen = load()?;
    ensure!(
        seen == Err(expected),
        "loading: expected {expected:?}, seen {seen:?}"
    );
    let lines: Vec<_> = messages
        .new_lines()?
        .into_iter()
        .filter(|line| !line.contains("taint"))
        .collect();
    ensure!(
        lines.iter().filter(|line| line.contains(text)).count() == 1,
        "expected one line with {text:?}, seen {lines:?}"
    );
    expect_fds(&before, "a refused load")?;
    bpf::expect_nothing_since(&ids, "a refused load")
}

pub fn load_says_why_when_an_lsm_denies_bpf() -> Result<()> {
    need_bpf_lsm()?;
    let mut messages = Messages::from_now()?;
    let before = fds()?;
    let denial = bpf::deny_bpf()?;
    ensure!(
        bpf::hash_map("denied", 1, 0).is_err(),
        "expected bpf(2) denied by the LSM, seen a map"
    );
    let seen = insmod(&module_file())?;
    drop(denial);
    ensure!(
        seen == Err(Errno::PERM),
        "loading: expected EPERM, seen {seen:?}"
    );
    let lines = messages.new_lines()?;
    ensure!(
        lines
            .iter()
            .any(|line| line.contains("iterators: failed to")),
        "expected a line that says why, seen {lines:?}"
    );
    expect_fds(&before, "a load that an LSM denies")?;
    eventually(load)?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)
}

pub fn load_does_not_care_for_unprivileged_bpf_disabled() -> Result<()> {
    let path = "/proc/sys/kernel/unprivileged_bpf_disabled";
    // 1 is for ever, so it comes last.
    for value in ["0", "2", "1"] {
        fs::write(path, value).with_context(|| format!("{value} to {path}"))?;
        load().with_context(|| format!("with {value} in {path}"))?;
        mount_bpffs(MNT)?;
        expect_both_files(MNT)?;
        umount(MNT)?;
        unload()?;
    }
    Ok(())
}

fn signed() -> String {
    format!("{MODULE_DIR}/signed.ko")
}

pub fn only_a_signed_module_loads_where_signatures_are_enforced() -> Result<()> {
    expect_refused(
        &module_file(),
        Errno::KEYREJECTED,
        "Loading of unsigned module is rejected",
    )
    .or_else(|_| expect_refused(&module_file(), Errno::NOKEY, "is rejected"))?;
    insmod(&signed())?.context("loading the signed module")?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    rmmod(module())
}

fn lock_down(how: &str) -> Result<()> {
    let path = "/sys/kernel/security";
    mount("securityfs", path, "securityfs", MountFlags::empty(), None)?;
    fs::write(format!("{path}/lockdown"), how).with_context(|| format!("lockdown {how}"))
}

pub fn a_signed_module_loads_under_lockdown_integrity() -> Result<()> {
    lock_down("integrity")?;
    insmod(&signed())?.context("loading the signed module")?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    rmmod(module())
}

pub fn load_says_why_under_lockdown_confidentiality() -> Result<()> {
    drop(bpf::prog("first", None)?);
    lock_down("confidentiality")?;
    // The verifier knows no bpf_probe_read_kernel() then.
    expect_refused(
        &signed(),
        Errno::INVAL,
        ": EINVAL (-22): the kernel is locked down",
    )
}

/// Hands the module's data to lskel_blob.ko with changes number `first` to `last`, and prints what came of it. The
/// fds that a changed table leaves open go with the task, and it may close any of the task's.
fn blobs(first: u64, last: u64) -> Result<()> {
    let good = fs::read(BLOB)?;
    // The size of the data is the sixth number, and they are what the request ends with.
    let size = u32::from_ne_bytes([good[20], good[21], good[22], good[23]]) as usize;
    let head = good.len() - size;
    let (mut loaded, mut refused) = (0, 0);
    for number in first..last {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (number << 20));
        random.below(1);
        let mut bad = good.clone();
        if number % 10 == 0 {
            bad.truncate(head + random.below((good.len() - head) as u64) as usize);
            let size = bad.len() - head;
            bad[20..24].copy_from_slice(&(size as u32).to_ne_bytes());
        } else {
            let bit = random.below(8 * (good.len() - head) as u64) as usize;
            bad[head + bit / 8] ^= 1 << (bit % 8);
        }
        match fs::write("/dev/lskel_blob", &bad) {
            Ok(()) => loaded += 1,
            Err(_) => refused += 1,
        }
    }
    fs::write("/tmp/blobs", format!("{loaded} {refused}"))?;
    Ok(())
}

pub fn a_changed_blob_is_refused_or_harmless() -> Result<()> {
    let count = setting("blobs", 200, 200)?;
    insmod(&format!("{MODULE_DIR}/lskel_blob.ko"))?.context("loading lskel_blob.ko")?;
    fs::write("/dev/lskel_blob", fs::read(BLOB)?).context("the blob as it is")?;
    drop(bpf::prog("first", None)?);
    eventually(|| {
        ensure!(Ids::now().progs.is_empty(), "progs are there");
        Ok(())
    })?;
    let before = Ids::now();
    let (mut loaded, mut refused) = (0, 0);
    for first in (0..count).step_by(50) {
        let last = count.min(first + 50);
        let _ = fs::remove_file("/tmp/blobs");
        in_child(&["blobs", &first.to_string(), &last.to_string()])?;
        let text = fs::read_to_string("/tmp/blobs")?;
        let numbers: Vec<u64> = text.split(' ').flat_map(str::parse).collect();
        let [ok, not] = numbers[..] else {
            bail!("blobs {first} to {last}: {text:?}");
        };
        ensure!(ok + not == last - first, "blobs {first} to {last}: {text}");
        loaded += ok;
        refused += not;
        note(&format!("{last} blobs"));
    }
    note(&format!(
        "| {count} changes of the blobs | {loaded} loaded, {refused} refused |"
    ));
    ensure!(
        loaded > 0 && refused > 0,
        "expected some loaded and some refused, seen {loaded} and {refused}"
    );
    bpf::expect_nothing_since(&before, "the blobs")?;
    fs::write("/dev/lskel_blob", fs::read(BLOB)?).context("the blob as it is, after the others")?;
    load()?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)
}

pub fn a_blob_of_the_other_byte_order_is_refused_in_one_line() -> Result<()> {
    insmod(&format!("{MODULE_DIR}/lskel_blob.ko"))?.context("loading lskel_blob.ko")?;
    let device = File::options().write(true).open("/dev/lskel_blob")?;
    let (good, foreign) = (fs::read(BLOB)?, fs::read(FOREIGN_BLOB)?);
    rustix::io::write(&device, &good).context("the blob of this machine")?;
    expect_refusal(
        || Ok(rustix::io::write(&device, &foreign).map(|_| ())),
        Errno::INVAL,
        "lskel_blob: failed to fill the loader map: EINVAL (-22): it was generated for the other byte order",
    )
}
