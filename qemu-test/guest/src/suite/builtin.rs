// SPDX-License-Identifier: GPL-2.0
//! A kernel with the provider built in, and a prog that is attached before init: scripts/builtin-kernel.

use std::ffi::c_int;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use rustix::io::Errno;
use rustix::mount::{mount, MountFlags};
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use rustix::thread::{
    capabilities, set_capabilities, set_keep_capabilities, set_thread_uid, CapabilitySets, Uid,
};
use rustix::time::{clock_gettime, clock_settime, ClockId};
use scenarios::{MODULE_DIR, SELFTEST};

use crate::bpf::{self, expect_both_files, Ids};
use crate::costs::warm_insmod;
use crate::kernel::{
    dmesg, eventually, expect_fds, fds, insmod, module_file, mount_bpffs, release, umount,
};
use crate::ktap::note;
use crate::start::{now, start};
use crate::suite::gallery::{expect_state, expect_turns, sched_ext, work};
use crate::suite::gate::expect_before_init;
use crate::suite::read::table;
use crate::suite::signed::expect_verdict;
use crate::user::install_commands;

const MNT: &str = "/tmp/bpf";

pub fn init_starts_with_the_console_and_no_other_fd() -> Result<()> {
    let expected: Vec<_> = (0..3).map(|fd| (fd, "the console".to_owned())).collect();
    ensure!(
        start().fds == expected,
        "fds of init at its start: expected {expected:?}, seen {:?}",
        start().fds
    );
    Ok(())
}

/// What the module says when its progs are loaded.
const LOADED: &str = "bpf_preload_rs: maps.debug and progs.debug are in every bpffs";

pub fn the_first_mount_of_a_boot_has_both_files() -> Result<()> {
    let lines = dmesg()?;
    let line = |text: &str| {
        let at = lines.iter().position(|line| line.contains(text));
        at.with_context(|| format!("expected a message with {text:?}, seen none"))
    };
    ensure!(
        line(LOADED)? < line("Run /init as init process")?,
        "expected the progs to be loaded before init is run, seen the other order"
    );
    let (before, ids) = (fds()?, Ids::now());
    for path in [MNT, "/tmp/second"] {
        mount_bpffs(path)?;
        expect_fds(&before, "a mount")?;
        expect_both_files(path)?;
    }
    let new = Ids::now().since(&ids);
    ensure!(
        new == Ids::default(),
        "expected the mounts to load nothing, seen {new:?}"
    );
    Ok(())
}

/// The `uid` column of a prog in `progs.debug`.
fn uid_of(mount: &str, prog: &str) -> Result<u32> {
    let rows = table(&fs::read_to_string(format!("{mount}/progs.debug"))?)?;
    let row = rows.values().find(|row| row["name"] == prog);
    let row = row.with_context(|| format!("no row of {prog}"))?;
    Ok(row["uid"].parse()?)
}

pub fn progs_belong_to_root_whoever_mounts_first() -> Result<()> {
    const USER: u32 = 1000;
    // Its user is the thread's alone.
    let mounter = std::thread::spawn(|| -> Result<_> {
        let all = capabilities(None)?;
        set_keep_capabilities(true)?;
        set_thread_uid(Uid::from_raw(USER))?;
        set_capabilities(
            None,
            CapabilitySets {
                effective: all.permitted,
                ..all
            },
        )?;
        mount_bpffs(MNT)?;
        bpf::prog("of_the_user", None)
    });
    let _prog = mounter.join().expect("a thread that does not panic")?;
    expect_both_files(MNT)?;
    for (prog, expected) in [
        ("of_the_user", USER),
        ("dump_bpf_map", 0),
        ("dump_bpf_prog", 0),
    ] {
        let seen = uid_of(MNT, prog)?;
        ensure!(
            seen == expected,
            "uid of {prog}: expected {expected}, seen {seen}"
        );
    }
    Ok(())
}

