// SPDX-License-Identifier: GPL-2.0
//! What the files say, and who can have them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{chown, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{bail, ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use libbpf_rs::query::{LinkInfo, MapInfoIter};
use libbpf_rs::{MapHandle, MapType};
use rustix::process::{Gid, Uid};
use rustix::thread::{
    sched_setaffinity, set_thread_gid, set_thread_groups, set_thread_uid, CpuSet,
};
use scenarios::BPFTOOL;
use serde_json::Value;

use super::gallery::load_gallery;
use crate::bpf;
use crate::kernel::{
    eventually, insmod, load, loaded_modules, many_open_files, module, mount_bpffs, rmmod,
};
use crate::ktap::note;

const MNT: &str = "/tmp/bpf";
const ALL: [&str; 3] = ["maps.debug", "progs.debug", "links.debug"];

/// The rows of a file, column names to words, by id. Each id once, each row as wide as the header has names.
pub fn table(text: &str) -> Result<BTreeMap<u32, BTreeMap<String, String>>> {
    let mut lines = text.lines();
    let header = lines.next().context("expected a header, seen nothing")?;
    let columns: Vec<_> = header.split_whitespace().collect();
    let mut rows = BTreeMap::new();
    for line in lines {
        let words: Vec<_> = line.split_whitespace().collect();
        ensure!(
            words.len() == columns.len(),
            "expected {} words, one for each of {columns:?}, seen {line:?}",
            columns.len()
        );
        let row: BTreeMap<_, _> = columns
            .iter()
            .zip(words)
            .map(|(column, word)| ((*column).to_owned(), word.to_owned()))
            .collect();
        let id = row["id"].parse()?;
        ensure!(
            rows.insert(id, row).is_none(),
            "expected id {id} once, seen it twice"
        );
    }
    Ok(rows)
}

/// Checks that each column begins or ends where its header does: numbers stand right, names left.
fn expect_aligned(text: &str, from: &str) -> Result<()> {
    let header = text.lines().next().unwrap_or_default();
    let start = header.find(from).context("no such column")?;
    let ends = |line: &str| {
        let bytes = line.as_bytes();
        (start..bytes.len())
            .filter(|at| bytes[*at] != b' ' && bytes[*at - 1] == b' ')
            .count()
    };
    for line in text.lines() {
        ensure!(
            line.is_ascii() && !line.bytes().any(|byte| byte.is_ascii_control()),
            "expected printable text, seen {line:?}"
        );
        ensure!(
            line.as_bytes().get(start - 1) == Some(&b' ')
                && line.as_bytes().get(start).is_some_and(|byte| *byte != b' '),
            "expected {from} to begin at column {start}, seen {line:?}"
        );
        ensure!(
            ends(line) == ends(header),
            "expected {} columns from {from} on, seen {line:?}",
            ends(header)
        );
    }
    Ok(())
}

