// SPDX-License-Identifier: GPL-2.0
//! Snapshots of machines that have booted, from which scenarios start in place of a boot of their own.
//!
//! In a snapshot the guest waits (`mode::WAIT`), and nothing else is there but the kernel: modules, other files and the
//! name of the scenario come by a virtio port when it is resumed. So a snapshot serves every scenario that wants such a
//! machine. Its name has a hash of all that it was made from. Its file has the machine's memory first, which QEMU maps
//! privately: nothing is read but what the scenario uses, and nothing is written to it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::SystemTime;

use anyhow::{bail, Context, Result};
use sha2::{Digest, Sha256};

use crate::vm::{Boot, Error, SnapshotAccess};

/// A snapshot that is made at most once, while others that want it wait. [`None`] if it cannot be made.
type Cell = OnceLock<Option<Arc<File>>>;

/// The snapshots of a cache folder.
pub struct Snapshots {
    folder: PathBuf,
    /// Those that this run has used, by their kinds.
    used: Mutex<HashMap<String, Arc<Cell>>>,
}

impl Snapshots {
    /// Those in a folder, which need not be there yet.
    pub fn new(folder: PathBuf) -> Self {
        Snapshots {
            folder,
            used: Mutex::default(),
        }
    }

    /// The snapshot of a machine of this kind (`RELEASE`, and what sets it apart from others of that release), which
    /// `boot` gives a boot of the guest that waits. [`None`] if there is none and none can be made, which is said once.
    pub fn get(&self, kind: &str, boot: impl FnOnce() -> Result<Boot>) -> Option<Arc<File>> {
        let cell = {
            let mut used = self.used.lock().expect("no thread panics here");
            used.entry(kind.to_owned()).or_default().clone()
        };
        cell.get_or_init(
            || match boot().and_then(|boot| self.find_or_make(kind, &boot)) {
                Ok(file) => Some(Arc::new(file)),
                Err(why) => {
                    eprintln!("no snapshot of {kind} ({why:#}): each scenario boots");
                    None
                }
            },
        )
        .clone()
    }

    fn find_or_make(&self, kind: &str, boot: &Boot) -> Result<File> {
        let file = self.folder.join(format!("{kind}-{}", key(boot)?));
        if let Ok(found) = File::open(&file) {
            // For those who clear the cache: when it was last used.
            found.set_modified(SystemTime::now())?;
            return Ok(found);
        }
        let cannot = || format!("{} cannot be made", file.display());
        fs::create_dir_all(&self.folder).with_context(cannot)?;
        // Its name is its own until it is whole; what fails is removed.
        let new = tempfile::Builder::new()
            .prefix(&format!("{kind}-"))
            .suffix(".tmp")
            .tempfile_in(&self.folder)
            .with_context(cannot)?;
        match boot.save(new.as_file()) {
            Ok(()) => {}
            Err(Error::Failed(why) | Error::NotRun(why) | Error::Hung(why)) => bail!(why),
        }
        self.drop_older(kind)?;
        new.persist(&file).with_context(cannot)
    }

    /// Drops those of a kind that were made from something else.
    fn drop_older(&self, kind: &str) -> Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let of_this_kind = name
                .strip_prefix(kind)
                .and_then(|rest| rest.strip_prefix('-'))
                .is_some_and(|key| key.len() == KEY && key.bytes().all(|b| b.is_ascii_hexdigit()));
            if of_this_kind {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

/// Digits of a key.
const KEY: usize = 16;

/// A hash of all that a snapshot is made from.
fn key(boot: &Boot) -> Result<String> {
    let image = fs::read(&boot.image)
        .with_context(|| format!("{} cannot be read", boot.image.display()))?;
    let mut hash = Sha256::new();
    for part in [
        &*image,
        &boot.initramfs.archive()?,
        boot.machine.qemu_version()?.as_bytes(),
        format!("{:?}", boot.command()).as_bytes(),
        format!("{:?}", boot.snapshot_options(SnapshotAccess::Write)).as_bytes(),
    ] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    Ok(format!("{:x}", hash.finalize())[..KEY].to_owned())
}
