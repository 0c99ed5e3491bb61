// SPDX-License-Identifier: GPL-2.0
//! The gallery: each entry of lskel_gallery.ko, and what it does as it is seen from outside.

mod attach;
mod call;
mod flow;
mod iters;
mod kinds;
mod lang;
mod network;
mod ops;
mod whole;

pub use attach::*;
pub use call::*;
pub use flow::*;
pub use iters::*;
pub use kinds::*;
pub use lang::*;
pub use network::*;
pub use ops::*;
pub use whole::*;

use std::ffi::CString;
use std::path::Path;

use anyhow::{ensure, Context, Result};
use rustix::io::Errno;
use rustix::mount::{mount, MountFlags};
use scenarios::{GALLERY, MODULE_DIR};

use crate::bpf;
use crate::kernel::{dmesg, insmod_with};
use crate::ktap::Skip;

/// Where the entries that attach to a cgroup look for it.
const CGROUP: &str = "/sys/fs/cgroup";

/// Mounts it there, once. Where the kernel has no cgroups, the entries that want one say so.
pub(super) fn mount_cgroup2() {
    if !Path::new(CGROUP).join("cgroup.procs").exists() {
        let _ = mount("cgroup2", CGROUP, "cgroup2", MountFlags::empty(), None);
    }
}

/// Tries to load these entries; all of them for none.
fn try_load(entries: &[&str]) -> Result<Result<(), Errno>> {
    mount_cgroup2();
    let params: Vec<_> = entries.iter().map(|entry| format!("{entry}=1")).collect();
    insmod_with(
        &format!("{MODULE_DIR}/{GALLERY}.ko"),
        &CString::new(params.join(" "))?,
    )
}

/// Loads all entries.
pub fn load_gallery() -> Result<()> {
    Ok(try_load(&[])??)
}

/// Loads an entry.
fn load(entry: &str) -> Result<()> {
    try_load(&[entry])?.with_context(|| format!("expected {entry} to load, seen an error"))
}

/// Loads an entry. On a kernel that cannot have it: sees that it is refused for that, and skips.
fn load_if(possible: bool, entry: &str, why_not: &str) -> Result<()> {
    if possible {
        return load(entry);
    }
    let seen = try_load(&[entry])?;
    ensure!(
        seen == Err(Errno::OPNOTSUPP),
        "{entry}, but {why_not}: expected EOPNOTSUPP, seen {seen:?}"
    );
    Err(Skip(why_not.into()).into())
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

/// An array of u32 in `.bss` of an entry.
fn bss_array(entry: &str, variable: &str) -> Result<Vec<u32>> {
    Ok(bpf::global(&format!("{entry:.8}.bss"), variable)?
        .chunks_exact(4)
        .map(|bytes| u32::from_ne_bytes(bytes.try_into().unwrap()))
        .collect())
}

/// Checks such an array.
fn expect_bss_array(entry: &str, variable: &str, expected: &[u32]) -> Result<()> {
    let seen = bss_array(entry, variable)?;
    ensure!(
        seen == expected,
        "{variable}: expected {expected:?}, seen {seen:?}"
    );
    Ok(())
}

/// What the module has said of an entry, without the entry's name.
fn said_of(entry: &str) -> Result<Vec<String>> {
    let prefix = format!("{GALLERY}: {entry}: ");
    Ok(dmesg()?
        .into_iter()
        .filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
        .collect())
}

/// Checks integers in `.bss` of an entry.
fn expect_bss(entry: &str, expected: &[(&str, u64)]) -> Result<()> {
    for (variable, value) in expected {
        let seen = bss(entry, variable)?;
        ensure!(seen == *value, "{variable}: expected {value}, seen {seen}");
    }
    Ok(())
}