fn bpftool(what: &str) -> Result<Vec<Value>> {
    let output = Command::new(BPFTOOL)
        .args([what, "show", "-j"])
        .output()
        .context(BPFTOOL)?;
    ensure!(output.status.success(), "bpftool {what}: {output:?}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Loads a prog of a type that returns `ret` after `more` instructions that do nothing.
fn prog(prog_type: u32, attach_type: u32, name: &str, more: usize, ret: i32) -> Result<OwnedFd> {
    let insn = |code: u32, imm| sys::bpf_insn {
        code: code as u8,
        imm,
        ..Default::default()
    };
    let mov = sys::BPF_ALU64 | sys::BPF_MOV | sys::BPF_K;
    let mut insns = vec![insn(mov, ret); more + 1];
    insns.push(insn(sys::BPF_JMP | sys::BPF_EXIT, 0));
    let mut opts = sys::bpf_prog_load_opts {
        sz: size_of::<sys::bpf_prog_load_opts>() as _,
        expected_attach_type: attach_type,
        ..Default::default()
    };
    bpf::load_prog(prog_type, name, &insns, &mut opts)
}

/// Runs a prog on a packet of zeroes.
fn run(prog: &OwnedFd, repeat: i32) -> Result<()> {
    let packet = [0u8; 64];
    let mut opts = sys::bpf_test_run_opts {
        sz: size_of::<sys::bpf_test_run_opts>() as _,
        data_in: packet.as_ptr().cast(),
        data_size_in: packet.len() as u32,
        repeat,
        ..Default::default()
    };
    // SAFETY: `opts` and the packet have the sizes that it says and are live.
    let error = unsafe { sys::bpf_prog_test_run_opts(prog.as_raw_fd(), &mut opts) };
    ensure!(error == 0, std::io::Error::from_raw_os_error(-error));
    Ok(())
}

fn map(map_type: MapType, name: &str, value: u32, flags: u32) -> Result<MapHandle> {
    let opts = sys::bpf_map_create_opts {
        sz: size_of::<sys::bpf_map_create_opts>() as _,
        map_flags: flags,
        ..Default::default()
    };
    let key = match map_type {
        MapType::Queue | MapType::Stack | MapType::BloomFilter | MapType::RingBuf => 0,
        MapType::LpmTrie => 8,
        _ => 4,
    };
    let (value, entries) = match map_type {
        MapType::RingBuf => (0, 4096),
        _ => (value, 3),
    };
    Ok(MapHandle::create(
        map_type,
        Some(name),
        key,
        value,
        entries,
        &opts,
    )?)
}

const MAP_KINDS: [(MapType, u32, u32); 14] = [
    (MapType::Hash, 12, 0),
    (MapType::Array, 9, sys::BPF_F_MMAPABLE),
    (MapType::Array, 16, sys::BPF_F_RDONLY_PROG),
    (MapType::PercpuHash, 8, sys::BPF_F_NO_PREALLOC),
    (MapType::PercpuArray, 24, 0),
    (MapType::LruHash, 4, 0),
    (MapType::LruPercpuHash, 4, 0),
    (MapType::LpmTrie, 4, sys::BPF_F_NO_PREALLOC),
    (MapType::Queue, 4, 0),
    (MapType::Stack, 4, 0),
    (MapType::ProgArray, 4, 0),
    (MapType::PerfEventArray, 4, 0),
    (MapType::CgroupArray, 4, 0),
    (MapType::RingBuf, 0, 0),
];

const PROG_KINDS: [(u32, u32); 8] = [
    (sys::BPF_PROG_TYPE_SOCKET_FILTER, 0),
    (sys::BPF_PROG_TYPE_SCHED_CLS, 0),
    (sys::BPF_PROG_TYPE_SCHED_ACT, 0),
    (sys::BPF_PROG_TYPE_XDP, 0),
    (sys::BPF_PROG_TYPE_CGROUP_SKB, sys::BPF_CGROUP_INET_INGRESS),
    (sys::BPF_PROG_TYPE_KPROBE, 0),
    (sys::BPF_PROG_TYPE_RAW_TRACEPOINT, 0),
    (sys::BPF_PROG_TYPE_FLOW_DISSECTOR, sys::BPF_FLOW_DISSECTOR),
];

pub fn every_row_agrees_with_bpftool() -> Result<()> {
    many_open_files()?;
    let before = bpf::Ids::now();
    let mut maps = Vec::new();
    let mut progs = Vec::new();
    for at in 0..300 {
        let (kind, value, flags) = MAP_KINDS[at % MAP_KINDS.len()];
        maps.push(
            map(kind, &format!("map_{at}"), value, flags).with_context(|| format!("{kind:?}"))?,
        );
        let (kind, attach) = PROG_KINDS[at % PROG_KINDS.len()];
        progs.push(
            prog(kind, attach, &format!("prog_{at}"), at, 0)
                .with_context(|| format!("prog type {kind}"))?,
        );
    }
    let frozen = maps[2].as_fd().as_raw_fd();
    // SAFETY: a call without pointers.
    ensure!(
        unsafe { sys::bpf_map_freeze(frozen) } == 0,
        "freezing a map"
    );
    fs::write("/proc/sys/kernel/bpf_stats_enabled", "1")?;
    load_gallery()?;
    eventually(|| {
        let loader = MapInfoIter::default().any(|info| info.name == "__loader.map");
        ensure!(!loader, "a loader's map is still there");
        Ok(())
    })?;
    let stable = bpf::Ids::now().since(&before);
    for cpu in 0..2 {
        let mut cpus = CpuSet::new();
        cpus.set(cpu);
        sched_setaffinity(None, &cpus)?;
        // Socket filters.
        for prog in progs.iter().step_by(PROG_KINDS.len()).take(5) {
            run(prog, 3)?;
        }
    }
    fs::write("/proc/sys/kernel/bpf_stats_enabled", "0")?;
    load()?;
    mount_bpffs(MNT)?;

    // Others come and go meanwhile.
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = (
                    map(MapType::Array, "passing", 4, 0),
                    prog(sys::BPF_PROG_TYPE_XDP, 0, "passing", 3, 0),
                );
            }
        });
        let result = (0..3).try_for_each(|_| {
            maps_agree(&stable.maps)?;
            progs_agree(&stable.progs)
        });
        stop.store(true, Ordering::Relaxed);
        result
    })
}

/// Compares a row with what bpftool says: pairs of a column's word and bpftool's value.
fn expect_equal(what: &str, id: u32, pairs: &[(&str, &str, String)]) -> Result<()> {
    for (column, seen, expected) in pairs {
        ensure!(
            seen == expected,
            "{what} {id}, {column}: expected bpftool's {expected:?}, seen {seen:?} in {pairs:?}"
        );
    }
    Ok(())
}

/// A number of bpftool's, which leaves out some that are 0.
fn number(value: &Value, key: &str) -> String {
    match &value[key] {
        Value::Null => "0".to_owned(),
        Value::Bool(yes) => u8::from(*yes).to_string(),
        other => other.to_string(),
    }
}

/// A type's name: the kernel's, or a number where it has none. bpftool's are in small letters.
fn type_name(value: &Value) -> String {
    value["type"]
        .as_str()
        .map_or_else(|| value["type"].to_string(), str::to_uppercase)
}

