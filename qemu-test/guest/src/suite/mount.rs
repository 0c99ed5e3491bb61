// SPDX-License-Identifier: GPL-2.0
//! What a mount shows.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Barrier;

use anyhow::{ensure, Context, Result};
use libbpf_rs::query::{MapInfoIter, ProgInfoIter, ProgInfoQueryOptions};
use libbpf_rs::{MapCore, MapFlags};
use rustix::mount::{mount_change, MountPropagationFlags};
use rustix::thread::UnshareFlags;

use crate::bpf::{self, expect_both_files, hash_map, map_rows, prog_rows, Ids, MapRow};
use crate::kernel::{
    dmesg, eventually, expect_fds, fds, load, loaded_modules, module, mount_bpffs, umount, unload,
};

const MNT: &str = "/tmp/bpf";

pub fn mount_pins_maps_debug_and_progs_debug() -> Result<()> {
    mount_bpffs(MNT)?;
    let seen = fs::read_dir(MNT)?.count();
    ensure!(
        seen == 0,
        "files without a module: expected 0, seen {seen}: this test proves nothing"
    );
    umount(MNT)?;

    load()?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)?;
    for name in ["maps.debug", "progs.debug"] {
        let meta = fs::symlink_metadata(format!("{MNT}/{name}"))?;
        let seen = (
            meta.is_file(),
            format!("{:o}", meta.mode()),
            meta.uid(),
            meta.gid(),
        );
        let expected = (true, "100400".to_owned(), 0, 0);
        ensure!(
            seen == expected,
            "{name} (regular file, mode, uid, gid): expected {expected:?}, seen {seen:?}"
        );
    }
    Ok(())
}

pub fn files_list_the_modules_own_progs_and_map() -> Result<()> {
    load()?;
    mount_bpffs(MNT)?;
    let progs = prog_rows(MNT)?;
    let maps = map_rows(MNT)?;
    let options = ProgInfoQueryOptions::default().include_map_ids(true);
    let infos: Vec<_> = ProgInfoIter::with_query_opts(options).collect();
    for (name, target) in [
        ("dump_bpf_map", "bpf_iter_bpf_map"),
        ("dump_bpf_prog", "bpf_iter_bpf_prog"),
    ] {
        let info = infos
            .iter()
            .find(|info| info.name == name)
            .with_context(|| format!("expected bpf(2) to list a prog {name}, seen none"))?;
        let row = progs
            .iter()
            .find(|row| row.id == info.id)
            .with_context(|| format!("expected prog {} in progs.debug, seen {progs:?}", info.id))?;
        ensure!(
            row.name == name && row.attached == target,
            "row of {name}: expected it attached to {target}, seen {row:?}"
        );
        ensure!(
            !info.map_ids.is_empty(),
            "maps of {name}: expected one, seen none"
        );
        for id in &info.map_ids {
            ensure!(
                maps.iter().any(|row| row.id == *id),
                "expected map {id} of {name} in maps.debug, seen {maps:?}"
            );
        }
    }
    Ok(())
}

pub fn files_list_what_bpf_lists() -> Result<()> {
    let _maps = (
        hash_map("first", 11, 2)?,
        hash_map("second_15_bytes", 22, 0)?,
        hash_map("", 33, 1)?,
    );
    let _prog = bpf::prog("bystander", None)?;
    load()?;
    mount_bpffs(MNT)?;
    // The loader's own map and prog are freed late: they may be in one list and no longer in the other.
    eventually(|| {
        let expected: BTreeSet<_> = MapInfoIter::default()
            .map(|map| {
                (
                    map.id,
                    map.name.to_string_lossy().into_owned(),
                    map.max_entries,
                )
            })
            .collect();
        let seen: BTreeSet<_> = map_rows(MNT)?
            .into_iter()
            .map(|row| (row.id, row.name, row.max_entries))
            .collect();
        ensure!(
            expected == seen,
            "maps (id, name, max_entries): expected {expected:?}, seen {seen:?}"
        );
        let expected = Ids::now().progs;
        let seen: BTreeSet<_> = prog_rows(MNT)?.into_iter().map(|row| row.id).collect();
        ensure!(
            expected == seen,
            "prog ids: expected {expected:?}, seen {seen:?}"
        );
        Ok(())
    })
}

