// SPDX-License-Identifier: GPL-2.0
//! What a prog is written with: the kernel's types, symbols and functions, loops, and its own data.

use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::ptr;
use std::sync::Barrier;
use std::thread;

use anyhow::{bail, ensure, Context, Result};
use libbpf_rs::{MapCore, MapFlags, RingBufferBuilder};
use rustix::io::Errno;
use rustix::mm::{mmap, munmap, MapFlags as MmapFlags, ProtFlags};
use rustix::thread::{capabilities, gettid, set_capabilities, CapabilitySet, CapabilitySets};
use scenarios::GALLERY;

use super::{bss, expect_bss, load, load_if, number, test_run, try_load};
use crate::bpf;
use crate::kernel::{dmesg, eventually, has_function, o_nonblock, rmmod, Symbols};
use crate::lab::{mount_tracing, TRACING};

pub fn gallery_core_fields_gets_the_kernels_layout() -> Result<()> {
    load("core_fields")?;
    test_run("read_fields")?;
    let (task_size, comm_offset) = bpf::kernel_struct("task_struct", "comm")?;
    expect_bss(
        "core_fields",
        &[
            ("pid", own_tid()),
            ("leader_pid", std::process::id().into()),
            ("comm_offset", comm_offset.into()),
            ("comm_size", 16),
            ("field_present", 1),
            ("field_absent", 0),
            ("type_present", 1),
            ("type_absent", 0),
            ("type_size", task_size.into()),
            ("type_size_absent", 0),
            ("value_present", 1),
            ("value_absent", 0),
            ("enum_value", 3),
        ],
    )?;
    expect_text("core_fie.bss", "comm", &own_comm()?)
}

pub fn gallery_ksyms_finds_variables_and_addresses() -> Result<()> {
    load("ksyms")?;
    test_run("read_variable")?;
    for (variable, cpu) in [("first_cpu", 0), ("second_cpu", 1)] {
        let seen = number("ksyms.data", variable)?;
        ensure!(seen == cpu, "{variable}: expected {cpu}, seen {seen}");
    }
    let symbols = Symbols::read()?;
    let addr = |name: &str| {
        let (addr, ..) = symbols
            .iter()
            .find(|(_, _, symbol)| *symbol == name)
            .with_context(|| format!("expected {name} in kallsyms, seen none"))?;
        Ok::<_, anyhow::Error>(u64::from_str_radix(addr, 16)?)
    };
    expect_bss(
        "ksyms",
        &[
            ("queue_of_no_cpu", 0),
            ("absent_variable", 0),
            ("init_task_addr", addr("init_task")?),
            ("present_addr", addr("bpf_map_fops")?),
            ("absent_addr", 0),
            ("kfunc_called", 1),
            ("absent_kfunc_called", 0),
        ],
    )?;
    ensure!(bss("ksyms", "present_addr")? != 0, "addresses are hidden");
    expect_text("ksyms.bss", "init_task_comm", "swapper/0")
}

pub fn gallery_kfuncs_are_called() -> Result<()> {
    load("kfuncs")?;
    test_run("call_tasks")?;
    expect_bss(
        "kfuncs",
        &[
            ("found_pid", own_tid()),
            ("acquired_pid", own_tid()),
            ("none_found", 1),
            ("first_cpu", 0),
            ("cpus_set", 1),
            ("elements", 5),
        ],
    )
}

pub fn gallery_crash_kexec_loads_for_who_may_reboot() -> Result<()> {
    load("crash_kexec")?;
    bpf::prog_id("crash_on_error")?;
    ensure!(
        bpf::link_id("crash_on_error").is_err(),
        "expected no link of crash_on_error, seen one"
    );
    rmmod(GALLERY)?;

    // Capabilities are a thread's own.
    let seen = thread::spawn(|| {
        let all = capabilities(None)?;
        let effective = all.effective - CapabilitySet::SYS_BOOT;
        set_capabilities(None, CapabilitySets { effective, ..all })?;
        try_load(&["crash_kexec"])
    })
    .join()
    .unwrap()?;
    ensure!(
        seen == Err(Errno::ACCESS),
        "insmod without CAP_SYS_BOOT: expected EACCES, seen {seen:?}"
    );
    let log = dmesg()?;
    ensure!(
        log.iter().any(|line| line.contains("CAP_SYS_BOOT")),
        "expected a word on CAP_SYS_BOOT in dmesg, seen {log:#?}"
    );
    Ok(())
}

pub fn gallery_open_coded_iter_loops_to_the_end() -> Result<()> {
    load("open_coded_iter")?;
    let before = fs::read_dir("/proc/self/task")?.count();
    let (started, done) = (Barrier::new(4), Barrier::new(4));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                started.wait();
                done.wait();
            });
        }
        started.wait();
        let result = test_run("loop_threads");
        done.wait();
        result
    })?;
    expect_bss(
        "open_coded_iter",
        &[
            ("sum", 3 + 4 + 5 + 6),
            ("threads", before as u64 + 3),
            ("rounds", 10_000),
        ],
    )?;
    ensure!(
        bss("open_coded_iter", "endless")? > 10_000,
        "expected more rounds of the endless loop, seen {}",
        bss("open_coded_iter", "endless")?
    );
    Ok(())
}