fn maps_agree(ids: &BTreeSet<u32>) -> Result<()> {
    let text = fs::read_to_string(format!("{MNT}/maps.debug"))?;
    expect_aligned(&text, "type")?;
    let rows = table(&text)?;
    let btfs: BTreeMap<_, _> = MapInfoIter::default()
        .map(|info| (info.id, info.btf_id))
        .collect();
    let mut compared = 0;
    for value in bpftool("map")? {
        let id = value["id"].as_u64().context("an id")? as u32;
        if !ids.contains(&id) {
            continue;
        }
        let row = rows
            .get(&id)
            .with_context(|| format!("expected a row of map {id}, seen none"))?;
        // Not bpftool's: of a map without BTF it says the id of the one before, as the kernel leaves what it was given.
        let btf = btfs.get(&id).context("the map's BTF")?;
        let flags = u32::from_str_radix(row["flags"].trim_start_matches("0x"), 16)?;
        expect_equal(
            "map",
            id,
            &[
                (
                    "name",
                    &row["name"],
                    value["name"].as_str().unwrap_or("-").to_owned(),
                ),
                ("type", &row["type"], type_name(&value)),
                ("key", &row["key"], number(&value, "bytes_key")),
                ("value", &row["value"], number(&value, "bytes_value")),
                (
                    "max_entries",
                    &row["max_entries"],
                    number(&value, "max_entries"),
                ),
                ("flags", &flags.to_string(), number(&value, "flags")),
                ("frozen", &row["frozen"], number(&value, "frozen")),
                ("btf_id", &row["btf_id"].replace('-', "0"), btf.to_string()),
            ],
        )?;
        compared += 1;
    }
    ensure!(
        compared == ids.len(),
        "maps that bpftool lists: expected {}, seen {compared}",
        ids.len()
    );
    Ok(())
}

fn progs_agree(ids: &BTreeSet<u32>) -> Result<()> {
    let text = fs::read_to_string(format!("{MNT}/progs.debug"))?;
    expect_aligned(&text, "type")?;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_secs();
    let rows = table(&text)?;
    let mut compared = 0;
    let mut ran = 0;
    for value in bpftool("prog")? {
        let id = value["id"].as_u64().context("an id")? as u32;
        if !ids.contains(&id) {
            continue;
        }
        let row = rows
            .get(&id)
            .with_context(|| format!("expected a row of prog {id}, seen none"))?;
        let maps = value["map_ids"].as_array().map_or(0, Vec::len);
        expect_equal(
            "prog",
            id,
            &[
                (
                    "name",
                    &row["name"],
                    value["name"].as_str().unwrap_or("-").to_owned(),
                ),
                ("type", &row["type"], type_name(&value)),
                (
                    "tag",
                    &row["tag"],
                    value["tag"].as_str().unwrap_or_default().to_owned(),
                ),
                ("jited", &row["jited"], number(&value, "bytes_jited")),
                ("xlated", &row["xlated"], number(&value, "bytes_xlated")),
                ("run_cnt", &row["run_cnt"], number(&value, "run_cnt")),
                (
                    "run_time_ns",
                    &row["run_time_ns"],
                    number(&value, "run_time_ns"),
                ),
                ("misses", &row["misses"], number(&value, "recursion_misses")),
                ("uid", &row["uid"], number(&value, "uid")),
                ("maps", &row["maps"], maps.to_string()),
            ],
        )?;
        let age: u64 = row["age"].parse()?;
        let loaded = value["loaded_at"].as_u64().context("loaded_at")?;
        ensure!(
            (now - age).abs_diff(loaded) <= 2,
            "age of prog {id}: expected {} s, seen {age}",
            now - loaded
        );
        // On both CPUs.
        ran += u32::from(row["run_cnt"] == "6");
        compared += 1;
    }
    ensure!(
        compared == ids.len(),
        "progs that bpftool lists: expected {}, seen {compared}",
        ids.len()
    );
    ensure!(
        ran == 5,
        "progs that ran 3 times on each of two CPUs: expected 5, seen {ran}"
    );
    Ok(())
}

/// Reads a file and gives the row of an id.
fn row(name: &str, id: u32) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(format!("{MNT}/{name}"))?;
    expect_aligned(&text, "type")?;
    table(&text)?
        .remove(&id)
        .with_context(|| format!("expected {id} in {name}, seen {text}"))
}

/// Compares words of a row with what they should be.
fn expect_words(row: &BTreeMap<String, String>, expected: &[(&str, &str)]) -> Result<()> {
    for (column, word) in expected {
        ensure!(
            row[*column] == *word,
            "{column}: expected {word:?}, seen {row:?}"
        );
    }
    Ok(())
}

/// The id of the only prog that is new.
fn new_prog(before: &bpf::Ids) -> Result<u32> {
    let progs: Vec<_> = bpf::Ids::now().since(before).progs.into_iter().collect();
    match progs[..] {
        [id] => Ok(id),
        _ => bail!("expected one prog more, seen {progs:?}"),
    }
}

