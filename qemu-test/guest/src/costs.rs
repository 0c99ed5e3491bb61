// SPDX-License-Identifier: GPL-2.0
//! What loading, mounting and reading cost. On a machine whose clocks count instructions, a nanosecond is one.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use libbpf_rs::MapHandle;
use rustix::mount::{mount, MountFlags};
use rustix::thread::{unshare_unsafe, UnshareFlags};
use rustix::time::{clock_gettime, ClockId};
use scenarios::costs::{
    figure, part, Subject, C, CALLS, FUNCTIONS, MANY, OURS, PROGS, ROWS, SUBJECTS,
};
use scenarios::{BPFTOOL, MODULE_DIR};

use crate::bpf::{self, Ids};
use crate::kernel::{
    eventually, insmod_with, many_open_files, module_file, mount_bpffs, rmmod, umount,
};
use crate::ktap::note;
use crate::lab::{mount_tracing, TRACING};

const MNT: &str = "/tmp/bpf";
/// How often what is warm is measured: the median counts.
const ROUNDS: usize = 5;
/// What the kernel frees late is free after this.
const SETTLE: Duration = Duration::from_millis(500);
/// What cat(1) reads at a time, in bytes.
const READ_SIZE: usize = 128 << 10;

/// What something took, in instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    /// Of the thread that did it.
    cpu: u64,
    /// Of the whole machine until it was done, waits included.
    latency: u64,
}

fn clock(id: ClockId) -> u64 {
    let time = clock_gettime(id);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Does something in this thread, and measures it.
fn cost(run: impl FnOnce() -> Result<()>) -> Result<Cost> {
    let (cpu, start) = (clock(ClockId::ThreadCPUTime), clock(ClockId::Monotonic));
    let result = run();
    let (end, cpu_end) = (clock(ClockId::Monotonic), clock(ClockId::ThreadCPUTime));
    result.map(|()| Cost {
        cpu: cpu_end - cpu,
        latency: end - start,
    })
}

/// The child of [`insmod`]: prints what it took.
pub fn insmod_child(path: &str, params: &str) -> Result<()> {
    let params = CString::new(params)?;
    let cost = cost(|| Ok(insmod_with(path, &params)??))?;
    println!("{} {}", cost.cpu, cost.latency);
    Ok(())
}

/// Loads a module in a child: the C provider leaves fds in the task that loads it.
fn insmod(path: &str, params: &str) -> Result<Cost> {
    let output = Command::new("/proc/self/exe")
        .args(["insmod-cost", path, params])
        .stderr(Stdio::inherit())
        .output()
        .context("starting a child for insmod")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<_> = text
        .split_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let [cpu, latency] = numbers[..] else {
        bail!("expected {path} to load, seen {output:?}");
    };
    Ok(Cost { cpu, latency })
}

/// What warm loads of a module cost by cpu: the median.
pub fn warm_insmod(path: &str, params: &str, name: &str) -> Result<u64> {
    let mut costs = Vec::new();
    for round in 0..=ROUNDS {
        let cost = insmod(path, params)?;
        rmmod(name)?;
        if round > 0 {
            costs.push(cost.cpu);
        }
    }
    Ok(median(costs))
}

/// A subject's module, where it is: a scenario has the module under test at its usual place.
fn file(subject: &Subject) -> String {
    let own = subject.file();
    if *subject == OURS && !Path::new(&own).exists() {
        return module_file();
    }
    own
}

/// The median.
fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Says the median of each: by cpu and by latency on its own.
fn say(subject: &Subject, what: &str, costs: &[Cost]) {
    let cpu = median(costs.iter().map(|cost| cost.cpu).collect());
    let latency = median(costs.iter().map(|cost| cost.latency).collect());
    note(&figure(subject.key, &format!("{what}_cpu"), cpu));
    note(&figure(subject.key, &format!("{what}_latency"), latency));
}

/// A number of KiB of /proc/meminfo.
fn meminfo(name: &str) -> Result<i64> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let value = line.and_then(|rest| rest.split_whitespace().next());
    Ok(value
        .with_context(|| format!("no {name} in /proc/meminfo"))?
        .parse()?)
}

