// SPDX-License-Identifier: GPL-2.0
//! What a light skeleton can do: lskel_features.ko, and what its progs leave behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context, Result};
use libbpf_rs::query::ProgInfoIter;
use libbpf_rs::{MapCore, MapFlags};
use rustix::io::Errno;
use rustix::mount::{mount, MountFlags};
use rustix::process::setpriority_process;
use scenarios::{APART, MODULE_DIR};

use crate::bpf::{self, Ids};
use crate::kernel::{dmesg, eventually, expect_fds, fds, insmod, insmod_with, need_bpf_lsm, rmmod};
use crate::ktap::note;

const MODULE: &str = "lskel_features";

pub fn a_skeletons_globals_set_before_and_after_load_are_what_progs_see() -> Result<()> {
    // The number is there once where the module has written it, then also where a prog has copied it to.
    let copies_in_bss = || -> Result<usize> {
        let bss = bpf::map("features.bss")?
            .lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)?
            .context("expected a value in features.bss, seen none")?;
        let number = 1234_u32.to_ne_bytes();
        Ok(bss.chunks(4).filter(|chunk| *chunk == number).count())
    };
    load()?;
    let before = copies_in_bss()?;
    for _ in 0..2 {
        test_run("use_globals")?;
    }
    let after = copies_in_bss()?;
    ensure!(
        (before, after) == (1, 2),
        "1234 in .bss before and after a prog ran: expected 1 and 2 times, seen {before} and {after}"
    );
    expect(
        &unload()?,
        &[
            // .rodata
            ("answer", 42),
            // .data, in each of two runs
            ("sum_of_steps", 2 * 5),
            // .bss
            ("from_module", 1234),
        ],
    )
}

pub fn a_skeleton_takes_the_data_that_it_was_built_with_and_no_others() -> Result<()> {
    insmod(&format!("{MODULE_DIR}/lskel_blob.ko"))?.context("loading lskel_blob.ko")?;
    let good = fs::read(APART)?;
    // What lskel_blob.ko takes: 3, and the data.
    let write = |data: &[u8]| {
        let request = [&3_u32.to_ne_bytes(), data].concat();
        let device = fs::File::options().write(true).open("/dev/lskel_blob")?;
        Ok::<_, anyhow::Error>(rustix::io::write(&device, &request).map(|_| device))
    };
    let device = write(&good)??;
    // 3, as the module has set it.
    let step = bpf::global("apart.rodata", "step")?;
    ensure!(
        step == 3_u32.to_ne_bytes(),
        "step: expected 3, seen {step:?}"
    );
    drop(device);

    let mut changed = good.clone();
    *changed.last_mut().context("no data")? ^= 1;
    let longer = [&good[..], &[0; 8]].concat();
    let fds_before = fds()?;
    for (what, data) in [
        ("a changed bit", &changed[..]),
        ("8 bytes more", &longer),
        ("8 bytes less", &good[..good.len() - 8]),
        ("nothing", &[]),
    ] {
        let seen = write(data)?.map(drop);
        ensure!(
            seen == Err(Errno::BADMSG),
            "{what}: expected EBADMSG, seen {seen:?}"
        );
    }
    expect_fds(&fds_before, "writes that are refused")?;
    let mut lines = dmesg()?;
    lines.retain(|line| line.starts_with("lskel_blob: failed"));
    let expected = "lskel_blob: failed to read its data: EBADMSG (-74): \
                    they are not those that the module was built with";
    ensure!(
        lines == [expected; 4],
        "expected four times {expected:?}, seen {lines:?}"
    );
    Ok(())
}

pub fn a_skeletons_max_entries_set_before_load_hold() -> Result<()> {
    load()?;
    let map = bpf::map("sized")?;
    let seen = map.max_entries();
    ensure!(seen == 77, "max_entries: expected 77, seen {seen}");
    let put = |key: u32| map.update(&key.to_ne_bytes(), &[0; 4], MapFlags::ANY);
    for key in 0..77 {
        put(key).with_context(|| format!("element {key}"))?;
    }
    ensure!(
        put(77).is_err(),
        "element 77: expected it refused, seen it taken"
    );
    Ok(())
}