pub fn a_prog_has_its_functions_name_or_its_own_or_none() -> Result<()> {
    load()?;
    mount_bpffs(MNT)?;
    let long = "_long".repeat(20);
    let whole = format!("{long}/-");
    for (name, function, expected, whole) in [
        ("own", Some("function"), "function", "-"),
        ("", Some("function"), "function", "-"),
        ("own", None, "own", "-"),
        ("", None, "-", "-"),
        ("own", Some(&*long), "own", &*whole),
        ("", Some(&*long), "-", &*whole),
    ] {
        let before = bpf::Ids::now();
        let _prog = bpf::prog(name, function)?;
        let row = row("progs.debug", new_prog(&before)?)?;
        expect_words(
            &row,
            &[
                ("name", expected),
                ("attached", "-"),
                ("target", "-"),
                ("whole", whole),
            ],
        )
        .with_context(|| format!("a prog {name:?} of {function:?}"))?;
    }
    Ok(())
}

/// Loads a prog that can take the place of a function of another one.
fn replacement(name: &str, of: &OwnedFd) -> Result<OwnedFd> {
    let btf = bpf::btf_of_function(name)?;
    let function = sys::bpf_func_info {
        insn_off: 0,
        type_id: bpf::BTF_FUNCTION,
    };
    let mut opts = sys::bpf_prog_load_opts {
        sz: size_of::<sys::bpf_prog_load_opts>() as _,
        prog_btf_fd: btf.as_raw_fd() as u32,
        func_info: std::ptr::from_ref(&function).cast(),
        func_info_cnt: 1,
        func_info_rec_size: size_of_val(&function) as u32,
        attach_prog_fd: of.as_raw_fd() as u32,
        attach_btf_id: bpf::BTF_FUNCTION,
        ..Default::default()
    };
    bpf::load_prog(sys::BPF_PROG_TYPE_EXT, name, &bpf::returning(0), &mut opts)
}

pub fn a_prog_names_the_prog_that_it_was_loaded_for_until_it_is_attached() -> Result<()> {
    load()?;
    mount_bpffs(MNT)?;
    pin::pin(Path::new(MNT))?;
    let long = "much_longer_than_its_column_and_the_next_ones";
    for (replaced, own, name, target, whole) in [
        ("replaced", "short", "short", "replaced", "-"),
        ("", "short", "short", "-", "-"),
        (
            "replaced",
            long,
            &long[..15],
            "replaced",
            "much_longer_than_its_column_and_the_next_ones/a_function",
        ),
    ] {
        let before = bpf::Ids::now();
        let replaced = bpf::prog(replaced, Some("a_function"))?;
        let replaced_id = new_prog(&before)?.to_string();
        let before = bpf::Ids::now();
        let prog = replacement(own, &replaced)?;
        let id = new_prog(&before)?;
        expect_words(
            &row("progs.debug", id)?,
            &[
                ("name", name),
                ("attached", "a_function"),
                ("target", target),
                ("type", "EXT"),
                ("whole", whole),
            ],
        )?;
        // SAFETY: the prog names its target itself.
        let _link =
            bpf::owned(unsafe { sys::bpf_raw_tracepoint_open(std::ptr::null(), prog.as_raw_fd()) })
                .context("attaching")?;
        expect_words(&row("progs.debug", id)?, &[("target", "-")])?;
        let text = fs::read_to_string(format!("{MNT}/links.debug"))?;
        let rows = table(&text)?;
        let seen = rows
            .values()
            .find(|row| row["prog"] == id.to_string())
            .with_context(|| format!("expected a link of {id}, seen {text}"))?;
        expect_words(
            seen,
            &[
                ("type", "TRACING"),
                ("name", own),
                ("target", "a_function"),
                ("target_id", &replaced_id),
            ],
        )?;
    }
    Ok(())
}

pub fn run_counts_are_those_of_bpftool_while_progs_run() -> Result<()> {
    load()?;
    mount_bpffs(MNT)?;
    fs::write("/proc/sys/kernel/bpf_stats_enabled", "1")?;
    let before = bpf::Ids::now();
    let counted = prog(sys::BPF_PROG_TYPE_SOCKET_FILTER, 0, "counted", 7, 0)?;
    let id = new_prog(&before)?;
    let own = bpf::prog_id("dump_bpf_prog")?;
    let mut own_runs = 0;
    for cpu in 0..2 {
        let mut cpus = CpuSet::new();
        cpus.set(cpu);
        sched_setaffinity(None, &cpus)?;
        run(&counted, 5)?;
        let seen = row("progs.debug", id)?;
        expect_words(
            &seen,
            &[("run_cnt", &(5 * (cpu + 1)).to_string()), ("misses", "0")],
        )?;
        let all = bpftool("prog")?;
        let value = all
            .iter()
            .find(|value| value["id"] == id)
            .with_context(|| format!("expected prog {id} of bpftool, seen {all:?}"))?;
        ensure!(
            seen["run_cnt"] == number(value, "run_cnt")
                && seen["run_time_ns"] == number(value, "run_time_ns")
                && seen["run_time_ns"] != "0",
            "expected the counts of {value}, seen {seen:?}"
        );
        // The one that prints this counts itself: once for each row so far.
        let runs: u64 = row("progs.debug", own)?["run_cnt"].parse()?;
        ensure!(
            runs > own_runs,
            "expected dump_bpf_prog to have run more than {own_runs} times, seen {runs}"
        );
        own_runs = runs;
    }
    Ok(())
}

