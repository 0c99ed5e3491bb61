// SPDX-License-Identifier: GPL-2.0
//! How progs get from one piece of code to the next, and how the module hands data to them.

use anyhow::{ensure, Result};
use libbpf_rs::MapCore;
use scenarios::GALLERY;

use super::{bss, expect_bss, load, load_if, number, test_run};
use crate::bpf;
use crate::kernel::{dmesg, eventually, is_real_time, rmmod};

pub fn gallery_global_data_is_shared_with_the_module() -> Result<()> {
    load("global_data")?;
    for (map, variable, value) in [
        ("global_d.rodata", "factor", 7),
        ("global_d.rodata", "double_it", 1),
        ("global_d.data", "step", 3),
        ("global_d.bss", "offset", 100),
    ] {
        let seen = number(map, variable)?;
        ensure!(
            seen == value,
            "{variable} of {map}: expected {value}, seen {seen}"
        );
    }
    for _ in 0..2 {
        test_run("add_up")?;
    }
    // Twice 3 * 7 * 2 + 100.
    expect_bss("global_data", &[("runs", 2), ("total", 284)])?;
    // Read by the module, from the same memory.
    rmmod(GALLERY)?;
    let line = "lskel_gallery: global_data: total 284 after 2 runs";
    let lines = dmesg()?;
    ensure!(
        lines.iter().any(|seen| seen == line),
        "dmesg: expected {line:?}, seen {lines:#?}"
    );
    Ok(())
}

pub fn gallery_global_functions_return_what_they_should() -> Result<()> {
    load("global_functions")?;
    test_run("call_functions")?;
    expect_bss(
        "global_functions",
        &[
            ("by_value", 4),
            ("by_pointer", 712),
            ("by_null", 1000),
            ("by_static", 3),
        ],
    )
}

pub fn gallery_tail_call_goes_where_the_array_says() -> Result<()> {
    load("tail_call")?;
    test_run("before_jump")?;
    expect_bss("tail_call", &[("jumped", 1), ("fell_through", 0)])?;
    bpf::map("jump_slots")?.delete(&1_u32.to_ne_bytes())?;
    test_run("before_jump")?;
    expect_bss("tail_call", &[("jumped", 1), ("fell_through", 1)])
}

pub fn gallery_bpf_loop_ends_after_its_turns_or_early() -> Result<()> {
    load("bpf_loop")?;
    test_run("loop_twice")?;
    expect_bss(
        "bpf_loop",
        &[
            ("turns", 100_000),
            ("sum_of_turns", 99_999 * 100_000 / 2),
            ("turns_before_end", 42),
        ],
    )
}

pub fn gallery_timer_goes_off_by_itself() -> Result<()> {
    load_if(!is_real_time()?, "timer", "PREEMPT_RT has no BPF timers")?;
    test_run("start_timer")?;
    expect_bss("timer", &[("no_timer", 0)])?;
    eventually(|| expect_bss("timer", &[("fired", 3)]))?;
    let waited = bss("timer", "waited_ns")?;
    ensure!(
        waited >= 3_000_000,
        "until the third time: expected 3 ms or more, seen {waited} ns"
    );
    // Three times is all.
    std::thread::sleep(std::time::Duration::from_millis(50));
    expect_bss("timer", &[("fired", 3)])
}
