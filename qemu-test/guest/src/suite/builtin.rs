// SPDX-License-Identifier: GPL-2.0
//! A kernel with the provider built in, and a prog that is attached before init: scripts/builtin-kernel.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use rustix::io::Errno;
use rustix::mount::{mount, MountFlags};
use rustix::time::{clock_gettime, clock_settime, ClockId};
use scenarios::SELFTEST;

use crate::bpf::{self, expect_both_files, Ids};
use crate::kernel::{dmesg, expect_fds, fds, mount_bpffs, umount};
use crate::ktap::note;
use crate::start::{now, start};
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

pub fn the_first_mount_of_a_boot_has_both_files() -> Result<()> {
    let iterators = || bpf::prog_id("dump_bpf_map").is_ok();
    ensure!(
        !iterators(),
        "expected the iterators to be loaded by the first mount, seen them before it"
    );
    let before = fds()?;
    mount_bpffs(MNT)?;
    expect_fds(&before, "the first mount")?;
    expect_both_files(MNT)?;
    ensure!(iterators(), "expected the iterators, seen none");
    let ids = Ids::now().progs;
    mount_bpffs("/tmp/second")?;
    expect_both_files("/tmp/second")?;
    ensure!(
        Ids::now().progs.is_subset(&ids),
        "expected the second mount to load nothing"
    );
    Ok(())
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

pub fn a_load_that_fails_at_the_first_mount_is_tried_at_the_next() -> Result<()> {
    let jit = "/proc/sys/net/core/bpf_jit_enable";
    let before = fds()?;
    fs::write(jit, "0").context(jit)?;
    mount_bpffs(MNT)?;
    expect_no_files(MNT)?;
    expect_fds(&before, "a mount that loads nothing")?;
    expect_message("(-95): is the JIT off? sysctl net.core.bpf_jit_enable=1")?;
    fs::write(jit, "1").context(jit)?;
    mount_bpffs("/tmp/second")?;
    expect_both_files("/tmp/second")
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

pub fn the_selftest_of_the_kernel_tree_passes_and_can_fail() -> Result<()> {
    let expect = |script, expected, text: &str| -> Result<()> {
        let (status, said) = selftest(script)?;
        ensure!(
            status == Some(expected) && said.contains(text),
            "the selftest: expected {expected} and {text:?}, seen {status:?}: {said}"
        );
        Ok(())
    };
    install_commands()?;
    let jit = "/proc/sys/net/core/bpf_jit_enable";
    fs::write(jit, "0").context(jit)?;
    expect(SELFTEST, 4, "1..0 # SKIP nobody provides files")?;
    fs::write(jit, "1").context(jit)?;
    expect(SELFTEST, 0, "\nok 4 progs_lists_its_own")?;
    let other = fs::read_to_string(SELFTEST)?.replace("dump_bpf_prog", "no_such_prog");
    fs::write("/tmp/other.sh", other)?;
    expect("/tmp/other.sh", 1, "\nnot ok 4 progs_lists_its_own")
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
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
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

fn millis(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}