pub fn a_skeletons_static_prog_array_slot_is_filled() -> Result<()> {
    load()?;
    // One jump for each prog that the module attaches after the one that jumps.
    expect(&unload()?, &[("jumps", 9), ("no_jumps", 0)])
}

pub fn a_skeletons_fentry_fexit_fmod_ret_and_tp_btf_progs_run() -> Result<()> {
    load()?;
    test_run("count_fentry")?;
    let seen = test_run("count_fmod_ret")?;
    // 42 for bpf_modify_return_test(), which is left out with its side effect; 29 and one side effect of
    // bpf_modify_return_test2().
    let expected = (1 << 16) | (42 + 29);
    ensure!(
        seen == expected,
        "test run of count_fmod_ret: expected {expected:#x}, seen {seen:#x}"
    );
    // The guest itself, which says that this is not how it is meant to be run.
    let mut child = Command::new("/proc/self/exe").spawn()?;
    let pid = child.id();
    child.wait()?;
    expect(
        &unload()?,
        &[
            ("fentry", 1),
            ("fexit", 1),
            ("fmod_ret", 1),
            ("tp_btf", 1),
            ("new_pid", pid),
        ],
    )
}

pub fn a_skeletons_lsm_prog_runs() -> Result<()> {
    need_bpf_lsm()?;
    load()?;
    setpriority_process(None, 12).context("expected niceness 12 to be granted")?;
    let seen = setpriority_process(None, 13);
    ensure!(
        seen == Err(Errno::PERM),
        "niceness 13: expected EPERM, seen {seen:?}"
    );
    expect(&unload()?, &[("lsm", 1)])
}

pub fn a_skeletons_subprogs_ksyms_and_fields_are_resolved() -> Result<()> {
    load()?;
    // These three attach to what a test run of any of them calls.
    test_run("call_subprogs")?;
    expect(
        &unload()?,
        &[
            ("subprogs", (1 + 10) + (1 + 20)),
            ("weak_present", 1),
            ("weak_absent", 0),
            // What the strong one, bpf_map_sum_elem_count(), counts.
            ("elements", 1),
            ("core_fields", 1),
            ("no_core_fields", 0),
        ],
    )
}

pub fn a_skeletons_optional_prog_is_not_loaded_and_unload_leaves_nothing() -> Result<()> {
    // The vmlinux BTF gets its id with the first prog.
    let bystander = bpf::prog("bystander", None)?;
    let fds_before = fds()?;
    let before = Ids::now();
    load()?;
    expect_fds(&fds_before, "loading")?;
    // All that is attached: what else the object has is gone, or never was.
    let expected = [
        "ask_for_fields",
        "bystander",
        "call_subprogs",
        "count_fentry",
        "count_fexit",
        "count_fmod_ret",
        "count_lsm",
        "count_tp_btf",
        "use_globals",
        "use_ksyms",
    ]
    .map(str::to_owned)
    .into_iter()
    .collect::<BTreeSet<_>>();
    eventually(|| {
        let seen = ProgInfoIter::default()
            .map(|info| info.name.to_string_lossy().into_owned())
            .collect::<BTreeSet<_>>();
        ensure!(
            seen == expected,
            "progs: expected {expected:?}, seen {seen:?}"
        );
        Ok(())
    })?;
    test_run("use_globals")?;
    unload()?;
    expect_fds(&fds_before, "rmmod")?;
    eventually(|| {
        let left = Ids::now().since(&before);
        ensure!(
            left == Ids::default(),
            "left after rmmod: expected nothing, seen {left:?}"
        );
        Ok(())
    })?;
    drop(bystander);
    Ok(())
}

