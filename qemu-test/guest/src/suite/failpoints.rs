// SPDX-License-Identifier: GPL-2.0
//! Each allocation of an operation in turn fails, in a child: what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{ensure, Context, Result};
use libbpf_rs::{MapCore, MapFlags};
use rustix::io::Errno;
use scenarios::{C_MODULE, GALLERY, MODULE_DIR};

use crate::bpf::{self, expect_both_files, Ids};
use crate::kernel::{
    insmod_in_child, loaded_modules, module, module_file, mount_bpffs, rmmod, umount, Messages,
};
use crate::ktap::note;
use crate::lab::{init_was_called, mount_tracing, within_module, Fault};
use crate::suite::gallery::mount_cgroup2;
use crate::suite::signed::signed_progs;
use crate::suite::storms::setting;

const MNT: &str = "/tmp/bpf";
/// How many allocations of a gallery entry are tried at least, where the entries before it came by the same calls.
const LEAST: usize = 5;
/// More than there are: ALL in qemu-test/modules/lab_stacks.bpf.c.
const NEVER: u32 = 1_000_000;
/// Entries that have no part in this: they fail by themselves, or load in another task.
const NOT_SWEPT: &[&str] = &[
    "log_level",
    "refused_attach",
    "broken",
    "missing_kfunc",
    "missing_target",
    "module_btf",
    "kernel_thread",
];
/// After so many points the whole of insmod, mount, read, umount and rmmod has to work.
const WHOLE: u32 = 25;

/// A module to load with faults.
struct Module {
    file: String,
    name: String,
    params: String,
    /// Whether it puts files into each mount.
    provider: bool,
}

impl Module {
    fn ours() -> Self {
        Module {
            file: module_file(),
            name: module().to_owned(),
            params: String::new(),
            provider: true,
        }
    }

    fn signed() -> Result<Self> {
        let (file, params) = signed_progs()?;
        Ok(Module {
            file,
            params,
            ..Self::ours()
        })
    }

    fn gate() -> Self {
        Module {
            file: format!("{MODULE_DIR}/gate.ko"),
            name: "gate".to_owned(),
            params: String::new(),
            provider: false,
        }
    }

    fn c() -> Self {
        Module {
            file: C_MODULE.to_owned(),
            name: "bpf_preload".to_owned(),
            params: String::new(),
            provider: true,
        }
    }

    /// An entry of the gallery.
    fn gallery(entry: &str) -> Self {
        Module {
            file: format!("{MODULE_DIR}/{GALLERY}.ko"),
            name: GALLERY.to_owned(),
            params: format!("{entry}=1"),
            provider: false,
        }
    }

    fn load(&self) -> Result<()> {
        insmod_in_child(&self.file, &self.params)
    }

    /// Loads it without a fault, sees that it works, and takes it out.
    fn expect_to_work(&self) -> Result<()> {
        self.load()?;
        self.expect_loaded_to_work()
    }

    fn expect_loaded_to_work(&self) -> Result<()> {
        if self.provider {
            mount_bpffs(MNT)?;
            expect_both_files(MNT)?;
            umount(MNT)?;
        }
        rmmod(&self.name)
    }
}

/// What the points of one operation came to.
#[derive(Default)]
struct Tally {
    /// Allocations in it.
    all: u32,
    /// By how many ways the kernel came to them.
    stacks: usize,
    /// Those that were made to fail.
    points: u32,
    /// The operation was done in spite of the fault.
    done: u32,
    /// It was refused, by errno.
    refused: BTreeMap<i32, u32>,
    /// Refused by the module, without a line that says why.
    silent: Vec<u32>,
    spoken: Vec<String>,
    /// The task had other fds after it.
    fds_changed: Vec<u32>,
    /// A prog, map, link or BTF was left.
    left: Vec<(u32, Ids)>,
    /// Mounts without both files.
    files_missing: u32,
}

impl Tally {
    fn count(&mut self, nth: u32, fault: &Fault) {
        self.points += 1;
        match fault.answer {
            Ok(()) => self.done += 1,
            Err(errno) => *self.refused.entry(errno.raw_os_error()).or_default() += 1,
        }
        if fault.fds_changed {
            self.fds_changed.push(nth);
        }
    }

    fn add(&mut self, more: Tally) {
        self.all += more.all;
        self.points += more.points;
        self.done += more.done;
        for (errno, count) in more.refused {
            *self.refused.entry(errno).or_default() += count;
        }
        self.silent.extend(more.silent);
        self.spoken.extend(more.spoken);
        self.fds_changed.extend(more.fds_changed);
        self.left.extend(more.left);
    }

