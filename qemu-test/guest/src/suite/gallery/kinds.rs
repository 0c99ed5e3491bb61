// SPDX-License-Identifier: GPL-2.0
//! Map kinds.

use std::os::fd::{AsFd, AsRawFd};
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType, RingBufferBuilder, UserRingBuffer};
use rustix::process::{getpid, pidfd_open, PidfdFlags};
use rustix::thread::{sched_setaffinity, CpuSet};

use super::{bss, expect_bss, load, test_run};
use crate::bpf;

pub fn gallery_hash_counts_by_the_name_of_the_task() -> Result<()> {
    load("hash")?;
    run_in_thread("alpha", "count_by_comm", 2)?;
    run_in_thread("beta", "count_by_comm", 1)?;
    let calls = bpf::map("calls_by_comm")?;
    let of = |comm: &str| {
        let mut key = [0; 16];
        key[..comm.len()].copy_from_slice(comm.as_bytes());
        let value = calls.lookup(&key, MapFlags::ANY)?;
        anyhow::Ok(value.map(|bytes| u64::from_ne_bytes(bytes.try_into().unwrap())))
    };
    let seen = [of("alpha")?, of("beta")?, of("gamma")?];
    ensure!(
        seen == [Some(2), Some(1), None],
        "calls of alpha, beta, gamma: expected 2, 1 and none, seen {seen:?}"
    );
    Ok(())
}

pub fn gallery_lru_hash_drops_what_was_not_used() -> Result<()> {
    load("lru_hash")?;
    test_run("put_in_lru")?;
    expect_bss("lru_hash", &[("accepted", 20), ("refused", 0)])?;
    let recent = bpf::map("recent")?;
    let keys: Vec<_> = recent.keys().map(|key| u32_of(&key)).collect();
    ensure!(
        keys.len() <= 4 && keys.contains(&1) && keys.contains(&20) && !keys.contains(&2),
        "keys: expected at most 4, with 1 (always used) and 20 (the newest), without 2; seen {keys:?}"
    );
    Ok(())
}

pub fn gallery_lpm_trie_finds_the_longest_prefix() -> Result<()> {
    load("lpm_trie")?;
    test_run("find_routes")?;
    let expect = |first, second, third| {
        expect_bss(
            "lpm_trie",
            &[
                ("route_of_10_1_2_3", first),
                ("route_of_10_2_3_4", second),
                ("route_of_192_0_2_1", third),
            ],
        )
    };
    expect(200, 100, 0).context("with two networks")?;
    // 10.1.2.0/24, and a default route.
    let routes = bpf::map("routes")?;
    for (len, addr, route) in [(24_u32, [10, 1, 2, 0], 300_u32), (0, [0; 4], 400)] {
        let key = [len.to_ne_bytes(), addr].concat();
        routes.update(&key, &route.to_ne_bytes(), MapFlags::ANY)?;
    }
    test_run("find_routes")?;
    expect(300, 100, 400).context("with two networks more")
}

pub fn gallery_bloom_filter_knows_what_was_put_in() -> Result<()> {
    load("bloom_filter")?;
    test_run("use_filter")?;
    expect_bss("bloom_filter", &[("found", 2), ("missing", 1)])
}

pub fn gallery_queue_stack_give_back_first_and_last() -> Result<()> {
    load("queue_stack")?;
    test_run("use_queue_stack")?;
    expect_bss(
        "queue_stack",
        &[("from_queue", 1), ("from_stack", 3), ("no_room", 2)],
    )?;
    // What comes next, without taking it out.
    for (name, next) in [("a_queue", 2), ("a_stack", 2)] {
        let seen = bpf::map(name)?.lookup(&[], MapFlags::ANY)?;
        let seen = seen.map(|value| u32_of(&value));
        ensure!(
            seen == Some(next),
            "next of {name}: expected {next}, seen {seen:?}"
        );
    }
    Ok(())
}

pub fn gallery_percpu_counts_each_cpu_by_itself() -> Result<()> {
    load("percpu")?;
    // The thread, not the test: it goes with its affinity.
    thread::spawn(|| {
        for (cpu, times) in [(0, 2), (1, 3)] {
            let mut cpus = CpuSet::new();
            cpus.set(cpu);
            sched_setaffinity(None, &cpus)?;
            for _ in 0..times {
                test_run("count_by_cpu")?;
            }
        }
        anyhow::Ok(())
    })
    .join()
    .map_err(|_| anyhow!("a thread has panicked"))??;
    let calls = bpf::map("calls_by_cpu")?
        .lookup_percpu(&0_u32.to_ne_bytes(), MapFlags::ANY)?
        .context("expected an element, seen none")?;
    let calls: Vec<_> = calls.iter().map(|value| u32_of(value)).collect();
    ensure!(
        calls.starts_with(&[2, 3]),
        "calls by CPU: expected [2, 3], seen {calls:?}"
    );
    expect_bss(
        "percpu",
        &[("cpus", 0b11), ("cpu_1", 1), ("no_such_cpu", 5)],
    )
}