pub fn a_skeleton_is_loaded_after_init_only_if_it_was_kept() -> Result<()> {
    let before = bpf::Ids::now();
    insmod_with(&format!("{MODULE_DIR}/lskel_many.ko"), c"progs=1")??;
    rmmod("lskel_many")?;
    let lines = dmesg()?;
    for line in [
        "lskel_many: kept: loaded",
        "lskel_many: not kept: failed to read its data: ENXIO (-6): they went when the module's init had returned: keep() them there",
    ] {
        ensure!(
            lines.iter().any(|seen| seen == line),
            "expected {line:?}, seen {lines:?}"
        );
    }
    bpf::expect_nothing_since(&before, "the loads")
}

pub fn a_skeleton_of_500_progs_loads_on_the_kernels_stack() -> Result<()> {
    const MANY: &str = "lskel_many";
    let tracing = "/sys/kernel/tracing";
    // Stock kernels can say how deep it went.
    let tracer = Path::new("/proc/sys/kernel/stack_tracer_enabled").exists();
    if tracer {
        mount("tracefs", tracing, "tracefs", MountFlags::empty(), None).context("tracefs")?;
        fs::write("/proc/sys/kernel/stack_tracer_enabled", "1")?;
        fs::write(format!("{tracing}/stack_max_size"), "0")?;
    }
    let fds_before = fds()?;
    insmod(&format!("{MODULE_DIR}/{MANY}.ko"))?
        .with_context(|| format!("expected {MANY} to load, seen an error"))?;
    if tracer {
        fs::write("/proc/sys/kernel/stack_tracer_enabled", "0")?;
        let depth = fs::read_to_string(format!("{tracing}/stack_max_size"))?;
        note(&format!(
            "the deepest stack of the loads: {} bytes",
            depth.trim()
        ));
        for line in fs::read_to_string(format!("{tracing}/stack_trace"))?.lines() {
            note(line);
        }
    }
    expect_fds(&fds_before, "loading")?;
    let lines = dmesg()?;
    for count in [1, 100, 126, 500] {
        let line = format!("{MANY}: {count} progs");
        ensure!(lines.contains(&line), "expected {line:?}, seen {lines:?}");
    }
    // The last one of each object is attached.
    test_run("of_500_500")?;
    for count in [1_u32, 100, 126, 500] {
        let runs = bpf::map(&format!("many_{count}.bss"))?
            .lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)?
            .context("no value")?;
        ensure!(
            runs == count.to_ne_bytes(),
            "runs of the last of {count}: expected {count}, seen {runs:?}"
        );
    }
    rmmod(MANY)
}

fn load() -> Result<()> {
    insmod(&format!("{MODULE_DIR}/{MODULE}.ko"))?
        .with_context(|| format!("expected {MODULE} to load, seen an error"))
}

/// Unloads the module and reads what it says its progs have left.
fn unload() -> Result<BTreeMap<String, u32>> {
    rmmod(MODULE)?;
    let lines = dmesg()?;
    lines
        .iter()
        .find_map(|line| line.strip_prefix("lskel_features: seen: "))
        .with_context(|| format!("expected a line of what was seen, seen {lines:?}"))?
        .split(' ')
        .map(|word| {
            let (name, value) = word.split_once('=').context("expected NAME=VALUE")?;
            Ok((name.to_owned(), value.parse()?))
        })
        .collect()
}

fn expect(seen: &BTreeMap<String, u32>, expected: &[(&str, u32)]) -> Result<()> {
    for (name, value) in expected {
        ensure!(
            seen.get(*name) == Some(value),
            "{name}: expected {value}, seen {seen:?}"
        );
    }
    Ok(())
}

/// Does a test run of the prog of a name: for a tracing prog the kernel calls functions of its own that such
/// progs attach to, and gives what it makes of their return values.
fn test_run(name: &str) -> Result<u32> {
    bpf::test_run(bpf::prog_id(name)?).with_context(|| format!("test run of {name}"))
}