    /// A row of the table in README.md.
    fn row(&self, module: &str, operation: &str) {
        let errors = self
            .refused
            .iter()
            .map(|(errno, count)| format!("{count} x {}", name_of(*errno)))
            .collect::<Vec<_>>()
            .join(", ");
        note(&format!(
            "| {module} | {operation} | {} | {} | {} | {} | {errors} | {} | {} | {} | {} |",
            self.all.max(self.points),
            match self.stacks {
                0 => String::new(),
                stacks => stacks.to_string(),
            },
            self.points,
            self.done,
            self.spoken.len(),
            self.files_missing,
            self.fds_changed.len(),
            self.left.len(),
        ));
        let mut steps = BTreeMap::<_, u32>::new();
        for line in &self.spoken {
            *steps.entry(line).or_default() += 1;
        }
        for (line, count) in steps {
            note(&format!("{count} x {line}"));
        }
        if !self.silent.is_empty() {
            note(&format!("silent: {:?}", self.silent));
        }
        if !self.left.is_empty() {
            note(&format!("left: {:?}", self.left));
        }
    }
}

fn name_of(errno: i32) -> String {
    match Errno::from_raw_os_error(errno) {
        Errno::NOMEM => "ENOMEM".to_owned(),
        Errno::INVAL => "EINVAL".to_owned(),
        Errno::NOSPC => "ENOSPC".to_owned(),
        errno => errno.raw_os_error().to_string(),
    }
}

/// Says every now and then that it goes on.
fn progress(operation: &str, nth: u32) {
    if nth % 10 == 0 {
        note(&format!("{operation}: {nth} points"));
    }
}

/// The vmlinux BTF gets its id with the first prog: what there is after that.
fn baseline() -> Result<Ids> {
    drop(bpf::prog("first", None)?);
    crate::kernel::eventually(|| {
        ensure!(Ids::now().progs.is_empty(), "the test's own prog is there");
        Ok(())
    })?;
    Ok(Ids::now())
}

/// Loads the module without a fault. Of each allocation: a hash of the calls that led to it.
fn stacks(module: &Module) -> Result<Vec<u64>> {
    insmod_in_child(&format!("{MODULE_DIR}/lab_stacks.ko"), "")?;
    let whole = Fault::run(NEVER, &["insmod", &module.file, &module.params])?;
    whole.answer.context("insmod without a fault")?;
    let map = bpf::map("lab_stacks")?;
    let stacks = (0..whole.allocations)
        .map(|index| {
            let hash = map.lookup(&index.to_ne_bytes(), MapFlags::ANY)?;
            let hash = hash.and_then(|bytes| bytes.try_into().ok());
            let hash = u64::from_ne_bytes(hash.context("more allocations than lab_stacks holds")?);
            ensure!(hash != 0, "allocation {index} was not written down");
            Ok(hash)
        })
        .collect();
    drop(map);
    rmmod("lab_stacks")?;
    module.expect_loaded_to_work()?;
    stacks
}

/// The first allocation of each stack that is not `known`, and at least some others. On request, each one.
fn points(stacks: &[u64], known: &mut BTreeSet<u64>) -> Result<Vec<u32>> {
    let every = setting("every_allocation", 0, 0)? == 1;
    let step = stacks.len().div_ceil(LEAST).max(1);
    Ok((1..)
        .zip(stacks)
        .enumerate()
        .filter_map(|(index, (nth, stack))| {
            let new = known.insert(*stack);
            (every || new || index % step == 0).then_some(nth)
        })
        .collect())
}