/// What it takes to read a file and to run bpftool, in instructions of the machine, whose clock counts them.
fn costs(kind: &str) -> Result<[u64; 2]> {
    let start = Instant::now();
    let text = fs::read_to_string(format!("{MNT}/{kind}s.debug"))?;
    let file = start.elapsed().as_nanos() as u64;
    let rows = text.lines().count() - 1;

    let start = Instant::now();
    let seen = bpftool(kind)?.len();
    let tool = start.elapsed().as_nanos() as u64;
    // Of its own it loads some for the time that it runs.
    ensure!(
        seen >= rows,
        "{kind}s: expected {rows} of bpftool, seen {seen}"
    );
    Ok([file, tool])
}

pub fn a_row_costs_less_than_one_of_bpftool() -> Result<()> {
    const MORE: u64 = 500;

    many_open_files()?;
    load()?;
    mount_bpffs(MNT)?;
    let before = [costs("map")?, costs("prog")?];
    let mut all: Vec<OwnedFd> = Vec::new();
    let mut maps = Vec::new();
    for _ in 0..MORE {
        all.push(prog(sys::BPF_PROG_TYPE_XDP, 0, "one_of_many", 0, 0)?);
        maps.push(map(MapType::Array, "one_of_many", 4, 0)?);
    }
    let after = [costs("map")?, costs("prog")?];
    for ((kind, before), after) in ["map", "prog"].iter().zip(before).zip(after) {
        let [file, tool] = [0, 1].map(|who| (after[who] - before[who]) / MORE);
        note(&format!(
            "| instructions for a row of {kind}s.debug | {file} | of bpftool | {tool} |"
        ));
        ensure!(
            file > 0 && file < tool,
            "{kind}s: expected less than bpftool's {tool} instructions for a row, seen {file}"
        );
    }
    Ok(())
}

pub fn ten_thousand_progs_and_maps_are_listed_once_each() -> Result<()> {
    const COUNT: usize = 10_000;
    many_open_files()?;
    let before = bpf::Ids::now();
    let mut all: Vec<OwnedFd> = Vec::new();
    let mut maps = Vec::new();
    for _ in 0..COUNT {
        all.push(prog(
            sys::BPF_PROG_TYPE_SOCKET_FILTER,
            0,
            "one_of_many",
            0,
            0,
        )?);
        maps.push(map(MapType::Array, "one_of_many", 4, 0)?);
    }
    let ids = bpf::Ids::now().since(&before);
    load()?;
    mount_bpffs(MNT)?;
    for (name, ids) in [("progs.debug", &ids.progs), ("maps.debug", &ids.maps)] {
        let path = format!("{MNT}/{name}");
        let check = |text: &str| -> Result<()> {
            let mut seen = BTreeSet::new();
            for line in text.lines().skip(1) {
                let id: u32 = line.split_whitespace().next().unwrap_or_default().parse()?;
                ensure!(seen.insert(id), "{name}: expected {id} once, seen {line:?}");
            }
            let missing: Vec<_> = ids.difference(&seen).collect();
            ensure!(
                missing.is_empty() && ids.len() == COUNT,
                "{name}: expected all {COUNT}, missing {missing:?} of {}",
                ids.len()
            );
            Ok(())
        };
        // head -1, and an end in the middle.
        let mut line = String::new();
        BufReader::new(File::open(&path)?).read_line(&mut line)?;
        ensure!(line.starts_with("  id name"), "header, seen {line:?}");
        File::open(&path)?.read_exact(&mut [0; 100_000])?;
        // Two at once, one of them in small pieces.
        let small = || -> Result<String> {
            let mut file = File::open(&path)?;
            let mut text = Vec::new();
            let mut piece = [0; 211];
            loop {
                match file.read(&mut piece)? {
                    0 => return Ok(String::from_utf8(text)?),
                    length => text.extend_from_slice(&piece[..length]),
                }
            }
        };
        let (pieces, whole) = std::thread::scope(|scope| {
            let pieces = scope.spawn(small);
            let whole = fs::read_to_string(&path);
            (pieces.join().expect("a thread that does not panic"), whole)
        });
        check(&pieces?).context("in small pieces")?;
        check(&whole?)?;
    }
    Ok(())
}

/// Makes a link: `opts` says to what, if `target` does not.
fn link(
    prog: &OwnedFd,
    target: i32,
    attach_type: u32,
    opts: Option<&sys::bpf_link_create_opts>,
) -> Result<OwnedFd> {
    let opts = opts.map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the options are live, if there are any.
    let fd = unsafe { sys::bpf_link_create(prog.as_raw_fd(), target, attach_type, opts) };
    bpf::owned(fd).context("making a link")
}