pub fn a_first_mount_is_not_charged_for_the_progs() -> Result<()> {
    install_commands()?;
    let root = "/sys/fs/cgroup";
    mount("cgroup2", root, "cgroup2", MountFlags::empty(), None).context("mounting cgroup2")?;
    fs::write(format!("{root}/cgroup.subtree_control"), "+memory")?;
    let folder = format!("{root}/mounter");
    fs::create_dir_all(&folder)?;
    fs::create_dir_all(MNT)?;
    let status = Command::new("/bin/sh")
        .args(["-c", "echo 0 >\"$0\" && mount -t bpf bpf \"$1\""])
        .args([&format!("{folder}/cgroup.procs"), MNT])
        .env("PATH", "/bin")
        .status()?;
    ensure!(status.success(), "a mount in a memory cgroup: {status}");
    expect_both_files(MNT)?;
    // The kernel brings the numbers together every two seconds.
    std::thread::sleep(Duration::from_secs(5));
    let stat = fs::read_to_string(format!("{folder}/memory.stat"))?;
    let bytes = |name: &str| {
        stat.lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok())
            .with_context(|| format!("no {name} in memory.stat"))
    };
    note(&format!("kernel memory: {} bytes", bytes("kernel ")?));
    // Progs and maps, and little else.
    let seen = bytes("vmalloc ")?;
    ensure!(
        seen == 0,
        "vmalloc of the mounter's cgroup: expected 0 bytes, seen {seen}"
    );
    Ok(())
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_signal: c_int) {
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

pub fn a_first_mount_under_signals_has_both_files() -> Result<()> {
    fs::create_dir_all(MNT)?;
    // SAFETY: the handler adds to a number.
    unsafe {
        libc::signal(
            libc::SIGUSR1,
            count_signal as *const () as libc::sighandler_t,
        )
    };
    // SAFETY: no requirements.
    let mounter = unsafe { libc::pthread_self() };
    let stop = AtomicBool::new(false);
    let mounted = std::thread::scope(|scope| {
        // From the other CPU: there is always one that has come and was not handled yet.
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                // SAFETY: the thread is there until this one is.
                unsafe { libc::pthread_kill(mounter, libc::SIGUSR1) };
            }
        });
        while SIGNALS.load(Ordering::SeqCst) < 100 {
            std::hint::spin_loop();
        }
        let mounted = mount_bpffs(MNT);
        stop.store(true, Ordering::SeqCst);
        mounted
    });
    mounted?;
    note(&format!("{} signals", SIGNALS.load(Ordering::SeqCst)));
    expect_both_files(MNT)
}

pub fn a_first_mount_without_a_free_fd_has_both_files() -> Result<()> {
    fs::create_dir_all(MNT)?;
    let open = fds()?;
    let full = getrlimit(Resource::Nofile);
    let none = (0..).find(|fd| !open.contains_key(fd)).unwrap_or(0) as u64;
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: Some(none),
            maximum: full.maximum,
        },
    )?;
    let no_fd = fs::File::open("/dev/null").is_err();
    let mounted = mount_bpffs(MNT);
    setrlimit(Resource::Nofile, full)?;
    mounted?;
    ensure!(no_fd, "expected no free fd, seen one");
    expect_fds(&open, "a mount")?;
    expect_both_files(MNT)
}

/// What has an fd of a BPF map, prog, link or BTF.
fn holders() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc")? {
        // Not the links to this one; a kernel thread has a table too; a process may be gone by now.
        let process = process?;
        if process.file_type()?.is_symlink() {
            continue;
        }
        for fd in fs::read_dir(process.path().join("fd"))
            .into_iter()
            .flatten()
        {
            let path = fd?.path();
            let target = fs::read_link(&path).unwrap_or_default();
            if target.display().to_string().starts_with("anon_inode:bpf")
                || target.display().to_string().starts_with("anon_inode:btf")
            {
                found.push(format!("{}: {}", path.display(), target.display()));
            }
        }
    }
    Ok(found)
}