/// Loads with faults: see [`points`].
fn insmod_sweep(module: &Module, known: &mut BTreeSet<u64>) -> Result<Tally> {
    // What the kernel keeps once it has it.
    module.expect_to_work()?;
    let before = baseline()?;
    let insmod = |nth| Fault::run(nth, &["insmod", &module.file, &module.params]);
    init_was_called()?;
    let stacks = stacks(module)?;
    ensure!(init_was_called()?, "expected a call of init, seen none");
    let mut messages = Messages::from_now()?;
    let mut tally = Tally {
        all: stacks.len() as u32,
        stacks: stacks.iter().collect::<BTreeSet<_>>().len(),
        ..Default::default()
    };
    let prefix = format!("{}: ", module.name);
    let points = points(&stacks, known)?;
    note(&format!(
        "insmod: {} points of {} allocations",
        points.len(),
        tally.all
    ));
    for nth in points {
        init_was_called()?;
        let fault = insmod(nth)?;
        if !fault.hit {
            // One time there are a few more than the other.
            fault.answer.context("insmod without a fault")?;
            module.expect_loaded_to_work()?;
            messages.new_lines()?;
            continue;
        }
        tally.count(nth, &fault);
        // What an entry shows beside that is no error.
        let lines: Vec<_> = messages
            .new_errors()?
            .into_iter()
            .filter(|line| line.starts_with(&prefix) && !line.contains("taint"))
            .collect();
        if fault.answer.is_ok() {
            module
                .expect_loaded_to_work()
                .with_context(|| format!("loaded in spite of fault {nth}"))?;
        } else if lines.is_empty() {
            // Otherwise the kernel's own module loader had no memory.
            if init_was_called()? {
                tally.silent.push(nth);
            }
        } else {
            ensure!(
                lines.len() == 1,
                "fault {nth}: more than one line: {lines:?}"
            );
            tally.spoken.extend(lines);
        }
        ensure!(
            fault.answer.is_ok() || !loaded_modules()?.contains(&module.name),
            "fault {nth}: refused with {:?}, and loaded",
            fault.answer
        );
        if bpf::expect_nothing_since(&before, "a fault").is_err() {
            let left = Ids::now().since(&before);
            // Counted once.
            tally.left.push((nth, left));
            ensure!(tally.left.len() < 20, "left: {:?}", tally.left);
        }
        if tally.points % WHOLE == 0 {
            module
                .expect_to_work()
                .with_context(|| format!("after fault {nth}"))?;
        }
        messages.new_lines()?;
        progress("insmod", tally.points);
    }
    Ok(tally)
}

/// Mounts with faults. A `fresh` one is the first since the module was loaded.
fn mount_sweep(module: Option<&Module>, fresh: bool) -> Result<Tally> {
    let mut tally = Tally::default();
    let before = baseline()?;
    let load = || module.map_or(Ok(()), Module::load);
    let unload = || module.map_or(Ok(()), |module| rmmod(&module.name));
    load()?;
    fs::create_dir_all(MNT)?;
    if !fresh {
        mount_bpffs(MNT)?;
        umount(MNT)?;
    }
    for nth in 1.. {
        let fault = Fault::run(nth, &["mount", MNT])?;
        if fault.hit {
            tally.count(nth, &fault);
        }
        let files = fs::read_dir(MNT)?.count();
        if fault.answer.is_ok() {
            tally.files_missing += u32::from(module.is_some() && files != 2);
            umount(MNT)?;
        }
        if !fault.hit {
            fault.answer.context("a mount without a fault")?;
            break;
        }
        if fresh {
            unload()?;
            load()?;
        }
        progress("mount", nth);
    }
    if module.is_some() {
        mount_bpffs(MNT)?;
        expect_both_files(MNT)?;
        umount(MNT)?;
    }
    unload()?;
    bpf::expect_nothing_since(&before, "mounts with faults")?;
    Ok(tally)
}

fn rmmod_sweep(module: &Module) -> Result<Tally> {
    let mut tally = Tally::default();
    let before = baseline()?;
    for nth in 1.. {
        module.load()?;
        mount_bpffs(MNT)?;
        let fault = Fault::run(nth, &["rmmod", &module.name])?;
        expect_both_files(MNT).with_context(|| format!("after rmmod with fault {nth}"))?;
        umount(MNT)?;
        if fault.hit {
            tally.count(nth, &fault);
        }
        if fault.answer.is_err() {
            rmmod(&module.name).with_context(|| format!("after rmmod with fault {nth}"))?;
        }
        bpf::expect_nothing_since(&before, "rmmod with a fault")?;
        if !fault.hit {
            fault.answer.context("rmmod without a fault")?;
            break;
        }
    }
    Ok(tally)
}

/// What holds of each point of an operation of ours.
fn expect_clean(tally: &Tally) -> Result<()> {
    ensure!(
        tally.fds_changed.is_empty(),
        "fds changed at {:?}",
        tally.fds_changed
    );
    ensure!(tally.left.is_empty(), "left at {:?}", tally.left);
    ensure!(
        tally.silent.is_empty(),
        "refused without a line that says why at {:?}",
        tally.silent
    );
    // The kernel's own codes: user space has no name for them.
    ensure!(
        tally.refused.keys().all(|errno| *errno < 512),
        "refused with {:?}",
        tally.refused
    );
    Ok(())
}

