// SPDX-License-Identifier: GPL-2.0
//! What loading does, and when it is refused.

use std::fs::{self, File};

use anyhow::{ensure, Context, Result};
use rustix::io::Errno;
use rustix::system::finit_module;
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
    insmod_in_child(C_MODULE)?;
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