pub fn gallery_for_each_elem_visits_elements_until_told_to_stop() -> Result<()> {
    load("for_each_elem")?;
    let put = |map: &str, key: u32| {
        bpf::map(map)?.update(&key.to_ne_bytes(), &(key * 10).to_ne_bytes(), MapFlags::ANY)?;
        Ok::<_, anyhow::Error>(())
    };
    for key in 1..4 {
        put("each_hash", key)?;
    }
    for key in 0..8 {
        put("each_array", key)?;
    }
    test_run("add_elements")?;
    expect_bss(
        "for_each_elem",
        &[
            ("visited", 3),
            ("sum_of_keys", 1 + 2 + 3),
            ("sum_of_values", 10 + 20 + 30),
            ("found_at", 5),
            ("looked_at", 6),
        ],
    )
}

pub fn gallery_dynptr_checks_bounds_at_run_time() -> Result<()> {
    const WRITTEN: u64 = 0x1234_5678;

    load("dynptr")?;
    test_run("use_memory")?;
    expect_bss(
        "dynptr",
        &[
            ("read_back", WRITTEN),
            ("sliced", WRITTEN),
            ("narrowed_size", 4),
            ("narrowed", WRITTEN),
            ("write_past_end", errno(Errno::TOOBIG)),
            ("slices_past_end", 0),
        ],
    )?;
    let mut expected = [0; 16];
    expected[8..12].copy_from_slice(&(WRITTEN as u32).to_ne_bytes());
    let memory = value("dyn_memory", MapFlags::ANY)?;
    ensure!(
        memory == expected,
        "dyn_memory: expected {expected:?}, seen {memory:?}"
    );

    // One record for each name, as long as the name.
    thread::Builder::new()
        .name("nine-long".into())
        .spawn(|| test_run("send_record"))?
        .join()
        .unwrap()?;
    let map = bpf::map("dyn_records")?;
    let mut records = Vec::new();
    let mut buffer = RingBufferBuilder::new();
    buffer.add(&map, |record| {
        records.push(String::from_utf8_lossy(record).into_owned());
        0
    })?;
    buffer.build()?.consume()?;
    let expected = [own_comm()?, "nine-long".to_owned()];
    ensure!(
        records == expected,
        "records: expected {expected:?}, seen {records:?}"
    );
    Ok(())
}

pub fn gallery_strings_are_printed_parsed_and_traced() -> Result<()> {
    mount_tracing()?;
    load("strings")?;
    test_run("print_text")?;
    expect_text("strings.bss", "text", "1 beef seven")?;
    expect_bss(
        "strings",
        &[
            ("printed", 13),
            ("digits", 3),
            ("number", -42_i64 as u64),
            ("same", 0),
            ("length", 12),
            ("found_at", 2),
            ("not_found", errno(Errno::NOENT)),
        ],
    )?;
    ensure!(
        bss("strings", "different")? != 0,
        "different texts: expected not 0, seen 0"
    );
    let mut pipe = OpenOptions::new()
        .read(true)
        .custom_flags(o_nonblock())
        .open(format!("{TRACING}/trace_pipe"))?;
    let mut text = [0; 4096];
    let length = pipe.read(&mut text).context("reading trace_pipe")?;
    let text = String::from_utf8_lossy(&text[..length]);
    ensure!(
        text.contains("bpf_trace_printk: lskel_gallery prints 1 beef seven\n"),
        "expected the text in trace_pipe, seen {text:?}"
    );
    Ok(())
}

pub fn gallery_spin_lock_guards_a_value_on_two_cpus() -> Result<()> {
    const MOVES: u32 = 3000;

    load("spin_lock")?;
    let purses = || {
        let bytes = value("locked_purses", MapFlags::LOCK)?;
        let words: Vec<_> = bytes
            .chunks_exact(4)
            .map(|bytes| u32::from_ne_bytes(bytes.try_into().unwrap()))
            .collect();
        let [_, left, right, moves] = words[..] else {
            bail!("locked_purses: expected 4 words, seen {words:?}");
        };
        ensure!(
            right == moves && left == moves.wrapping_neg(),
            "expected {moves} coins moved, seen left {left}, right {right}"
        );
        Ok(moves)
    };
    let prog = bpf::prog_id("move_coin")?;
    let mover = || {
        for _ in 0..MOVES {
            bpf::test_run(prog)?;
        }
        Ok::<_, anyhow::Error>(())
    };
    thread::scope(|scope| {
        let movers = [scope.spawn(mover), scope.spawn(mover)];
        while movers.iter().any(|mover| !mover.is_finished()) {
            purses()?;
        }
        for mover in movers {
            mover.join().unwrap()?;
        }
        let moves = purses()?;
        // A prog that comes between another run of it on the same CPU is not run.
        let missed = bpf::recursion_misses("move_coin")?;
        ensure!(
            moves + missed == 2 * MOVES && moves > MOVES,
            "moves: expected {} less {missed} that were missed, seen {moves}",
            2 * MOVES
        );
        Ok(())
    })
}

