// SPDX-License-Identifier: GPL-2.0
//! Tests of the debug kernel and of what looks for faults here: each plants one, and has to fail.

use std::fs;

use anyhow::{ensure, Context, Result};
use rustix::io::Errno;
use scenarios::{C_MODULE, MODULE_DIR};

use crate::bpf::{self, Ids};
use crate::kernel::{expect_fds, fds, insmod, umount};
use crate::ktap::note;
use crate::lab::{within_module, Fault};
use crate::report;

/// Has lab_faults.ko do something wrong.
fn plant(what: &str) -> Result<()> {
    insmod(&format!("{MODULE_DIR}/lab_faults.ko"))?.context("loading lab_faults.ko")?;
    fs::write("/dev/lab_faults", what).with_context(|| format!("{what} to /dev/lab_faults"))
}

pub fn the_lab_sees_a_leak() -> Result<()> {
    report("the_lab_sees_a_leak", || plant("leak"))
}

pub fn the_lab_sees_a_use_after_free() -> Result<()> {
    report("the_lab_sees_a_use_after_free", || plant("use_after_free"))
}

pub fn the_lab_sees_a_lock_inversion() -> Result<()> {
    report("the_lab_sees_a_lock_inversion", || plant("lock_inversion"))
}

pub fn the_lab_sees_a_map_left_behind() -> Result<()> {
    report("the_lab_sees_a_map_left_behind", || {
        let before = Ids::now();
        plant("map")?;
        bpf::expect_nothing_since(&before, "a planted map")
    })
}

pub fn the_lab_sees_an_fd_left_open() -> Result<()> {
    report("the_lab_sees_an_fd_left_open", || {
        let before = fds()?;
        insmod(C_MODULE)?.context("loading the C provider")?;
        expect_fds(&before, "loading the C provider")
    })
}

pub fn the_lab_makes_an_allocation_fail() -> Result<()> {
    let folder = "/tmp/bpf";
    fs::create_dir_all(folder)?;
    let first = Fault::run(1, &["mount", folder])?;
    ensure!(
        first.hit && first.answer == Err(Errno::NOMEM),
        "a mount without its first allocation: expected ENOMEM, seen {:?}",
        first.answer
    );
    let none = Fault::run(1_000_000, &["mount", folder])?;
    ensure!(
        !none.hit && none.answer.is_ok(),
        "a mount without its millionth allocation: expected it done, seen {:?}",
        none.answer
    );
    umount(folder)?;
    insmod(&format!("{MODULE_DIR}/lab_faults.ko"))?.context("loading lab_faults.ko")?;
    let within = within_module("lab_faults", || Fault::run(1, &["open", "/dev/lab_faults"]))?;
    ensure!(
        within.hit && within.answer == Err(Errno::NOMEM),
        "lab_faults without its first allocation: expected ENOMEM, seen {:?}",
        within.answer
    );
    Ok(())
}

pub fn the_kernels_own_unit_tests_of_rust_pass() -> Result<()> {
    let mut suites = 0;
    for entry in fs::read_dir("/sys/kernel/debug/kunit")? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let results = fs::read_to_string(entry.path().join("results"))?;
        ensure!(
            !results.contains("not ok") && results.contains("ok 1 "),
            "unit tests {name}: {results}"
        );
        suites += usize::from(name.contains("rust"));
    }
    note(&format!("{suites} suites of Rust code"));
    ensure!(suites > 0, "expected suites of Rust code, seen none");
    Ok(())
}
