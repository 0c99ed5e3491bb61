// SPDX-License-Identifier: GPL-2.0

//! The files: written, or compared with what is there.

use crate::{Error, Files, Result};
use std::fs;
use std::path::Path;

/// Writes the files, none of them half.
pub fn write(dir: &Path, files: &Files) -> Result<()> {
    fs::create_dir_all(dir).map_err(Error::io("make", dir))?;
    let mut written = Vec::new();
    for (name, bytes) in files {
        let new = dir.join(format!(".{name}.new"));
        fs::write(&new, bytes).map_err(Error::io("write", &new))?;
        written.push((new, dir.join(name)));
    }
    for (new, path) in written {
        fs::rename(&new, &path).map_err(Error::io("write", &path))?;
    }
    Ok(())
}

/// Names the files that are missing or differ. What a lock file says of the tools and of the object does not
/// count: a new clang, which leaves its version in the object, is as good if it leads to the same bytes.
pub fn differences(dir: &Path, files: &Files) -> Vec<String> {
    let mut differ = Vec::new();
    for (name, bytes) in files {
        let path = dir.join(name);
        match fs::read(&path) {
            Ok(there) if without_origin(&there) == without_origin(bytes) => {}
            Ok(_) => differ.push(format!("{} differs", path.display())),
            Err(e) => differ.push(format!("{}: {e}", path.display())),
        }
    }
    differ
}

/// The content without a lock file's `[tools]` and `[object]`; other files have neither.
fn without_origin(bytes: &[u8]) -> Vec<&[u8]> {
    let mut origin = false;
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| {
            if line.starts_with(b"[") {
                origin = *line == b"[tools]" || *line == b"[object]";
            }
            !origin
        })
        .collect()
}