/// Memory in use, in KiB, once what is freed late is free.
fn memory_in_use() -> Result<i64> {
    std::thread::sleep(SETTLE);
    fs::write("/proc/sys/vm/drop_caches", "3")?;
    std::thread::sleep(SETTLE);
    Ok(meminfo("MemTotal")? - meminfo("MemFree")?)
}

/// The size of a module in /proc/modules, in bytes.
fn module_size(name: &str) -> Result<u64> {
    let modules = fs::read_to_string("/proc/modules")?;
    let size = modules
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .and_then(|rest| rest.split(' ').next());
    Ok(size
        .with_context(|| format!("expected {name} among the modules"))?
        .parse()?)
}

/// What the kernel says that progs and maps take, in bytes.
fn memlock(ids: &Ids) -> Result<u64> {
    let of = |fd: OwnedFd| -> Result<u64> {
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
        let line = text.lines().find_map(|line| line.strip_prefix("memlock:"));
        Ok(line.context("no memlock in fdinfo")?.trim().parse()?)
    };
    let mut sum = 0;
    for id in &ids.progs {
        // SAFETY: a call without pointers.
        sum += of(bpf::owned(unsafe { sys::bpf_prog_get_fd_by_id(*id) })?)?;
    }
    for id in &ids.maps {
        // SAFETY: as above.
        sum += of(bpf::owned(unsafe { sys::bpf_map_get_fd_by_id(*id) })?)?;
    }
    Ok(sum)
}

/// The progs and maps that a loader has made for itself go late.
fn settle_at(progs: usize, maps: usize) -> Result<()> {
    eventually(|| {
        let now = Ids::now();
        ensure!(
            (now.progs.len(), now.maps.len()) == (progs, maps),
            "expected {progs} progs and {maps} maps, seen {} and {}",
            now.progs.len(),
            now.maps.len()
        );
        Ok(())
    })
}

/// Mounts a BPF file system, measures that alone, sees that it has both files, and unmounts it.
fn mount_cost() -> Result<Cost> {
    fs::create_dir_all(MNT)?;
    let cost = cost(|| Ok(mount("bpf", MNT, "bpf", MountFlags::empty(), None)?))?;
    bpf::expect_both_files(MNT)?;
    umount(MNT)?;
    Ok(cost)
}

/// Loads, mounts three times, and unloads: costs of insmod, of the first and of a later mount, and of rmmod.
fn round(subject: &Subject) -> Result<[Cost; 4]> {
    // What was left for later is no part of it.
    std::thread::sleep(SETTLE);
    let insmod = insmod(&file(subject), "")?;
    std::thread::sleep(SETTLE);
    let mut mounts = Vec::new();
    for _ in 0..3 {
        mounts.push(mount_cost()?);
    }
    std::thread::sleep(SETTLE);
    let rmmod = cost(|| rmmod(subject.module))?;
    Ok([insmod, mounts[0], mounts[2], rmmod])
}

const ROUND: [&str; 4] = ["insmod_warm", "mount_first", "mount_later", "rmmod"];

/// Warm rounds of a subject: the median of each of [`ROUND`].
fn warm(subject: &Subject) -> Result<[Cost; 4]> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round(subject)?);
    }
    Ok([0, 1, 2, 3].map(|what| Cost {
        cpu: median(rounds.iter().map(|round| round[what].cpu).collect()),
        latency: median(rounds.iter().map(|round| round[what].latency).collect()),
    }))
}

