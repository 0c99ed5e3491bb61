// SPDX-License-Identifier: GPL-2.0
//! What loading does, and when it is refused.

use std::fs::{self, File};

use anyhow::{ensure, Context, Result};
use rustix::io::Errno;
use rustix::process::{getrlimit, setrlimit, Resource, Rlimit};
use rustix::system::finit_module;
use rustix::thread::{capabilities, set_capabilities, CapabilitySet, CapabilitySets};
use scenarios::C_MODULE;

use crate::bpf::{self, expect_both_files, Ids};
use crate::kernel::{
    dmesg, eventually, expect_fds, fds, insmod, insmod_in_child, load, loaded_modules, module,
    module_file, mount_bpffs, rmmod, umount, unload,
};

const MNT: &str = "/tmp/bpf";

pub fn load_leaves_no_fd_in_the_loading_task() -> Result<()> {
    let before = fds()?;
    load()?;
    expect_fds(&before, "loading")?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    unload()?;
    expect_fds(&before, "loading and rmmod")
}

pub fn load_leaves_no_fd_when_0_1_and_2_are_closed() -> Result<()> {
    // Above 2, because 0 to 2 are open now.
    let file = File::open(module_file())?;
    for fd in 0..3 {
        // SAFETY: the console, which nobody here uses until the end of the machine.
        unsafe { rustix::io::close(fd) };
    }
    let before = fds()?;
    ensure!(
        before.keys().all(|fd| *fd > 2),
        "fds: expected 0, 1 and 2 closed, seen {before:?}"
    );
    finit_module(&file, c"", 0).context("expected the module to load, seen an error")?;
    expect_fds(&before, "loading")?;
    mount_bpffs(MNT)?;
    expect_fds(&before, "a mount")?;
    expect_both_files(MNT)?;
    unload()?;
    expect_fds(&before, "rmmod")
}

pub fn load_says_at_most_one_line() -> Result<()> {
    let prefix = format!("{}: ", module());
    load()?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    umount(MNT)?;
    unload()?;
    let said: Vec<_> = dmesg()?
        .into_iter()
        // The kernel itself says under our name that an unsigned module from outside its tree taints it.
        .filter(|line| line.starts_with(&prefix) && !line.contains("taint"))
        .collect();
    ensure!(
        said.len() <= 1,
        "lines of {prefix:?}: expected at most 1, seen {said:?}"
    );
    Ok(())
}

pub fn a_second_load_is_refused_with_eexist() -> Result<()> {
    load()?;
    let before = fds()?;
    let seen = insmod(&module_file())?;
    ensure!(
        seen == Err(Errno::EXIST),
        "a second load: expected EEXIST, seen {seen:?}"
    );
    expect_fds(&before, "a second load")?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)
}

pub fn a_corrupt_module_is_refused_and_leaves_nothing() -> Result<()> {
    // The vmlinux BTF gets its id with the first prog.
    drop(bpf::prog("first", None)?);
    let good = fs::read(module_file())?;
    let flipped = |at: usize| {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        bad
    };
    let before = fds()?;
    let mut ids = Ids::default();
    eventually(|| {
        ids = Ids::now();
        ensure!(
            ids.progs.is_empty(),
            "the test's own prog: expected it freed"
        );
        Ok(())
    })?;
    for (what, bad, expected) in [
        ("a byte of the magic", flipped(0), Errno::NOEXEC),
        ("a byte of e_type", flipped(16), Errno::NOEXEC),
        ("a byte of e_machine", flipped(18), Errno::NOEXEC),
        ("a byte of e_shoff", flipped(40 + 3), Errno::NOEXEC),
        (
            "the second half missing",
            good[..good.len() / 2].to_vec(),
            Errno::NOEXEC,
        ),
        (
            "all but 63 bytes missing",
            good[..63].to_vec(),
            Errno::NOEXEC,
        ),
        ("an empty file", Vec::new(), Errno::INVAL),
    ] {
        let path = "/tmp/corrupt.ko";
        fs::write(path, bad)?;
        let seen = insmod(path)?;
        ensure!(
            seen == Err(expected),
            "{what}: expected {expected:?}, seen {seen:?}"
        );
        let modules = loaded_modules()?;
        ensure!(
            modules.is_empty(),
            "modules after {what}: expected none, seen {modules:?}"
        );
        expect_fds(&before, what)?;
        eventually(|| {
            let left = Ids::now().since(&ids);
            ensure!(
                left == Ids::default(),
                "left after {what}: expected nothing, seen {left:?}"
            );
            Ok(())
        })?;
    }
    load()?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)
}