pub fn no_process_holds_an_fd_of_bpf() -> Result<()> {
    let expect_none = |when| {
        let seen = holders()?;
        ensure!(
            seen.is_empty(),
            "fds of BPF {when}: expected none, seen {seen:?}"
        );
        Ok(())
    };
    expect_none("before the first mount")?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    expect_none("after the first mount")?;
    umount(MNT)?;
    expect_none("after it was unmounted")?;
    let _map = bpf::hash_map("seen", 1, 0)?;
    let seen = holders()?;
    ensure!(
        matches!(&seen[..], [one] if one.contains("bpf-map")),
        "fds of BPF with one map: expected it, seen {seen:?}"
    );
    Ok(())
}

/// The kernel's messages have one with this text.
fn expect_message(text: &str) -> Result<()> {
    let lines = dmesg()?;
    ensure!(
        lines.iter().any(|line| line.contains(text)),
        "expected a message with {text:?}, seen none; of the module: {:?}",
        lines
            .iter()
            .filter(|line| line.contains("bpf"))
            .collect::<Vec<_>>()
    );
    Ok(())
}

fn expect_no_files(path: &str) -> Result<()> {
    let files = fs::read_dir(path)?.count();
    ensure!(files == 0, "files of {path}: expected none, seen {files}");
    Ok(())
}

pub fn enable_0_on_the_command_line_switches_it_off() -> Result<()> {
    expect_message("bpf_preload_rs: switched off by enable=0")?;
    let before = Ids::now();
    mount_bpffs(MNT)?;
    expect_no_files(MNT)?;
    bpf::expect_nothing_since(&before, "a mount with enable=0")
}

const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

/// Switches the JIT on or off.
fn set_jit(value: &str) -> Result<()> {
    fs::write(JIT, value).context(JIT)
}

/// The module's lines in dmesg that have this text.
fn said(text: &str) -> Result<usize> {
    Ok(dmesg()?
        .iter()
        .filter(|line| line.starts_with("bpf_preload_rs: ") && line.contains(text))
        .count())
}

fn expect_said(text: &str, expected: usize, when: &str) -> Result<()> {
    let seen = said(text)?;
    ensure!(
        seen == expected,
        "lines with {text:?} {when}: expected {expected}, seen {seen}"
    );
    Ok(())
}

pub fn a_load_that_fails_at_boot_is_tried_at_each_mount() -> Result<()> {
    const WHY: &str = "(-95): is the JIT off? sysctl net.core.bpf_jit_enable=1";
    expect_said(WHY, 1, "at boot")?;
    let (before, ids) = (fds()?, Ids::now());
    mount_bpffs(MNT)?;
    expect_no_files(MNT)?;
    expect_fds(&before, "a mount that loads nothing")?;
    expect_said(WHY, 2, "after a mount")?;
    bpf::expect_nothing_since(&ids, "a load that fails")?;
    expect_said(LOADED, 0, "before there is a JIT")?;
    set_jit("1")?;
    mount_bpffs("/tmp/second")?;
    expect_both_files("/tmp/second")?;
    mount_bpffs("/tmp/third")?;
    expect_both_files("/tmp/third")?;
    expect_fds(&before, "a mount that loads")?;
    expect_said(WHY, 2, "at the end")?;
    expect_said(LOADED, 1, "at the end")
}

/// Ids of BPF maps and progs go up: the next ones.
fn next_ids() -> Result<(u32, u32)> {
    let _map = bpf::hash_map("next", 1, 0)?;
    let _prog = bpf::prog("next", None)?;
    let ids = Ids::now();
    let next = |ids: &std::collections::BTreeSet<u32>| ids.last().copied().context("no id");
    Ok((next(&ids.maps)?, next(&ids.progs)?))
}

/// Three mounts that have no files and try nothing.
fn expect_mounts_that_cost_nothing() -> Result<()> {
    let lines = said("")?;
    let (maps, progs) = next_ids()?;
    for path in ["/tmp/one", "/tmp/two", "/tmp/three"] {
        mount_bpffs(path)?;
        expect_no_files(path)?;
    }
    let seen = next_ids()?;
    ensure!(
        seen == (maps + 1, progs + 1),
        "ids of the next map and prog: expected {maps} and {progs} and one more, seen {seen:?}"
    );
    expect_said("", lines, "after three more mounts")
}