/// One subject, from a cold start.
fn subject(subject: &Subject) -> Result<()> {
    let before = Ids::now();
    say(subject, "insmod_cold", &[insmod(&file(subject), "")?]);
    note(&figure(
        subject.key,
        "proc_modules_bytes",
        module_size(subject.module)?,
    ));
    std::thread::sleep(SETTLE);
    note(&figure(
        subject.key,
        "bpf_bytes",
        memlock(&Ids::now().since(&before))?,
    ));
    rmmod(subject.module)?;
    std::thread::sleep(SETTLE);

    for (what, cost) in ROUND.into_iter().zip(warm(subject)?) {
        say(subject, what, &[cost]);
    }

    let mut held = Vec::new();
    for _ in 0..ROUNDS {
        let before = memory_in_use()?;
        insmod(&file(subject), "")?;
        held.push(memory_in_use()? - before);
        rmmod(subject.module)?;
    }
    note(&figure(
        subject.key,
        "kernel_kib",
        u64::try_from(median(held)).unwrap_or(0),
    ));

    let mut mounts = Vec::new();
    for _ in 0..ROUNDS {
        std::thread::sleep(SETTLE);
        mounts.push(mount_cost()?);
        rmmod(subject.module)?;
    }
    // Loading is another task's work.
    note(&figure(
        subject.key,
        "mount_autoload_latency",
        median(mounts.iter().map(|cost| cost.latency).collect()),
    ));
    if *subject == OURS {
        hold_0(subject)?;
    }
    Ok(())
}

/// Loads it with `hold=0`, where mounts pay.
fn hold_0(subject: &Subject) -> Result<()> {
    let (mut insmods, mut mounts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        insmods.push(insmod(&file(subject), "hold=0")?);
        std::thread::sleep(SETTLE);
        mounts.push(mount_cost()?);
        rmmod(subject.module)?;
        std::thread::sleep(SETTLE);
    }
    say(subject, "insmod_hold_0", &insmods);
    say(subject, "mount_hold_0", &mounts);
    Ok(())
}

/// Reads a file as cat does: the second time, when all is in the caches. Gives the rows, too.
fn read(path: &str) -> Result<(Cost, usize)> {
    let mut buffer = vec![1; READ_SIZE];
    let mut last = None;
    for _ in 0..2 {
        let cost = cost(|| {
            let mut file = File::open(path)?;
            while file.read(&mut buffer)? != 0 {}
            Ok(())
        })?;
        last = Some(cost);
    }
    let rows = fs::read_to_string(path)?.lines().count() - 1;
    Ok((last.context("two rounds")?, rows))
}

/// Runs bpftool, whose output goes through a pipe as it does to a user's pager: its own cpu time.
fn bpftool(kind: &str) -> Result<u64> {
    let spent = || {
        // SAFETY: zeroes are a value of this struct, which the call then fills.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
            usage
        };
        let nanos =
            |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
        nanos(usage.ru_utime) + nanos(usage.ru_stime)
    };
    let before = spent();
    let output = Command::new(BPFTOOL)
        .args([kind, "list"])
        .output()
        .context(BPFTOOL)?;
    ensure!(output.status.success(), "bpftool {kind} list: {output:?}");
    Ok(spent() - before)
}

/// Progs and maps that make rows.
#[derive(Default)]
struct Fill {
    progs: Vec<OwnedFd>,
    maps: Vec<MapHandle>,
}

impl Fill {
    /// Adds or takes away, until there are so many in the whole system, or more where those of others are more.
    fn up_to(&mut self, rows: usize) -> Result<()> {
        // What others have just given up is still there for a moment: no module here has more than a few.
        const FEW: usize = 4;
        let (mut progs, mut maps) = (0, 0);
        eventually(|| {
            let now = Ids::now();
            progs = now.progs.len().wrapping_sub(self.progs.len());
            maps = now.maps.len().wrapping_sub(self.maps.len());
            ensure!(
                progs <= FEW && maps <= FEW,
                "expected a few progs and maps of others, seen {} progs, {} of them own, and {} maps, {} of them own",
                now.progs.len(), self.progs.len(), now.maps.len(), self.maps.len()
            );
            Ok(())
        })?;
        self.progs.truncate(rows.saturating_sub(progs));
        self.maps.truncate(rows.saturating_sub(maps));
        while self.progs.len() + progs < rows {
            self.progs.push(bpf::prog("one_of_many", None)?);
        }
        while self.maps.len() + maps < rows {
            self.maps.push(bpf::hash_map("one_of_many", 1, 0)?);
        }
        settle_at(self.progs.len() + progs, self.maps.len() + maps)
    }
}