pub fn links_debug_names_what_links_are_attached_to() -> Result<()> {
    fs::create_dir_all("/tmp/cgroup")?;
    rustix::mount::mount(
        "cgroup",
        "/tmp/cgroup",
        "cgroup2",
        rustix::mount::MountFlags::empty(),
        None,
    )?;
    let cgroup = File::open("/tmp/cgroup")?;
    let net = File::open("/proc/self/ns/net")?;
    let xdp = prog(sys::BPF_PROG_TYPE_XDP, sys::BPF_XDP, "an_xdp", 0, 2)?;
    let skb = prog(
        sys::BPF_PROG_TYPE_CGROUP_SKB,
        sys::BPF_CGROUP_INET_INGRESS,
        "a_cgroup_skb",
        0,
        1,
    )?;
    let flow = prog(
        sys::BPF_PROG_TYPE_FLOW_DISSECTOR,
        sys::BPF_FLOW_DISSECTOR,
        "a_flow",
        0,
        0,
    )?;
    let _links = [
        link(&xdp, 1, sys::BPF_XDP, None)?,
        link(&skb, cgroup.as_raw_fd(), sys::BPF_CGROUP_INET_INGRESS, None)?,
        link(&flow, net.as_raw_fd(), sys::BPF_FLOW_DISSECTOR, None)?,
    ];
    load()?;
    mount_bpffs(MNT)?;
    pin::pin(Path::new(MNT))?;
    let text = fs::read_to_string(format!("{MNT}/links.debug"))?;
    expect_aligned(&text, "type")?;
    let rows = table(&text)?;
    let mut seen = BTreeSet::new();
    for value in bpftool("link")? {
        let id = value["id"].as_u64().context("an id")? as u32;
        let row = rows
            .get(&id)
            .with_context(|| format!("expected a row of link {id}, seen {text}"))?;
        let kind = type_name(&value);
        let (target, target_id) = match kind.as_str() {
            "ITER" => (value["target_name"].as_str().unwrap_or("-"), "-".to_owned()),
            "XDP" => ("lo", number(&value, "ifindex").replace('0', "1")),
            "CGROUP" => ("-", number(&value, "cgroup_id")),
            "NETNS" => ("-", net.metadata()?.ino().to_string()),
            other => bail!("a link that this test has not made: {other}"),
        };
        expect_equal(
            "link",
            id,
            &[
                ("type", &row["type"], kind.clone()),
                ("prog", &row["prog"], number(&value, "prog_id")),
                ("target", &row["target"], target.to_owned()),
                ("target_id", &row["target_id"], target_id),
            ],
        )?;
        seen.insert(kind);
    }
    let expected = ["CGROUP", "ITER", "NETNS", "XDP"].map(str::to_owned);
    ensure!(
        seen == BTreeSet::from(expected.clone()) && rows.len() == 6,
        "kinds in 6 rows: expected {expected:?}, seen {text}"
    );
    Ok(())
}

pub fn odd_names_never_break_a_row() -> Result<()> {
    let odd =
        "/tmp/a \x01\n name\u{e9} that is much longer than any column of any file can be wide";
    fs::write(odd, [0; 4096])?;
    let path = CString::new(odd)?;
    let offset: std::ffi::c_ulong = 16;
    let mut opts = sys::bpf_link_create_opts {
        sz: size_of::<sys::bpf_link_create_opts>() as _,
        ..Default::default()
    };
    opts.__bindgen_anon_1.uprobe_multi.path = path.as_ptr();
    opts.__bindgen_anon_1.uprobe_multi.offsets = &offset;
    opts.__bindgen_anon_1.uprobe_multi.cnt = 1;
    let probe = prog(
        sys::BPF_PROG_TYPE_KPROBE,
        sys::BPF_TRACE_UPROBE_MULTI,
        "",
        0,
        0,
    )?;
    let _link = link(&probe, 0, sys::BPF_TRACE_UPROBE_MULTI, Some(&opts))?;
    let long = format!("f{}", "_long".repeat(30));
    let _prog = bpf::prog("cut_at_15_bytes", Some(&long))?;
    let _map = map(MapType::Array, "", 4, 0)?;
    load()?;
    mount_bpffs(MNT)?;
    pin::pin(Path::new(MNT))?;
    for name in ALL {
        let text = fs::read_to_string(format!("{MNT}/{name}"))?;
        expect_aligned(&text, "type").with_context(|| name)?;
        table(&text).with_context(|| name)?;
    }
    let text = fs::read_to_string(format!("{MNT}/links.debug"))?;
    ensure!(
        text.contains("UPROBE_MULTI") && text.contains(" a????name???that?is"),
        "expected the odd file name with ? for odd bytes, seen {text}"
    );
    let text = fs::read_to_string(format!("{MNT}/progs.debug"))?;
    ensure!(
        text.lines()
            .any(|line| line.ends_with(&format!(" {long}/-"))),
        "expected the whole name at the end of its row, seen {text}"
    );
    Ok(())
}

