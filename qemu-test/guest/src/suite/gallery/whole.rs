// SPDX-License-Identifier: GPL-2.0
//! The gallery as a whole: it goes without a trace, and says why a load was refused.

use anyhow::{ensure, Context, Result};
use rustix::io::Errno;
use scenarios::{C_MODULE, GALLERY, MODULE_DIR};

use super::{load, load_gallery, said_of, try_load};
use crate::bpf::{self, Ids};
use crate::kernel::{expect_fds, fds, insmod_in_child, insmod_with, loaded_modules, rmmod};

pub fn gallery_a_refused_prog_is_explained_in_dmesg() -> Result<()> {
    let seen = try_load(&["broken"])?;
    ensure!(
        seen == Err(Errno::ACCESS),
        "insmod: expected EACCES, seen {seen:?}"
    );
    let lines = said_of("broken")?;
    // The verifier's words, under the prog's name, and nothing of the prog before it.
    let (last, log) = lines.split_last().expect("at least one line");
    ensure!(
        log.iter().all(|line| line.starts_with("reads_too_far: "))
            && log
                .iter()
                .any(|line| line.contains("invalid access to map value"))
            && log.len() <= 257,
        "expected the verifier's log of reads_too_far, seen {lines:?}"
    );
    ensure!(
        last == "failed to load prog reads_too_far: EACCES (-13)",
        "expected a last line that names prog and errno, seen {last:?}"
    );
    Ok(())
}

pub fn gallery_a_refused_prog_is_tried_twice() -> Result<()> {
    // Ids of maps go up: each one that was created has used one up.
    let next_id = || -> Result<u32> {
        let _map = bpf::hash_map("next", 1, 0)?;
        Ids::now().maps.last().copied().context("no id")
    };
    let before = next_id()?;
    let seen = try_load(&["broken"])?;
    ensure!(
        seen == Err(Errno::ACCESS),
        "insmod: expected EACCES, seen {seen:?}"
    );
    // The loader's map, and the object's own at each try.
    let seen = next_id()? - before - 1;
    ensure!(
        seen == 1 + 2,
        "maps of a load that is refused: expected 3, seen {seen}"
    );
    Ok(())
}

pub fn gallery_log_level_sets_what_is_logged() -> Result<()> {
    // BPF_LOG_STATS
    let seen = insmod_with(
        &format!("{MODULE_DIR}/{GALLERY}.ko"),
        c"broken=1 log_level=4",
    )?;
    ensure!(
        seen == Err(Errno::ACCESS),
        "insmod: expected EACCES, seen {seen:?}"
    );
    let lines = said_of("broken")?;
    ensure!(
        lines.iter().any(|line| line.contains("verification time"))
            && !lines.iter().any(|line| line.contains("R0=")),
        "expected statistics and no instructions, seen {lines:?}"
    );
    Ok(())
}

pub fn gallery_names_what_the_kernel_lacks() -> Result<()> {
    for (entry, expected) in [
        (
            "missing_kfunc",
            "failed to find bpf_no_such_kfunc for prog calls_missing: ENOENT (-2): \
             this kernel is too old for it or configured without it, or its module is not loaded",
        ),
        (
            "missing_target",
            "failed to find no_such_function for prog has_no_target: ENOENT (-2): \
             this kernel is too old for it or configured without it, or its module is not loaded",
        ),
    ] {
        let seen = try_load(&[entry])?;
        ensure!(
            seen == Err(Errno::NOENT),
            "insmod: expected ENOENT, seen {seen:?}"
        );
        let lines = said_of(entry)?;
        ensure!(
            lines == [expected],
            "expected one line, {expected:?}, seen {lines:?}"
        );
    }
    Ok(())
}

pub fn gallery_a_failed_load_leaves_no_btf_of_a_module_open() -> Result<()> {
    insmod_in_child(C_MODULE, "")?;
    let before = fds()?;
    let seen = try_load(&["module_btf"])?;
    ensure!(
        seen == Err(Errno::NOENT),
        "insmod: expected ENOENT, seen {seen:?}"
    );
    let lines = said_of("module_btf")?;
    // preload() was found, in the C provider.
    ensure!(
        lines.len() == 1 && lines[0].contains("failed to find bpf_no_such_kfunc"),
        "expected one line that names bpf_no_such_kfunc, seen {lines:?}"
    );
    expect_fds(&before, "a refused insmod")
}

pub fn gallery_leaves_nothing_after_rmmod() -> Result<()> {
    // The vmlinux BTF gets its id with the first prog.
    let bystander = bpf::prog("bystander", None)?;
    let fds_before = fds()?;
    let before = Ids::now();
    load_gallery()?;
    expect_fds(&fds_before, "insmod")?;
    rmmod(GALLERY)?;
    expect_fds(&fds_before, "rmmod")?;
    bpf::expect_nothing_since(&before, "rmmod")?;
    drop(bystander);
    Ok(())
}

pub fn gallery_leaves_nothing_when_its_last_entry_is_refused() -> Result<()> {
    let bystander = bpf::prog("bystander", None)?;
    let fds_before = fds()?;
    let before = Ids::now();
    let seen = try_load(&["bloom_filter", "raw_tp", "broken"])?;
    ensure!(
        seen == Err(Errno::ACCESS),
        "insmod: expected EACCES, seen {seen:?}"
    );
    ensure!(
        !loaded_modules()?.iter().any(|name| name == GALLERY),
        "expected no {GALLERY}, seen it loaded"
    );
    expect_fds(&fds_before, "a refused insmod")?;
    bpf::expect_nothing_since(&before, "a refused insmod")?;
    // And it can be loaded after that.
    load("bloom_filter")?;
    drop(bystander);
    Ok(())
}