/// Loads with faults what says why it was not loaded.
fn insmod_unwinds(module: &Module, label: &str) -> Result<()> {
    mount_tracing()?;
    let tally = insmod_sweep(module, &mut BTreeSet::new())?;
    tally.row(label, "insmod");
    ensure!(
        !tally.spoken.is_empty(),
        "expected lines that say what failed, seen none"
    );
    expect_clean(&tally)
}

pub fn every_failed_allocation_of_insmod_unwinds() -> Result<()> {
    insmod_unwinds(&Module::ours(), "bpf_preload_rs")
}

pub fn every_failed_allocation_of_a_signed_insmod_unwinds() -> Result<()> {
    insmod_unwinds(&Module::signed()?, "bpf_preload_rs, signed")
}

pub fn every_failed_allocation_of_insmod_of_the_gate_unwinds() -> Result<()> {
    insmod_unwinds(&Module::gate(), "gate")
}

pub fn failed_allocations_of_each_gallery_entry_unwind() -> Result<()> {
    mount_cgroup2();
    mount_tracing()?;
    let chosen = std::env::var("entry").ok();
    // The module's parameters are the entries: "parm=NAME:WHAT" in its .modinfo.
    let file = fs::read(format!("{MODULE_DIR}/{GALLERY}.ko"))?;
    let entries: Vec<_> = file
        .split(|byte| *byte == 0)
        .filter_map(|text| {
            std::str::from_utf8(text)
                .ok()?
                .strip_prefix("parm=")?
                .split(':')
                .next()
        })
        .filter(|entry| !NOT_SWEPT.contains(entry))
        .filter(|entry| chosen.as_deref().unwrap_or(entry) == *entry)
        .collect();
    let mut known = BTreeSet::new();
    let mut all = Tally::default();
    let mut swept = 0;
    for entry in &entries {
        let module = Module::gallery(entry);
        if module.expect_to_work().is_err() {
            note(&format!("{entry}: not on this kernel"));
            continue;
        }
        swept += 1;
        let tally = insmod_sweep(&module, &mut known).with_context(|| format!("entry {entry}"))?;
        expect_clean(&tally).with_context(|| format!("entry {entry}"))?;
        note(&format!(
            "{entry}: {} of {} points",
            tally.points, tally.all
        ));
        all.add(tally);
    }
    // Those of each entry are others' too.
    all.stacks = known.len();
    all.row(GALLERY, &format!("insmod of {swept} entries"));
    let least = if chosen.is_some() { 1 } else { 40 };
    ensure!(
        swept >= least,
        "expected {least} entries that load, or more, seen {swept}"
    );
    Ok(())
}

pub fn every_failed_allocation_of_a_mount_is_the_kernels_own() -> Result<()> {
    let without = mount_sweep(None, false)?;
    without.row("none", "mount");
    let ours = Module::ours();
    let first = mount_sweep(Some(&ours), true)?;
    first.row("bpf_preload_rs", "first mount");
    let later = mount_sweep(Some(&ours), false)?;
    later.row("bpf_preload_rs", "later mount");
    for tally in [&first, &later] {
        expect_clean(tally)?;
    }
    // Where a mount fails or files are missing, the kernel's own code had no memory: ours asks for none.
    ours.load()?;
    for mount in ["first", "later"] {
        let within = within_module(&ours.name, || Fault::run(1, &["mount", MNT]))?;
        ensure!(
            !within.hit && within.answer.is_ok(),
            "allocations of the module in the {mount} mount: expected none, seen one ({:?})",
            within.answer
        );
        expect_both_files(MNT)?;
        umount(MNT)?;
    }
    rmmod(&ours.name)
}

pub fn every_failed_allocation_of_rmmod_is_harmless() -> Result<()> {
    let tally = rmmod_sweep(&Module::ours())?;
    tally.row("bpf_preload_rs", "rmmod");
    expect_clean(&tally)
}

pub fn the_c_provider_with_failed_allocations() -> Result<()> {
    mount_tracing()?;
    let c = Module::c();
    insmod_sweep(&c, &mut BTreeSet::new())?.row("bpf_preload (C)", "insmod");
    mount_sweep(Some(&c), true)?.row("bpf_preload (C)", "first mount");
    mount_sweep(Some(&c), false)?.row("bpf_preload (C)", "later mount");
    rmmod_sweep(&c)?.row("bpf_preload (C)", "rmmod");
    Ok(())
}