pub fn gallery_map_in_map_takes_another_map_at_run_time() -> Result<()> {
    load("map_in_map")?;
    // The outer map alone keeps them.
    let inner = [bpf::map("inner_0")?, bpf::map("inner_1")?];
    let expect = |what: &str, map: &MapHandle, value| {
        let seen = map.lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)?;
        let seen = seen.map(|value| u32_of(&value));
        ensure!(
            seen == Some(value),
            "{what}: expected {value}, seen {seen:?}"
        );
        Ok(())
    };
    test_run("add_in_slots")?;
    expect("first map", &inner[0], 1)?;
    expect("second map", &inner[1], 10)?;

    let opts = sys::bpf_map_create_opts {
        sz: size_of::<sys::bpf_map_create_opts>() as _,
        ..Default::default()
    };
    let ours = MapHandle::create(MapType::Array, Some("ours"), 4, 4, 1, &opts)?;
    let fd = ours.as_fd().as_raw_fd();
    bpf::map("outer")?.update(&1_u32.to_ne_bytes(), &fd.to_ne_bytes(), MapFlags::ANY)?;
    test_run("add_in_slots")?;
    expect("first map", &inner[0], 2)?;
    expect("second map, which is out", &inner[1], 10)?;
    expect("our map in its place", &ours, 10)
}

pub fn gallery_task_storage_belongs_to_one_task() -> Result<()> {
    load("task_storage")?;
    test_run("count_by_task")?;
    run_in_thread("other", "count_by_task", 2)?;
    test_run("count_by_task")?;
    expect_bss("task_storage", &[("new_tasks", 2)])?;
    let pidfd = pidfd_open(getpid(), PidfdFlags::empty())?;
    let seen =
        bpf::map("calls_by_task")?.lookup(&pidfd.as_raw_fd().to_ne_bytes(), MapFlags::ANY)?;
    let seen = seen.map(|value| u32_of(&value));
    ensure!(
        seen == Some(2),
        "calls of this task: expected 2, seen {seen:?}"
    );
    Ok(())
}

pub fn gallery_ring_buffer_brings_records_to_user_space() -> Result<()> {
    load("ring_buffer")?;
    run_in_thread("alpha", "send_record", 1)?;
    run_in_thread("beta", "send_record", 1)?;
    let map = bpf::map("records")?;
    let mut records = Vec::new();
    let mut builder = RingBufferBuilder::new();
    builder.add(&map, |record| {
        let number = u32_of(&record[..4]);
        let comm = record[8..].split(|&byte| byte == 0).next();
        let comm = String::from_utf8_lossy(comm.unwrap_or_default()).into_owned();
        records.push((record.len(), number, comm));
        0
    })?;
    let ring = builder.build()?;
    ring.poll(Duration::from_secs(10))?;
    drop(ring);
    let expected = [(24, 1, "alpha".to_owned()), (24, 2, "beta".to_owned())];
    ensure!(
        records == expected,
        "records (size, number, comm): expected {expected:?}, seen {records:?}"
    );
    expect_bss("ring_buffer", &[("lost", 0)])
}

pub fn gallery_user_ring_buffer_brings_records_to_bpf() -> Result<()> {
    load("user_ring_buffer")?;
    let map = bpf::map("orders")?;
    let ring = UserRingBuffer::new(&map)?;
    let submit = |bytes: &[u8]| {
        let mut sample = ring.reserve(bytes.len())?;
        sample.copy_from_slice(bytes);
        anyhow::Ok(ring.submit(sample)?)
    };
    for number in [1000_u64, 200, 30] {
        submit(&number.to_ne_bytes())?;
    }
    submit(&[1, 2, 3])?;
    ensure!(
        bss("user_ring_buffer", "taken")? == 0,
        "taken before a test run: expected 0, seen more"
    );
    test_run("take_orders")?;
    // There is nothing more to take.
    test_run("take_orders")?;
    expect_bss(
        "user_ring_buffer",
        &[("taken", 3), ("sum_of_orders", 1230), ("too_short", 1)],
    )
}

pub fn gallery_max_entries_are_what_the_module_has_set() -> Result<()> {
    load("max_entries")?;
    test_run("fill_sized")?;
    expect_bss("max_entries", &[("fitted", 3), ("did_not_fit", 2)])?;
    let seen = bpf::map("sized_by_module")?.max_entries();
    ensure!(seen == 3, "max_entries: expected 3, seen {seen}");
    Ok(())
}

/// Does test runs in another task, with a name of its own.
fn run_in_thread(comm: &str, prog: &'static str, times: usize) -> Result<()> {
    let run = move || (0..times).try_for_each(|_| test_run(prog).map(drop));
    thread::Builder::new()
        .name(comm.to_owned())
        .spawn(run)?
        .join()
        .map_err(|_| anyhow!("a thread has panicked"))?
}

/// A value or key of 4 bytes.
fn u32_of(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes(bytes.try_into().expect("4 bytes"))
}