/// The kernel does not have what the prog goes through.
const REFUSED: &str = "iterators: failed to load prog dump_bpf_prog: EINVAL (-22)";

pub fn a_load_that_cannot_succeed_is_said_once_at_boot() -> Result<()> {
    expect_said(REFUSED, 1, "at boot")?;
    expect_said("", 1, "at boot")?;
    expect_mounts_that_cost_nothing()
}

pub fn a_load_that_cannot_succeed_at_a_mount_costs_the_next_ones_nothing() -> Result<()> {
    expect_said("is the JIT off?", 1, "at boot")?;
    set_jit("1")?;
    let ids = next_ids()?;
    mount_bpffs(MNT)?;
    expect_no_files(MNT)?;
    let tried = next_ids()?;
    ensure!(
        tried.1 > ids.1 + 1,
        "expected the mount to load progs, seen no id used up: {ids:?}, {tried:?}"
    );
    expect_said(REFUSED, 1, "after the first mount")?;
    expect_mounts_that_cost_nothing()
}

pub fn unit_tests_and_examples_pass_at_boot() -> Result<()> {
    const UNIT_TESTS: &[&str] = &[
        "fd_is_closed_on_drop",
        "an_errno_is_no_fd",
        "a_map_is_no_link",
        "a_link_that_is_no_iterators_is_refused",
        "a_name_that_bpffs_could_not_show_is_refused",
        "a_blob_that_is_no_prog_is_refused",
        "an_fd_that_is_not_in_the_array_is_refused",
        "a_map_is_written_to_within_its_value_only",
        "a_prog_that_is_run_reads_and_writes_its_context",
        "a_second_provider_is_refused",
        "a_table_of_nothing_is_loaded_and_leaves_no_fd",
        "an_op_that_is_none_is_refused_and_leaves_no_fd",
        "data_of_the_other_byte_order_are_refused",
    ];
    let debugfs = "/sys/kernel/debug";
    if !Path::new(debugfs).join("kunit").exists() {
        mount("debugfs", debugfs, "debugfs", MountFlags::empty(), None)?;
    }
    // The numbers of those that passed go first: `ok 3 rust_bpf.name`.
    let passed = |suite: &str| -> Result<Vec<String>> {
        let path = format!("{debugfs}/kunit/{suite}/results");
        let results = fs::read_to_string(&path).context(path)?;
        ensure!(!results.contains("not ok"), "unit tests: {results}");
        Ok(results
            .lines()
            .filter_map(|line| line.trim_start().strip_prefix("ok "))
            .filter(|line| !line.contains("# SKIP"))
            .filter_map(|line| line.split_whitespace().nth(1))
            .map(str::to_owned)
            .collect())
    };
    let mut tests = passed("rust_bpf")?;
    tests.extend(passed("rust_lskel")?);
    for test in UNIT_TESTS {
        ensure!(
            tests.iter().any(|name| name == test),
            "expected unit test {test} to pass, seen {tests:?}"
        );
    }
    let examples = passed("rust_doctests_kernel")?;
    let ours = |part: &str| {
        let prefix = format!("rust_doctest_kernel_{part}");
        examples
            .iter()
            .filter(|name| name.starts_with(&prefix))
            .count()
    };
    let (bpf, lskel) = (ours("bpf"), ours("lskel"));
    ensure!(
        bpf > 0 && lskel > 0,
        "expected examples of bpf and lskel, seen {bpf} and {lskel} among {}",
        examples.len()
    );
    note(&format!(
        "{} unit tests; examples: {bpf} of bpf, {lskel} of lskel, {} of all",
        UNIT_TESTS.len(),
        examples.len()
    ));
    Ok(())
}

pub fn signed_progs_are_there_before_init_under_a_policy_that_lets_in_no_others() -> Result<()> {
    the_first_mount_of_a_boot_has_both_files()?;
    expect_verdict("verified, builtin keyring")?;
    let progs = fs::read_to_string(format!("{MNT}/progs.debug"))?;
    ensure!(
        progs.contains(" verified_only "),
        "expected the policy's prog, seen {progs}"
    );
    ensure!(
        std::process::id() == 1 && bpf::prog("unsigned", None).is_err(),
        "expected an unsigned prog of init refused, seen it loaded"
    );
    Ok(())
}