pub fn gallery_kptr_keeps_a_task_that_has_ended() -> Result<()> {
    load("kptr")?;
    let ended = thread::spawn(|| test_run("keep_caller").map(|_| own_tid()))
        .join()
        .unwrap()?;
    expect_bss("kptr", &[("kept", 1), ("previous_pid", 0)])?;
    eventually(|| {
        ensure!(
            !fs::exists(format!("/proc/{ended}"))?,
            "expected task {ended} to have ended"
        );
        Ok(())
    })?;
    test_run("keep_caller")?;
    expect_bss("kptr", &[("kept", 2), ("previous_pid", ended)])
}

pub fn gallery_linked_list_keeps_its_order() -> Result<()> {
    load("linked_list")?;
    test_run("use_list")?;
    expect_bss("linked_list", &[("list_order", 241), ("left", 1)])
}

pub fn gallery_rbtree_gives_the_smallest_first() -> Result<()> {
    load("rbtree")?;
    test_run("use_tree")?;
    expect_bss("rbtree", &[("tree_order", 123)])
}

pub fn gallery_arena_is_a_list_in_the_memory_of_a_process() -> Result<()> {
    /// As the prog has it.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Caller {
        next: *const Caller,
        pid: u32,
    }

    const START: usize = 1 << 32;
    let size = 4 * rustix::param::page_size();

    load("arena")?;
    let thread = thread::spawn(|| test_run("keep_in_arena").map(|_| own_tid()))
        .join()
        .unwrap()?;
    test_run("keep_in_arena")?;

    let map = bpf::map("arena_memory")?;
    // SAFETY: a new mapping, at an address that nothing else has: the kernel refuses any other.
    let arena = unsafe {
        mmap(
            ptr::without_provenance_mut(START),
            size,
            ProtFlags::READ | ProtFlags::WRITE,
            MmapFlags::SHARED,
            map.as_fd(),
            0,
        )
    }
    .context("mapping the arena")?;
    let mut seen = Vec::new();
    let mut next = bss("arena", "newest")? as usize;
    while next != 0 && seen.len() < 10 {
        let offset = next.wrapping_sub(START);
        ensure!(
            offset % align_of::<Caller>() == 0 && offset <= size - size_of::<Caller>(),
            "expected a pointer into the arena, seen {next:#x}"
        );
        // SAFETY: within the mapping and aligned, by the check above; no prog runs at this time.
        let caller = unsafe { arena.byte_add(offset).cast::<Caller>().read() };
        seen.push(u64::from(caller.pid));
        next = caller.next.addr();
    }
    // SAFETY: the mapping from above, which nothing uses any more.
    unsafe { munmap(arena, size) }?;
    let expected = [own_tid(), thread];
    ensure!(
        seen == expected,
        "callers in the arena: expected {expected:?}, seen {seen:?}"
    );
    Ok(())
}

pub fn gallery_workqueue_does_the_job_in_a_kernel_thread() -> Result<()> {
    load("workqueue")?;
    test_run("ask_for_job")?;
    eventually(|| expect_bss("workqueue", &[("asked_by", own_tid())]))?;
    let done_by = bss("workqueue", "done_by")?;
    ensure!(
        done_by != own_tid(),
        "expected another task to do the job, seen {done_by}"
    );
    let comm = text("workqueu.bss", "done_by_comm")?;
    ensure!(
        comm.starts_with("kworker"),
        "expected a kworker to do the job, seen {comm:?}"
    );
    Ok(())
}

pub fn gallery_exceptions_end_a_prog_from_deep_inside() -> Result<()> {
    let possible = cfg!(not(target_arch = "x86_64")) || has_function("unwind_module_init")?;
    load_if(
        possible,
        "exceptions",
        "x86 has no exceptions without CONFIG_UNWINDER_ORC",
    )?;
    for _ in 0..3 {
        test_run("throws")?;
    }
    expect_bss(
        "exceptions",
        &[
            ("runs", 3),
            ("finished", 2),
            ("caught", 1),
            ("thrown", 4711),
        ],
    )
}

fn own_tid() -> u64 {
    gettid().as_raw_nonzero().get() as u64
}

/// A variable of type `__s32` that has an error.
fn errno(error: Errno) -> u64 {
    u64::from(-error.raw_os_error() as u32)
}

fn own_comm() -> Result<String> {
    Ok(fs::read_to_string("/proc/self/comm")?.trim_end().to_owned())
}

/// A text in a section of globals, by its map's name.
fn text(map: &str, variable: &str) -> Result<String> {
    let bytes = bpf::global(map, variable)?;
    let text = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn expect_text(map: &str, variable: &str, expected: &str) -> Result<()> {
    let seen = text(map, variable)?;
    ensure!(
        seen == expected,
        "{variable}: expected {expected:?}, seen {seen:?}"
    );
    Ok(())
}

/// The first value of an array.
fn value(map: &str, flags: MapFlags) -> Result<Vec<u8>> {
    bpf::map(map)?
        .lookup(&0_u32.to_ne_bytes(), flags)?
        .with_context(|| format!("expected a value in {map}, seen none"))
}