pub fn load_is_refused_when_ops_are_taken() -> Result<()> {
    insmod_in_child(C_MODULE, "")?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT).context("with the C provider alone")?;
    let before = fds()?;
    let said = dmesg()?.len();
    let seen = insmod(&module_file())?;
    ensure!(
        seen == Err(Errno::BUSY),
        "loading beside the C provider: expected EBUSY, seen {seen:?}"
    );
    expect_fds(&before, "a refused load")?;
    let prefix = format!("{}: ", module());
    let lines = dmesg()?.split_off(said);
    ensure!(
        lines
            .iter()
            .any(|line| line.starts_with(&prefix) && !line.contains("taint")),
        "expected a line of {prefix:?} that says why, seen {lines:?}"
    );
    let modules = loaded_modules()?;
    ensure!(
        modules == ["bpf_preload"],
        "modules: expected only the C provider, seen {modules:?}"
    );

    // The slot is still the C provider's, as it shows in a new mount.
    mount_bpffs("/tmp/second")?;
    expect_both_files("/tmp/second").context("of the C provider after the refused load")?;
    rmmod("bpf_preload")?;
    mount_bpffs("/tmp/without")?;
    let files = fs::read_dir("/tmp/without")?.count();
    ensure!(
        files == 0,
        "files without a provider: expected 0, seen {files}"
    );

    load()?;
    mount_bpffs("/tmp/ours")?;
    expect_both_files("/tmp/ours").context("of our own after the C provider's rmmod")
}

pub fn load_says_why_and_leaves_nothing_with_the_jit_off() -> Result<()> {
    let jit = "/proc/sys/net/core/bpf_jit_enable";
    fs::write(jit, "0").context(jit)?;
    expect_refused(
        Errno::OPNOTSUPP,
        "EOPNOTSUPP (-95): is the JIT off? sysctl net.core.bpf_jit_enable=1",
    )?;
    fs::write(jit, "1").context(jit)?;
    load()?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)
}

pub fn load_says_why_and_leaves_nothing_without_the_capabilities() -> Result<()> {
    let before = fds()?;
    let said = dmesg()?.len();
    let all = capabilities(None)?;
    // What it takes to load a module, and none of what bpf(2) asks for.
    let some = CapabilitySets {
        effective: CapabilitySet::SYS_MODULE,
        ..all
    };
    set_capabilities(None, some)?;
    let seen = insmod(&module_file());
    set_capabilities(None, all)?;
    expect_clean_refusal(
        seen?,
        Errno::PERM,
        "EPERM (-1): it takes CAP_SYS_ADMIN",
        said,
    )?;
    expect_fds(&before, "a refused load")?;
    load()
}

pub fn load_says_why_and_leaves_nothing_at_every_limit_of_open_files() -> Result<()> {
    let file = File::open(module_file())?;
    let before = fds()?;
    let first_free = (0..).find(|fd| !before.contains_key(fd)).unwrap_or(0) as u64;
    let full = getrlimit(Resource::Nofile);
    for limit in first_free.. {
        ensure!(
            limit < first_free + 20,
            "expected the module to load with 20 free fds, seen EMFILE"
        );
        let said = dmesg()?.len();
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(limit),
                maximum: full.maximum,
            },
        )?;
        let seen = finit_module(&file, c"", 0);
        setrlimit(Resource::Nofile, full)?;
        if seen.is_ok() {
            break;
        }
        expect_clean_refusal(
            seen,
            Errno::MFILE,
            "EMFILE (-24): raise the limit of open files",
            said,
        )
        .with_context(|| format!("with {} free fds", limit - first_free))?;
        expect_fds(&before, "a refused load")?;
    }
    mount_bpffs(MNT)?;
    expect_both_files(MNT)
}

/// A load that the kernel has to refuse, and nothing else comes of it.
fn expect_refused(expected: Errno, name: &str) -> Result<()> {
    let before = fds()?;
    let said = dmesg()?.len();
    let seen = insmod(&module_file())?;
    expect_clean_refusal(seen, expected, name, said)?;
    expect_fds(&before, "a refused load")
}

/// A refusal has its errno, one line that names a step and the errno, and leaves no BPF object.
fn expect_clean_refusal(
    seen: Result<(), Errno>,
    expected: Errno,
    name: &str,
    said: usize,
) -> Result<()> {
    ensure!(
        seen == Err(expected),
        "loading: expected {expected:?}, seen {seen:?}"
    );
    let prefix = format!("{}: ", module());
    let lines: Vec<_> = dmesg()?
        .split_off(said)
        .into_iter()
        .filter(|line| line.starts_with(&prefix) && !line.contains("taint"))
        .collect();
    ensure!(
        matches!(&lines[..], [line] if line.contains("failed to") && line.contains(name)),
        "expected one line of {prefix:?} with a step and {name}, seen {lines:?}"
    );
    // The BTF of vmlinux stays once it was asked for.
    eventually(|| {
        let left = Ids::now();
        ensure!(
            left.progs.is_empty() && left.maps.is_empty() && left.links.is_empty(),
            "left after a refused load: expected nothing, seen {left:?}"
        );
        Ok(())
    })
}