pub fn unsigned_progs_are_refused_before_init_where_kconfig_says_so() -> Result<()> {
    let refused = "bpf_preload_rs: iterators: failed to load the signed loader prog: ENOKEY (-126)";
    ensure!(
        dmesg()?.iter().any(|line| line.contains(refused)),
        "expected a message with {refused:?}, seen none"
    );
    fs::create_dir_all(MNT)?;
    mount_bpffs(MNT)?;
    let files = fs::read_dir(MNT)?.count();
    ensure!(files == 0, "expected no file in bpffs, seen {files}");
    umount(MNT)
}

pub fn init_is_denied_what_a_prog_denies_that_is_built_in() -> Result<()> {
    let time = clock_gettime(ClockId::Realtime);
    let seen = clock_settime(ClockId::Realtime, time);
    ensure!(
        std::process::id() == 1 && seen == Err(Errno::ACCESS),
        "setting the clock as init: expected EACCES, seen {seen:?}"
    );
    let lines = dmesg()?;
    let line = |text: &str| {
        let at = lines.iter().position(|line| line.contains(text));
        at.with_context(|| format!("expected a message with {text:?}, seen none"))
    };
    let attached = line("rust_bpf_early: no program sets the clock from now on")?;
    ensure!(
        attached < line("Run /init as init process")?,
        "expected the prog to be attached before init is run, seen the other order"
    );
    let bytes = bpf::global("rust_bpf.bss", "refused")?;
    let refused = u32::from_ne_bytes(bytes.try_into().ok().context("a u32")?);
    ensure!(
        refused == 1,
        "refusals that the prog has counted: expected 1, seen {refused}"
    );
    Ok(())
}

pub fn a_scheduler_is_enabled_before_init_for_who_asks_for_it() -> Result<()> {
    expect_state("enabled", "in init")?;
    let seen = sched_ext("root/ops")?;
    ensure!(seen == "bpf_fifo", "expected bpf_fifo, seen {seen}");
    let seen = bpf::global("schedule.rodata", "slice")?;
    ensure!(
        seen == 7_000_000_u64.to_ne_bytes(),
        "slice: expected 7 ms, seen {seen:?}"
    );
    expect_before_init("BPF scheduler \"bpf_fifo\" enabled")?;
    // For good: it is thrown out by hand.
    expect_turns()?;
    fs::write("/proc/sysrq-trigger", "S")?;
    eventually(|| expect_state("disabled", "after SysRq-S"))?;
    work();
    Ok(())
}

pub fn a_scheduler_that_is_built_in_waits_to_be_asked_for() -> Result<()> {
    expect_state("disabled", "in init")
}

/// Runs a selftest: its exit status and what it prints.
fn selftest(script: &str) -> Result<(Option<i32>, String)> {
    let output = Command::new("/bin/sh")
        .arg(script)
        .env("PATH", "/bin")
        .output()
        .context("running the selftest")?;
    Ok((
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    ))
}

/// The selftest, as it is or with one text in place of another, ends with a status and says something.
fn expect_selftest(change: Option<(&str, &str)>, expected: i32, text: &str) -> Result<()> {
    let mut script = fs::read_to_string(SELFTEST)?;
    if let Some((from, to)) = change {
        ensure!(script.contains(from), "the selftest has no {from:?}");
        script = script.replace(from, to);
    }
    fs::write("/tmp/selftest.sh", script)?;
    let (status, said) = selftest("/tmp/selftest.sh")?;
    ensure!(
        status == Some(expected) && said.contains(text),
        "the selftest: expected {expected} and {text:?}, seen {status:?}: {said}"
    );
    Ok(())
}

