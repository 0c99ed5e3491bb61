// SPDX-License-Identifier: GPL-2.0
//! PID 1 of a machine that is kept as a snapshot: waits for the guest's files, unpacks them, and becomes the guest.
//!
//! What it needs to wait it takes away again, so that the guest finds what it would find after a boot of its own.

#[path = "../port.rs"]
mod port;

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use cpio::NewcReader;
use rustix::fs::FileType;
use rustix::mount::{mount, unmount, MountFlags, UnmountFlags};
use scenarios::{KTAP_PORT, WAITER_ARGS, WAITER_READY};

fn main() {
    if std::process::id() != 1 {
        eprintln!("waiter: error: this is the init of a test machine");
        std::process::exit(2);
    }
    // The kernel panics when PID 1 returns, and its console says why.
    if let Err(error) = wait() {
        eprintln!("waiter: {error:#}");
    }
}

fn wait() -> Result<()> {
    fs::create_dir_all("/sys")?;
    mount("sysfs", "/sys", "sysfs", MountFlags::empty(), None)?;
    let mut port = port::open(KTAP_PORT)?;
    unmount("/sys", UnmountFlags::empty())?;
    fs::remove_dir("/sys")?;
    port.write_all(format!("{WAITER_READY}\n").as_bytes())?;
    let args = unpack(&port)?;
    drop(port);
    let args = args.split(|byte| *byte == 0).map(OsStr::from_bytes);
    Err(Command::new("/init").args(args).exec()).context("becoming the guest")
}

/// Unpacks the archive, and gives the arguments that are in it.
fn unpack(archive: &File) -> Result<Vec<u8>> {
    let mut args = Vec::new();
    let mut rest = BufReader::with_capacity(1 << 20, archive);
    loop {
        let mut reader = NewcReader::new(rest).context("reading the archive")?;
        let entry = reader.entry();
        if entry.is_trailer() {
            return Ok(args);
        }
        let path = Path::new("/").join(entry.name());
        let mode = Permissions::from_mode(entry.mode() & 0o7777);
        let is_folder = FileType::from_raw_mode(entry.mode()) == FileType::Directory;
        let cannot = || format!("unpacking {}", path.display());
        if path == Path::new(WAITER_ARGS) {
            reader.read_to_end(&mut args)?;
        } else if is_folder {
            fs::create_dir_all(&path).with_context(cannot)?;
        } else {
            // This program is /init, too: its file cannot be written to while it runs.
            let _ = fs::remove_file(&path);
            let mut file = File::create(&path).with_context(cannot)?;
            io::copy(&mut reader, &mut file).with_context(cannot)?;
            file.set_permissions(mode).with_context(cannot)?;
        }
        rest = reader.finish()?;
    }
}