pub fn pin_puts_the_files_into_a_mount_that_is_older() -> Result<()> {
    without_modprobe(|| mount_bpffs(MNT))?;
    load()?;
    let said = pin::pin(Path::new(MNT))?;
    ensure!(
        said.len() == 3 && said.iter().all(|line| line.ends_with(": pinned")),
        "expected three files pinned, seen {said:?}"
    );
    for name in ALL {
        let mode = fs::metadata(format!("{MNT}/{name}"))?.mode();
        ensure!(
            mode == 0o100_400,
            "mode of {name}: expected 100400, seen {mode:o}"
        );
        let text = fs::read_to_string(format!("{MNT}/{name}"))?;
        ensure!(!table(&text)?.is_empty(), "expected rows in {name}");
    }
    // Once more: nothing to do, and of two files of three only the one that is missing.
    let said = pin::pin(Path::new(MNT))?;
    ensure!(
        said.iter().all(|line| line.ends_with(": is there already")),
        "expected nothing done, seen {said:?}"
    );
    fs::remove_file(format!("{MNT}/progs.debug"))?;
    let said = pin::pin(Path::new(MNT))?;
    ensure!(
        said.iter()
            .filter(|line| line.ends_with("progs.debug: pinned"))
            .count()
            == 1,
        "expected progs.debug pinned, seen {said:?}"
    );
    let mode = fs::metadata(MNT)?.mode();
    ensure!(
        mode == 0o41_777,
        "mode of the mount: expected 41777, as it was, seen {mode:o}"
    );
    // And a folder within.
    fs::create_dir(format!("{MNT}/folder"))?;
    pin::pin(Path::new(&format!("{MNT}/folder"))).map(drop)
}

/// Runs it where the kernel asks nobody for modules.
fn without_modprobe(run: impl FnOnce() -> Result<()>) -> Result<()> {
    const SETTING: &str = "/proc/sys/kernel/modprobe";
    let path = fs::read(SETTING)?;
    fs::write(SETTING, "\n")?;
    run()?;
    Ok(fs::write(SETTING, path)?)
}

pub fn links_debug_costs_nothing_before_it_is_pinned_and_after_it_is_removed() -> Result<()> {
    let link = || bpf::prog_id("dump_bpf_link");
    load()?;
    mount_bpffs(MNT)?;
    ensure!(link().is_err(), "expected no dump_bpf_link, seen one");
    let before = bpf::Ids::now();
    for _ in 0..2 {
        pin::pin(Path::new(MNT))?;
        link()?;
        let modules = loaded_modules()?;
        ensure!(
            modules == [module()],
            "expected its module to be gone, seen {modules:?}"
        );
        fs::remove_file(format!("{MNT}/links.debug"))?;
        bpf::expect_nothing_since(&before, "removing links.debug")?;
    }
    Ok(())
}

pub fn pin_takes_links_debug_from_a_module_that_is_loaded() -> Result<()> {
    let links = format!("{}/bpf_preload_links.ko", scenarios::MODULE_DIR);
    load()?;
    mount_bpffs(MNT)?;
    let said = pin::pin(Path::new(MNT))?;
    ensure!(
        said.len() == 3 && said[0].contains("links.debug: left out"),
        "expected links.debug left out, seen {said:?}"
    );
    let before = bpf::Ids::now();
    // The kernel's selftests have a prog of this name, too.
    let other = bpf::iterator_of_links("dump_bpf_link")?;
    insmod(&links)??;
    let said = pin::pin(Path::new(MNT))?;
    ensure!(
        said.iter()
            .any(|line| line.ends_with("links.debug: pinned")),
        "expected links.debug pinned, seen {said:?}"
    );
    let has_rows = || -> Result<()> {
        let text = fs::read_to_string(format!("{MNT}/links.debug"))?;
        ensure!(!table(&text)?.is_empty(), "expected rows, seen {text}");
        Ok(())
    };
    has_rows()?;
    // Who has loaded it removes it; the file stays as it is.
    rmmod("bpf_preload_links")?;
    has_rows()?;
    fs::remove_file(format!("{MNT}/links.debug"))?;
    drop(other);
    bpf::expect_nothing_since(&before, "removing links.debug")
}

pub fn pin_says_why_it_cannot() -> Result<()> {
    let expect = |dir: &str, text: &str| -> Result<()> {
        let seen = pin::pin(Path::new(dir)).map_err(|error| format!("{error:#}"));
        ensure!(
            matches!(&seen, Err(why) if why.contains(text) && !why.contains('\n')),
            "pinning in {dir}: expected one line with {text:?}, seen {seen:?}"
        );
        Ok(())
    };
    without_modprobe(|| {
        mount_bpffs(MNT)?;
        expect("/tmp", "is not in a BPF file system")?;
        expect("/tmp/none", "No such file")?;
        expect(MNT, "is bpf_preload_rs loaded?")
    })?;
    load()?;
    // The module of links.debug does not load: nothing is pinned.
    fs::write("/proc/sys/net/core/bpf_jit_enable", "0")?;
    expect(MNT, "could not insert 'bpf_preload_links'")?;
    fs::write("/proc/sys/net/core/bpf_jit_enable", "1")?;
    ensure!(
        fs::read_dir(MNT)?.next().is_none(),
        "expected nothing done where links.debug cannot be had, seen a file"
    );
    // The kernel lets nobody use names with a dot, but in a folder of mode 0.
    fs::set_permissions(MNT, fs::Permissions::from_mode(0o0))?;
    fs::create_dir(format!("{MNT}/progs.debug"))?;
    fs::set_permissions(MNT, fs::Permissions::from_mode(0o777))?;
    expect(MNT, "progs.debug exists and is something else")?;
    let left: Vec<_> = fs::read_dir(MNT)?.collect();
    ensure!(
        left.len() == 1,
        "expected nothing done where one name is taken, seen {left:?}"
    );
    as_user(1000, 1000, || expect(MNT, "only root"))
}