pub fn the_selftest_of_the_kernel_tree_passes_and_can_fail() -> Result<()> {
    install_commands()?;
    // Without a JIT there are no files yet.
    expect_selftest(None, 4, "1..0 # SKIP nobody provides files")?;
    set_jit("1")?;
    expect_selftest(None, 0, "\nok 4 progs_lists_its_own\nok 5 ")?;
    expect_selftest(
        Some(("dump_bpf_prog", "no_such_prog")),
        1,
        "\nnot ok 4 progs_lists_its_own",
    )
}

pub fn the_selftest_of_the_kernel_tree_passes_for_the_module_and_can_fail() -> Result<()> {
    install_commands()?;
    expect_selftest(
        None,
        0,
        "\nok 5 files_stay_when_the_module_goes\nok 6 failed_load_leaves_nothing\nok 7 mount_loads_it_again\n",
    )?;
    // A load that does not fail, a module that stays.
    expect_selftest(
        Some(("require_signed=1", "require_signed=0")),
        1,
        "\nnot ok 6 failed_load_leaves_nothing",
    )?;
    expect_selftest(
        Some(("modprobe -r", "modprobe -n -r")),
        1,
        "\nnot ok 5 files_stay_when_the_module_goes",
    )
}

pub fn a_module_that_does_not_import_bpf_internal_is_refused() -> Result<()> {
    const IMPORT: &[u8] = b"import_ns=BPF_INTERNAL\0";
    let mut module = fs::read(module_file())?;
    let at = module.windows(IMPORT.len()).position(|at| at == IMPORT);
    let at = at.context("the module imports no BPF_INTERNAL")?;
    module[at..at + IMPORT.len()].copy_from_slice(b"import_ns=BPF_EXTERNAL\0");
    fs::write("/tmp/other.ko", module)?;
    let seen = insmod("/tmp/other.ko")?;
    ensure!(seen == Err(Errno::INVAL), "expected EINVAL, seen {seen:?}");
    let lines = dmesg()?;
    let line = lines
        .iter()
        .find(|line| line.contains("from namespace BPF_INTERNAL, but does not import it"));
    note(line.context("no message of the kernel on BPF_INTERNAL")?);
    insmod(&module_file())?.context("loading the module as it is")
}

/// A line of /proc/meminfo, in KiB.
fn meminfo(name: &str) -> Result<u64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.split_whitespace().nth(1));
    Ok(value
        .with_context(|| format!("no {name} in /proc/meminfo"))?
        .parse()?)
}

pub fn boot_and_mounts_cost_this_much() -> Result<()> {
    let mut mounts = Vec::new();
    for path in [MNT, "/tmp/second", "/tmp/third"] {
        let before = now();
        mount_bpffs(path)?;
        mounts.push(now() - before);
        expect_both_files(path)?;
    }
    // What is freed late.
    std::thread::sleep(Duration::from_secs(1));
    let release = release();
    let kind = scenarios::builtin(&release).unwrap_or_default();
    let init: Vec<_> = start()
        .fds
        .iter()
        .map(|(fd, what)| format!("{fd} {what}"))
        .collect();
    for (what, seen) in [
        (
            "start to first instruction of init, ms",
            millis(start().time),
        ),
        ("first mount, ms", millis(mounts[0])),
        (
            "start and first mount, ms",
            millis(start().time + mounts[0]),
        ),
        ("third mount, ms", millis(mounts[2])),
        ("MemTotal, KiB", meminfo("MemTotal")?.to_string()),
        (
            "memory in use after three mounts, KiB",
            (meminfo("MemTotal")? - meminfo("MemFree")?).to_string(),
        ),
        ("fds of init at its start", init.join(", ")),
    ] {
        note(&format!("| {what} | {kind} | {seen} |"));
    }
    Ok(())
}

pub fn loads_of_the_modules_cost_this_much() -> Result<()> {
    for name in ["bpf_preload_rs", "bpf_preload_links"] {
        let cost = warm_insmod(&format!("{MODULE_DIR}/{name}.ko"), "", name)?;
        let cost = millis(Duration::from_nanos(cost));
        note(&format!("| a warm insmod of {name}, ms | m | {cost} |"));
    }
    Ok(())
}

fn millis(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}
