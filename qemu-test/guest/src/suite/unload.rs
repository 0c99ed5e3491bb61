// SPDX-License-Identifier: GPL-2.0
//! What unloading leaves alone and what it leaves behind.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use rustix::mount::{mount, MountFlags};
use scenarios::C_MODULE;

use crate::bpf::{self, expect_both_files, Ids};
use crate::kernel::{
    dmesg, eventually, expect_fds, fds, insmod_in_child, insmod_with, load, loaded_modules, module,
    module_file, mount_bpffs, rmmod, umount, unload,
};
use crate::ktap::{note, Skip};

const MNT: &str = "/tmp/bpf";

pub fn rmmod_changes_no_fd_of_its_caller() -> Result<()> {
    load()?;
    // A module that remembers the numbers of its fds closes by them: so each number is now somebody
    // else's. Once all are closed, each open takes the lowest.
    for fd in fds()?.into_keys().filter(|fd| *fd < 64) {
        // SAFETY: the console, which nobody here uses until the end of the machine.
        unsafe { rustix::io::close(fd) };
    }
    let mut files = Vec::new();
    for number in 0..64 {
        let path = format!("/tmp/fd-{number}");
        fs::write(&path, number.to_string())?;
        files.push(File::open(&path)?);
    }
    let before = fds()?;
    for number in 0..64 {
        let expected = format!("/tmp/fd-{number}");
        let seen = before.get(&number);
        ensure!(
            seen == Some(&expected),
            "fd {number} before: expected {expected}, seen {seen:?}"
        );
    }
    unload()?;
    expect_fds(&before, "rmmod")?;
    for (number, file) in files.iter_mut().enumerate() {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)
            .with_context(|| format!("reading fd {number} after rmmod"))?;
        ensure!(
            text == number.to_string(),
            "text of fd {number}: expected its number, seen {text:?}"
        );
    }
    Ok(())
}

/// A mount that was preempted between the slot and the module's reference would read what is freed.
pub fn rmmod_waits_for_mounts_that_have_read_the_slot() -> Result<()> {
    const WAIT: &str = "synchronize_rcu_tasks";
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    if symbols
        .lines()
        .any(|line| line.ends_with(" bpf_preload_register"))
    {
        let why = "mounts hold a lock in this kernel: bpf_preload_unregister()";
        return Err(Skip(why.into()).into());
    }
    let tracing = "/sys/kernel/tracing";
    mount("tracefs", tracing, "tracefs", MountFlags::empty(), None).context("tracefs")?;
    let write = |file: &str, text: &str| {
        fs::write(format!("{tracing}/{file}"), text).with_context(|| format!("{text} to {file}"))
    };
    let functions =
        fs::read_to_string(format!("{tracing}/available_filter_functions")).unwrap_or_default();
    if !functions.lines().any(|line| line == WAIT) {
        let why = "no grace period for preempted tasks, or no function tracer";
        return Err(Skip(why.into()).into());
    }
    load()?;
    write("set_ftrace_filter", WAIT)?;
    write("set_ftrace_pid", &std::process::id().to_string())?;
    write("current_tracer", "function")?;
    unload()?;
    let trace = fs::read_to_string(format!("{tracing}/trace"))?;
    write("current_tracer", "nop")?;
    ensure!(
        trace.contains(&format!(": {WAIT} <-")),
        "expected {WAIT}() called by rmmod, seen {trace}"
    );
    Ok(())
}

pub fn rmmod_leaves_another_providers_ops_alone() -> Result<()> {
    load()?;
    // The C provider does not look whether the slot is taken.
    insmod_in_child(C_MODULE, "")?;
    unload()?;
    let modules = loaded_modules()?;
    ensure!(
        modules == ["bpf_preload"],
        "modules: expected only the C provider, seen {modules:?}"
    );
    mount_bpffs(MNT)?;
    expect_both_files(MNT).context("of the C provider after our rmmod")?;
    rmmod("bpf_preload")
}

