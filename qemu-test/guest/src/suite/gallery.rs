// SPDX-License-Identifier: GPL-2.0
//! The gallery: each entry of lskel_gallery.ko, and what it does as it is seen from outside.

mod attach;
mod lang;
mod maps;
mod whole;

pub use attach::*;
pub use lang::*;
pub use maps::*;
pub use whole::*;

use std::ffi::CString;

use anyhow::{ensure, Context, Result};
use rustix::io::Errno;
use scenarios::{GALLERY, MODULE_DIR};

use crate::bpf;
use crate::kernel::insmod_with;

/// Tries to load these entries; all of them for none.
fn try_load(entries: &[&str]) -> Result<Result<(), Errno>> {
    let params: Vec<_> = entries.iter().map(|entry| format!("{entry}=1")).collect();
    insmod_with(
        &format!("{MODULE_DIR}/{GALLERY}.ko"),
        &CString::new(params.join(" "))?,
    )
}

/// Loads an entry.
fn load(entry: &str) -> Result<()> {
    try_load(&[entry])?.with_context(|| format!("expected {entry} to load, seen an error"))
}

/// Does a test run of a tracing prog: the kernel calls its functions bpf_fentry_test1() and so on, to which such
/// progs attach. The first is called with 1.
fn test_run(prog: &str) -> Result<u32> {
    bpf::test_run(bpf::prog_id(prog)?).with_context(|| format!("test run of {prog}"))
}

/// An integer of up to 8 bytes in `.bss` of an entry.
fn bss(entry: &str, variable: &str) -> Result<u64> {
    number(&format!("{entry:.8}.bss"), variable)
}

/// An integer of up to 8 bytes in a section of globals, by its map's name.
fn number(map: &str, variable: &str) -> Result<u64> {
    let bytes = bpf::global(map, variable)?;
    ensure!(bytes.len() <= 8, "{variable} is no integer: {bytes:?}");
    let mut word = [0; 8];
    // A little-endian guest; a big-endian one has them at the end.
    if cfg!(target_endian = "little") {
        word[..bytes.len()].copy_from_slice(&bytes);
    } else {
        word[8 - bytes.len()..].copy_from_slice(&bytes);
    }
    Ok(u64::from_ne_bytes(word))
}

/// Checks integers in `.bss` of an entry.
fn expect_bss(entry: &str, expected: &[(&str, u64)]) -> Result<()> {
    for (variable, value) in expected {
        let seen = bss(entry, variable)?;
        ensure!(seen == *value, "{variable}: expected {value}, seen {seen}");
    }
    Ok(())
}