/// Reads of many rows, of the C provider and of ours, and bpftool beside them.
fn rows() -> Result<()> {
    many_open_files()?;
    let mut fill = Fill::default();
    for wanted in ROWS {
        for subject in [&C, &OURS] {
            insmod(&file(subject), "")?;
            std::thread::sleep(SETTLE);
            mount_bpffs(MNT)?;
            fill.up_to(wanted)?;
            for kind in ["map", "prog"] {
                let (cost, rows) = read(&format!("{MNT}/{kind}s.debug"))?;
                note(&figure(
                    subject.key,
                    &format!("read_{kind}s_{wanted}"),
                    cost.cpu,
                ));
                note(&figure(
                    subject.key,
                    &format!("rows_{kind}s_{wanted}"),
                    rows as u64,
                ));
                if *subject == C {
                    let spent = bpftool(kind)?;
                    note(&figure("bpftool", &format!("read_{kind}s_{wanted}"), spent));
                }
            }
            umount(MNT)?;
            rmmod_apart(subject.module)?;
            std::thread::sleep(SETTLE);
        }
    }
    Ok(())
}

/// Removes a module in a thread with fds of its own: the C provider closes some by their numbers, whoever has them.
fn rmmod_apart(name: &str) -> Result<()> {
    let remove = || {
        // SAFETY: what the thread then does with fds is its own.
        unsafe { unshare_unsafe(UnshareFlags::FILES) }?;
        rmmod(name)
    };
    std::thread::scope(|scope| scope.spawn(remove).join()).expect("no thread panics here")
}

/// An object of more and more progs.
fn many() -> Result<()> {
    let file = format!("{MODULE_DIR}/{MANY}.ko");
    for count in PROGS {
        let mut costs = Vec::new();
        // The first one is cold.
        for _ in 0..=ROUNDS {
            costs.push(insmod(&file, &format!("progs={count}"))?.cpu);
            rmmod(MANY)?;
            std::thread::sleep(SETTLE);
        }
        note(&figure(
            "ours",
            &format!("progs_{count}_cpu"),
            median(costs.split_off(1)),
        ));
    }
    Ok(())
}

/// Calls of functions.
fn calls() -> Result<()> {
    const COUNT: u64 = 100_000;
    let file = format!("{MODULE_DIR}/{CALLS}.ko");
    for (function, _) in FUNCTIONS {
        let load = |calls: u64| -> Result<u64> {
            let mut costs = Vec::new();
            for _ in 0..ROUNDS {
                costs.push(insmod(&file, &format!("{function}={calls}"))?.cpu);
                rmmod(CALLS)?;
                std::thread::sleep(SETTLE);
            }
            Ok(median(costs))
        };
        let without = load(0)?;
        let each = load(COUNT)?.saturating_sub(without) / COUNT;
        note(&figure("ours", &format!("call_{function}"), each));
    }
    Ok(())
}

/// What is traced, and the phase that its own time is: without that of those which it calls.
const PHASES: [(&str, &str); 9] = [
    ("load_module", "module_loader"),
    ("btf_module_notify", "btf_of_the_module"),
    ("do_init_module", "rest"),
    ("btf_new_fd", "btf"),
    ("bpf_check", "rest_of_bpf_check"),
    ("bpf_compute_live_registers", "live_registers"),
    ("do_check_common", "do_check"),
    ("bpf_core_apply", "co_re"),
    ("bpf_int_jit_compile", "jit"),
];

/// As [`own_times`] reads it, and without the time that a task sleeps.
const TRACE_OPTIONS: [(&str, &str); 5] = [
    ("funcgraph-cpu", "0"),
    ("funcgraph-overhead", "0"),
    ("funcgraph-irqs", "0"),
    ("funcgraph-tail", "1"),
    ("sleep-time", "0"),
];

fn tracing(file: &str, text: &str) -> Result<()> {
    fs::write(format!("{TRACING}/{file}"), text)
        .with_context(|| format!("writing {text:?} to {TRACING}/{file}"))
}

