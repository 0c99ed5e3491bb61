// SPDX-License-Identifier: GPL-2.0
//! Waits, in a machine that is kept as a snapshot, for what one scenario needs: its files and its arguments.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use cpio::NewcReader;
use rustix::fs::FileType;
use scenarios::{KTAP_PORT, SNAPSHOT_ARGS, SNAPSHOT_READY};

use crate::port;

/// Says that it waits, unpacks the archive that the runner sends then, and gives the arguments that are in it.
pub fn for_scenario() -> Result<Vec<String>> {
    let mut port = port::open(KTAP_PORT)?;
    port.write_all(format!("{SNAPSHOT_READY}\n").as_bytes())?;
    let args = String::from_utf8(unpack(&port)?)?;
    Ok(args.split('\0').map(str::to_owned).collect())
}

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
        if path == Path::new(SNAPSHOT_ARGS) {
            reader.read_to_end(&mut args)?;
        } else if is_folder {
            fs::create_dir_all(&path).with_context(cannot)?;
        } else {
            let mut file = File::create(&path).with_context(cannot)?;
            io::copy(&mut reader, &mut file).with_context(cannot)?;
            file.set_permissions(mode).with_context(cannot)?;
        }
        rest = reader.finish()?;
    }
}
