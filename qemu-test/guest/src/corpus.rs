// SPDX-License-Identifier: GPL-2.0
//! Hands each file of the corpus to lskel_blob.ko and reports whether it was loaded.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use scenarios::{CORPUS_DIR, CORPUS_TESTMOD, KTAP_PORT, MODULE_DIR};

use crate::kernel;
use crate::ktap::Ktap;

/// One test for each file, by its name.
pub fn run() -> Result<()> {
    let mut ktap = Ktap::hello(KTAP_PORT)?;
    kernel::insmod(&format!("{MODULE_DIR}/lskel_blob.ko"))?.context("loading lskel_blob.ko")?;
    if Path::new(CORPUS_TESTMOD).exists() {
        kernel::insmod(CORPUS_TESTMOD)?.with_context(|| format!("loading {CORPUS_TESTMOD}"))?;
    }
    let mut device = OpenOptions::new()
        .write(true)
        .open("/dev/lskel_blob")
        .context("/dev/lskel_blob")?;
    let mut names = fs::read_dir(CORPUS_DIR)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.sort();
    ktap.line(&format!("1..{}", names.len()))?;
    for (index, name) in names.iter().enumerate() {
        let request = fs::read(Path::new(CORPUS_DIR).join(name))?;
        // One write is one object, and the module takes all of it or refuses it.
        match device.write_all(&request) {
            Ok(()) => ktap.line(&format!("ok {} {name}", index + 1))?,
            Err(error) => {
                // lskel_blob says why in its last line.
                let why = kernel::dmesg()?
                    .into_iter()
                    .rev()
                    .find_map(|line| line.strip_prefix("lskel_blob: ").map(str::to_owned))
                    .unwrap_or_else(|| error.to_string());
                ktap.line(&format!("# {why}"))?;
                ktap.line(&format!("not ok {} {name}", index + 1))?;
            }
        }
    }
    Ok(())
}