pub fn files_stay_readable_after_rmmod() -> Result<()> {
    load()?;
    mount_bpffs(MNT)?;
    let _map = bpf::hash_map("made_before", 5, 1)?;
    let mut open = File::open(format!("{MNT}/maps.debug"))?;
    unload()?;
    let modules = loaded_modules()?;
    ensure!(
        !modules.iter().any(|name| name == module()),
        "modules: expected {} gone, seen {modules:?}",
        module()
    );
    expect_both_files(MNT)?;
    let mut text = String::new();
    open.read_to_string(&mut text)?;
    ensure!(
        text.contains("made_before"),
        "a file opened before rmmod: expected made_before in it, seen {text:?}"
    );
    let _map = bpf::hash_map("made_after", 5, 1)?;
    let rows = bpf::map_rows(MNT)?;
    ensure!(
        rows.iter().any(|row| row.name == "made_after"),
        "expected made_after, seen {rows:?}"
    );
    Ok(())
}

pub fn a_mount_after_rmmod_finds_no_provider() -> Result<()> {
    load()?;
    unload()?;
    let said = dmesg()?.len();
    mount_bpffs(MNT)?;
    let files = fs::read_dir(MNT)?.count();
    ensure!(files == 0, "files: expected 0, seen {files}");
    // Ops that point to a module that is gone show only here: inode.c cannot take a reference to it.
    let lines = dmesg()?.split_off(said);
    ensure!(
        !lines.iter().any(|line| line.contains("bpf_preload")),
        "expected inode.c to find no ops and to say nothing, seen {lines:?}"
    );
    Ok(())
}

pub fn nothing_is_left_after_rmmod_and_umount() -> Result<()> {
    // The vmlinux BTF gets its id with the first prog.
    let bystander = bpf::prog("bystander", None)?;
    let before = Ids::now();
    load()?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    let ours = Ids::now().since(&before);
    ensure!(
        ours.progs.len() >= 2 && ours.links.len() >= 2 && !ours.maps.is_empty(),
        "expected two progs, two links and a map while loaded, seen {ours:?}"
    );
    let open = File::open(format!("{MNT}/progs.debug"))?;
    unload()?;
    umount(MNT)
        .err()
        .context("expected umount to be refused while a file is open")?;
    drop(open);
    umount(MNT)?;
    eventually(|| {
        let left = Ids::now().since(&before);
        ensure!(
            left == Ids::default(),
            "left after rmmod and umount: expected nothing, seen {left:?}"
        );
        Ok(())
    })?;
    drop(bystander);
    Ok(())
}

pub fn ten_loads_and_unloads_each_give_readable_files() -> Result<()> {
    let fds_before = fds()?;
    drop(bpf::prog("first", None)?);
    let before = Ids::now().btfs;
    for round in 1..=10 {
        load().with_context(|| format!("round {round}"))?;
        mount_bpffs(MNT)?;
        expect_both_files(MNT).with_context(|| format!("round {round}"))?;
        umount(MNT)?;
        unload().with_context(|| format!("round {round}"))?;
    }
    expect_fds(&fds_before, "ten rounds")?;
    eventually(|| {
        let now = Ids::now();
        let left = (now.progs, now.maps, now.links, &now.btfs - &before);
        ensure!(
            left == Default::default(),
            "left after ten rounds (progs, maps, links, BTFs): expected nothing, seen {left:?}"
        );
        Ok(())
    })
}

fn load_with_hold_0() -> Result<()> {
    insmod_with(&module_file(), c"hold=0")?.context("expected it to load with hold=0")
}

/// How many there are of what the iterators are made of, since `before`: progs, maps, links, BTFs.
fn expect_loads(before: &Ids, loads: usize) -> Result<()> {
    eventually(|| {
        let now = Ids::now().since(before);
        let seen = [
            now.progs.len(),
            now.maps.len(),
            now.links.len(),
            now.btfs.len(),
        ];
        let expected = [2 * loads, loads, 2 * loads, loads];
        ensure!(
            seen == expected,
            "progs, maps, links, BTFs: expected {expected:?}, seen {seen:?}"
        );
        Ok(())
    })
}

