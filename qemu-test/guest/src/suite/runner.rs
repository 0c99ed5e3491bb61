// SPDX-License-Identifier: GPL-2.0
//! Tests of the runner: what a guest starts in, and guests that go wrong, each in one way.

use std::fs;
use std::time::Duration;

use anyhow::{ensure, Result};
use scenarios::{mode, KTAP_PORT};

use crate::ktap::{Ktap, Skip};
use crate::report;
use crate::wait::watch;

/// With what a snapshot left going on, a CPU is never idle here.
pub fn a_scenario_starts_in_an_idle_machine() -> Result<()> {
    if !fs::read_to_string("/proc/cmdline")?.contains(&format!("-- {}", mode::WAIT)) {
        return Err(Skip("this machine has booted for this scenario alone".into()).into());
    }
    let (busy, all) = watch(Duration::from_millis(500))?;
    ensure!(
        busy * 2 <= all,
        "expected half of {all} ticks to be idle, seen {busy} busy ones"
    );
    Ok(())
}

pub fn runner_fails_a_guest_that_panics() -> Result<()> {
    report("runner_fails_a_guest_that_panics", || {
        Ok(fs::write("/proc/sysrq-trigger", "c")?)
    })
}

pub fn runner_fails_a_guest_whose_init_dies() -> Result<()> {
    let mut ktap = Ktap::hello(KTAP_PORT)?;
    ktap.line("1..1")?;
    std::process::exit(0)
}

pub fn runner_fails_a_kernel_that_warns() -> Result<()> {
    report("runner_fails_a_kernel_that_warns", || {
        Ok(fs::write(
            "/dev/kmsg",
            "<4>WARNING: made by the test of the runner",
        )?)
    })
}

pub fn runner_fails_a_missing_result() -> Result<()> {
    let mut ktap = Ktap::hello(KTAP_PORT)?;
    ktap.line("1..2")?;
    ktap.line("ok 1 runner_fails_a_missing_result")
}

pub fn runner_fails_a_report_without_a_plan() -> Result<()> {
    let mut ktap = Ktap::hello(KTAP_PORT)?;
    ktap.line("ok 1 runner_fails_a_report_without_a_plan")
}

pub fn runner_fails_an_empty_plan() -> Result<()> {
    let mut ktap = Ktap::hello(KTAP_PORT)?;
    ktap.line("1..0")
}

pub fn runner_fails_a_failed_assertion() -> Result<()> {
    report("runner_fails_a_failed_assertion", || {
        let seen = 2;
        ensure!(seen == 1, "expected 1, seen {seen}");
        Ok(())
    })
}

pub fn runner_fails_a_guest_that_hangs() -> Result<()> {
    let mut ktap = Ktap::hello(KTAP_PORT)?;
    ktap.line("1..1")?;
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

pub fn runner_cannot_run_a_guest_that_says_nothing() -> Result<()> {
    Ok(())
}