/// Each function's own time in a trace of function_graph, in instructions: without that of the functions within.
fn own_times(trace: &str) -> Result<BTreeMap<String, u64>> {
    let mut times = BTreeMap::<String, u64>::new();
    // The time of what has ended within each function that has not.
    let mut within = vec![0];
    for line in trace.lines().filter(|line| !line.starts_with('#')) {
        let Some((time, call)) = line.split_once('|') else {
            continue;
        };
        let call = call.trim();
        if call.ends_with('{') {
            within.push(0);
            continue;
        }
        let time = time
            .trim()
            .strip_suffix(" us")
            .and_then(|time| time.trim().parse::<f64>().ok());
        let time = time.with_context(|| format!("expected a time, seen {line:?}"))?;
        let time = (time * 1e3).round() as u64;
        let (name, inner) = if let Some(name) = call.strip_prefix("} /* ") {
            (name, within.pop().context("an end without a start")?)
        } else {
            (call, 0)
        };
        let name: String = name
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        *within.last_mut().context("an end without a start")? += time;
        *times.entry(name).or_default() += time.saturating_sub(inner);
    }
    ensure!(within.len() == 1, "a trace that does not end");
    Ok(times)
}

/// Where an insmod spends it. Each subject is loaded once untraced and once traced.
fn phases() -> Result<()> {
    mount_tracing()?;
    tracing("tracing_on", "0")?;
    tracing("buffer_size_kb", "8192")?;
    tracing("trace_clock", "mono")?;
    tracing("set_ftrace_filter", "")?;
    for (function, _) in PHASES {
        // One that this compiler has put into its caller cannot be traced: its time is its caller's then.
        let added = fs::OpenOptions::new()
            .append(true)
            .open(format!("{TRACING}/set_ftrace_filter"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, function.as_bytes()));
        if let Err(error) = added {
            note(&format!("{function} cannot be traced: {error}"));
        }
    }
    for subject in SUBJECTS {
        let once = || -> Result<Cost> {
            let cost = insmod(&file(subject), "")?;
            rmmod(subject.module)?;
            std::thread::sleep(SETTLE);
            Ok(cost)
        };
        // Cold, or with others' names in the caches.
        tracing("current_tracer", "nop")?;
        once()?;
        let untraced = once()?.cpu;
        tracing("current_tracer", "function_graph")?;
        for (option, value) in TRACE_OPTIONS {
            tracing(&format!("options/{option}"), value)?;
        }
        tracing("trace", "")?;
        tracing("tracing_on", "1")?;
        let traced = once()?.cpu;
        tracing("tracing_on", "0")?;
        let times = own_times(&fs::read_to_string(format!("{TRACING}/trace"))?)
            .with_context(|| format!("the trace of {}", subject.key))?;
        let mut seen = 0;
        for (function, phase) in PHASES {
            let time = times.get(function).copied().unwrap_or(0);
            seen += time;
            note(&figure(subject.key, &format!("phase_{phase}"), time));
        }
        note(&figure(
            subject.key,
            "phase_outside",
            traced.saturating_sub(seen),
        ));
        note(&figure(subject.key, "phases_traced", traced));
        note(&figure(subject.key, "phases_untraced", untraced));
    }
    Ok(())
}

/// The figures that `make test` looks at, of the C provider and of ours, one after the other in the same boot.
pub fn share() -> Result<BTreeMap<String, [u64; 2]>> {
    // The first load of a boot is another figure.
    round(&C)?;
    let (theirs, ours) = (warm(&C)?, warm(&OURS)?);
    Ok(ROUND
        .into_iter()
        .zip(theirs.into_iter().zip(ours))
        .map(|(what, (theirs, ours))| (format!("{what}_cpu"), [theirs.cpu, ours.cpu]))
        .collect())
}

/// Measures a part: see [`scenarios::costs::part`].
pub fn run(part: &str, of: Option<&str>) -> Result<()> {
    match (part, of) {
        (part::SUBJECT, Some(key)) => {
            let known = SUBJECTS.into_iter().find(|subject| subject.key == key);
            subject(known.with_context(|| format!("no subject is named {key}"))?)
        }
        (part::ROWS, None) => rows(),
        (part::MANY, None) => many().and_then(|()| calls()),
        (part::PHASES, None) => phases(),
        (part::SHARE, None) => {
            for (name, [theirs, ours]) in share()? {
                note(&figure(C.key, &format!("share_{name}"), theirs));
                note(&figure(OURS.key, &format!("share_{name}"), ours));
            }
            Ok(())
        }
        _ => bail!("{part} {of:?} is nothing that can be measured"),
    }
}