pub fn with_hold_0_what_a_mount_has_loaded_goes_with_its_files() -> Result<()> {
    let fds_before = fds()?;
    let at_start = Ids::now();
    load_with_hold_0()?;
    // The module can have BTF of its own.
    let before = Ids::now();
    let loaded = before.since(&at_start);
    ensure!(
        loaded.progs.is_empty() && loaded.maps.is_empty() && loaded.links.is_empty(),
        "insmod with hold=0: expected nothing that is loaded, seen {loaded:?}"
    );
    mount_bpffs(MNT)?;
    expect_fds(&fds_before, "the mount")?;
    expect_both_files(MNT)?;
    expect_loads(&before, 1)?;
    mount_bpffs("/tmp/second")?;
    expect_both_files("/tmp/second")?;
    expect_loads(&before, 2)?;
    umount("/tmp/second")?;
    expect_loads(&before, 1)?;

    // Who reads goes on reading.
    let mut open = File::open(format!("{MNT}/progs.debug"))?;
    fs::remove_file(format!("{MNT}/progs.debug"))?;
    fs::remove_file(format!("{MNT}/maps.debug"))?;
    let mut text = String::new();
    open.read_to_string(&mut text)?;
    ensure!(
        text.contains(" dump_bpf_prog "),
        "expected rows of an open file, seen {text:?}"
    );
    drop(open);
    bpf::expect_nothing_since(&before, "removing the files")?;
    umount(MNT)?;

    // Files outlive the module, and nothing else does.
    mount_bpffs(MNT)?;
    unload()?;
    expect_both_files(MNT)?;
    umount(MNT)?;
    bpf::expect_nothing_since(&at_start, "umount after rmmod")
}

pub fn with_hold_0_a_hundred_mounts_at_once_and_rmmods_between_leave_nothing() -> Result<()> {
    const ROUNDS: usize = 5;
    const THREADS: usize = 4;
    const MOUNTS: usize = 5;
    let path = |round, thread, mount| format!("/tmp/of-many-{round}-{thread}-{mount}");
    let before = Ids::now();
    load_with_hold_0()?;
    let mounts = |round: usize, thread: usize| -> Result<()> {
        for mount in 0..MOUNTS {
            let path = path(round, thread, mount);
            mount_bpffs(&path)?;
            // Without the module there are none, with it there are both.
            while fs::read_dir(&path)?.next().is_none() {
                umount(&path)?;
                std::thread::sleep(Duration::from_millis(1));
                mount_bpffs(&path)?;
            }
            expect_both_files(&path)?;
        }
        Ok(())
    };
    let mut between = 0;
    for round in 0..ROUNDS {
        std::thread::scope(|scope| -> Result<()> {
            let mounters: Vec<_> = (0..THREADS)
                .map(|thread| scope.spawn(move || mounts(round, thread)))
                .collect();
            // While a mount has the module it does not go.
            while mounters.iter().any(|mounter| !mounter.is_finished()) {
                if unload().is_ok() {
                    between += 1;
                    load_with_hold_0()?;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            for mounter in mounters {
                mounter.join().expect("a thread that does not panic")?;
            }
            Ok(())
        })?;
        unload()?;
        load_with_hold_0()?;
    }
    note(&format!("{between} rmmods while others mounted"));
    expect_loads(&before, ROUNDS * THREADS * MOUNTS)?;
    for round in 0..ROUNDS {
        for thread in 0..THREADS {
            for mount in 0..MOUNTS {
                umount(&path(round, thread, mount))?;
            }
        }
    }
    bpf::expect_nothing_since(&before, "all umounts")?;
    unload()
}