pub fn a_map_and_a_prog_loaded_after_the_mount_appear() -> Result<()> {
    load()?;
    mount_bpffs(MNT)?;
    let before = Ids::now();
    let map = hash_map("after_the_mount", 7, 3)?;
    let _prog = bpf::prog("late_prog", None)?;
    let new = Ids::now().since(&before);
    let id = |ids: &BTreeSet<u32>| ids.first().copied().context("bpf(2) lists nothing new");
    let expected = MapRow {
        id: id(&new.maps)?,
        name: "after_the_mount".to_owned(),
        max_entries: 7,
        cur_entries: 3,
    };
    let rows = map_rows(MNT)?;
    ensure!(
        rows.contains(&expected),
        "expected {expected:?}, seen {rows:?}"
    );
    let prog_id = id(&new.progs)?;
    let rows = prog_rows(MNT)?;
    ensure!(
        rows.iter()
            .any(|row| row.id == prog_id && row.name == "late_prog"),
        "expected prog {prog_id} late_prog, seen {rows:?}"
    );

    // Each reading counts anew, and the columns are where the C provider has them.
    map.delete(&0u32.to_ne_bytes())?;
    map.update(&8u32.to_ne_bytes(), &[0; 4], MapFlags::ANY)?;
    map.update(&9u32.to_ne_bytes(), &[0; 4], MapFlags::ANY)?;
    let expected = format!(
        "{:4} {:<16}  {:>10}   {:>10}",
        expected.id, "after_the_mount", 7, 4
    );
    let text = fs::read_to_string(format!("{MNT}/maps.debug"))?;
    ensure!(
        text.lines().any(|line| line.starts_with(&expected)),
        "expected a line that begins with {expected:?}, seen {text:?}"
    );
    drop(map);
    eventually(|| {
        let rows = map_rows(MNT)?;
        ensure!(
            rows.iter().all(|row| row.name != "after_the_mount"),
            "expected no row of a map that is gone, seen {rows:?}"
        );
        Ok(())
    })
}

pub fn a_prog_is_listed_with_its_full_name_from_btf() -> Result<()> {
    let full = "a_function_name_of_more_than_fifteen_bytes";
    let _prog = bpf::prog("a_function_name", Some(full))?;
    load()?;
    mount_bpffs(MNT)?;
    let rows = prog_rows(MNT)?;
    ensure!(
        rows.iter().any(|row| row.name == full),
        "expected {full}, seen {rows:?}"
    );
    Ok(())
}

pub fn every_mount_has_both_files() -> Result<()> {
    load()?;
    for path in ["/tmp/one", "/tmp/two", "/tmp/three"] {
        mount_bpffs(path)?;
    }
    // SAFETY: a new mount namespace leaves the fd table alone.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS)? };
    mount_change(
        "/",
        MountPropagationFlags::PRIVATE | MountPropagationFlags::REC,
    )?;
    mount_bpffs("/tmp/in_a_namespace")?;
    for path in ["/tmp/one", "/tmp/two", "/tmp/three", "/tmp/in_a_namespace"] {
        expect_both_files(path)?;
    }
    // Unmounting one takes nothing from the others.
    umount("/tmp/two")?;
    expect_both_files("/tmp/one")?;
    expect_both_files("/tmp/in_a_namespace")
}

pub fn two_mounts_at_the_same_time_have_both_files() -> Result<()> {
    const ROUNDS: usize = 50;
    let cpus = std::thread::available_parallelism()?.get();
    ensure!(cpus == 2, "CPUs: expected 2, seen {cpus}");
    load()?;
    let start = Barrier::new(2);
    // One wrong round must not keep the other thread at the barrier: errors are looked at afterwards.
    let mounts = |path: &str| {
        (0..ROUNDS)
            .map(|round| {
                start.wait();
                mount_bpffs(path)?;
                expect_both_files(path).with_context(|| format!("round {round}"))?;
                umount(path)
            })
            .collect::<Vec<Result<()>>>()
    };
    let results = std::thread::scope(|scope| {
        let other = scope.spawn(|| mounts("/tmp/other"));
        let mut results = mounts("/tmp/this");
        results.extend(other.join().expect("a thread that does not panic"));
        results
    });
    results.into_iter().collect()
}

pub fn a_mount_loads_the_module_by_its_alias() -> Result<()> {
    let path = fs::read_to_string("/proc/sys/kernel/modprobe")?;
    ensure!(
        path.trim_end() == "/sbin/modprobe",
        "/proc/sys/kernel/modprobe: expected /sbin/modprobe, seen {path:?}"
    );
    let modules = loaded_modules()?;
    ensure!(
        modules.is_empty(),
        "modules before the mount: expected none, seen {modules:?}"
    );
    mount_bpffs(MNT)?;
    let modules = loaded_modules()?;
    ensure!(
        modules == [module()],
        "modules after the mount: expected {}, seen {modules:?}; dmesg ends with {:?}",
        module(),
        dmesg()?.into_iter().rev().take(3).collect::<Vec<_>>()
    );
    expect_both_files(MNT)?;

    // And again, when it was taken away meanwhile.
    umount(MNT)?;
    unload()?;
    mount_bpffs(MNT)?;
    expect_both_files(MNT)
}

pub fn mount_leaves_no_fd_in_the_mounting_task() -> Result<()> {
    load()?;
    let before = fds()?;
    mount_bpffs(MNT)?;
    expect_fds(&before, "a mount")?;
    expect_both_files(MNT)
}