pub fn pin_takes_any_iterator_by_its_progs_name_or_its_links_id() -> Result<()> {
    // An error, or what is said without the folder.
    let pin = |wanted: &[&str]| -> Result<Vec<String>> {
        let wanted: Vec<_> = wanted
            .iter()
            .map(|text| text.parse())
            .collect::<Result<_>>()?;
        let said = pin::pin_iterators(Path::new(MNT), &wanted)?;
        Ok(said
            .iter()
            .map(|line| line.replace(&format!("{MNT}/"), ""))
            .collect())
    };
    let expect = |wanted: &[&str], expected: Result<&[&str], &str>| -> Result<()> {
        let seen = pin(wanted).map_err(|error| format!("{error:#}"));
        ensure!(
            match (expected, &seen) {
                (Ok(expected), Ok(seen)) => expected == seen,
                (Err(expected), Err(seen)) => seen.contains(expected) && !seen.contains('\n'),
                _ => false,
            },
            "{wanted:?}: expected {expected:?}, seen {seen:?}"
        );
        Ok(())
    };
    let long = "longer_than_the_kernel_keeps";
    let links = ["one", long, "two", "two"]
        .iter()
        .map(|name| bpf::iterator_of_links(name))
        .collect::<Result<Vec<_>>>()?;
    let [first, second] = [2, 3].map(|at: usize| LinkInfo::from_fd(links[at].as_fd()));
    let (first, second) = (first?.id, second?.id);
    let of_first = &*format!("{first}=two");
    mount_bpffs(MNT)?;

    expect(
        &["one", long],
        Ok(&[&format!("{long}: pinned"), "one: pinned"]),
    )?;
    expect(&["one"], Ok(&["one: is there already"]))?;
    expect(&["one=one.debug"], Ok(&["one.debug: pinned"]))?;
    let why =
        format!("several iterators two, of the links {first}, {second}; {of_first} chooses one");
    expect(&["two"], Err(&why))?;
    expect(&[of_first], Ok(&["two: pinned"]))?;
    expect(&["two", of_first], Ok(&["two: is there already"; 2]))?;
    expect(
        &[&format!("{second}=two")],
        Err("two exists and is something else"),
    )?;
    expect(
        &["one=new", "three"],
        Err("no iterator three; is its module loaded?"),
    )?;
    expect(&["999999=new"], Err("no iterator 999999"))?;
    expect(&["one=new", "one=new"], Err("new: File exists"))?;
    for (wrong, why) in [
        ("=new", "names no iterator"),
        ("one=", "cannot be the name of a file"),
        ("one=..", "cannot be the name of a file"),
        ("one=a/b", "cannot be the name of a file"),
        ("7", "an id wants a name for its file"),
    ] {
        expect(&[wrong], Err(why))?;
    }
    let mut seen = Vec::new();
    for entry in fs::read_dir(MNT)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        seen.push(format!("{:o} {name}", entry.metadata()?.mode()));
    }
    seen.sort();
    let expected = [long, "one", "one.debug", "two"].map(|name| format!("100400 {name}"));
    ensure!(seen == expected, "expected {expected:?}, seen {seen:?}");

    // The files hold them now.
    drop(links);
    fs::read_to_string(format!("{MNT}/one"))?;
    Ok(())
}

/// Runs it in a thread with another user's rights.
pub fn as_user<T: Send>(uid: u32, gid: u32, run: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            set_thread_groups(&[])?;
            set_thread_gid(Gid::from_raw(gid))?;
            set_thread_uid(Uid::from_raw(uid))?;
            run()
        });
        thread.join().expect("a thread that does not panic")
    })
}

pub fn a_group_may_read_when_root_says_so() -> Result<()> {
    const GROUP: u32 = 990;
    load()?;
    mount_bpffs(MNT)?;
    let path = format!("{MNT}/progs.debug");
    let read = || fs::read_to_string(&path);
    let refused = || match read() {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        seen => bail!("expected EACCES, seen {seen:?}"),
    };
    as_user(1000, GROUP, refused).context("as it is")?;
    // What the line in tmpfiles.d does.
    chown(&path, Some(0), Some(GROUP))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440))?;
    as_user(1000, GROUP, || {
        let rows = table(&read()?)?;
        ensure!(rows.len() >= 2, "expected all rows, seen {rows:?}");
        Ok(())
    })
    .context("in the group")?;
    as_user(1000, 1000, refused).context("not in the group")
}
