// SPDX-License-Identifier: GPL-2.0
//! Virtio ports to the runner.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use rustix::fs::{makedev, mknodat, FileType, Mode, CWD};

/// Opens the virtio port of a name, waiting for the driver to find it. Takes sysfs, but no devtmpfs.
pub fn open(name: &str) -> Result<File> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        for port in fs::read_dir("/sys/class/virtio-ports")
            .into_iter()
            .flatten()
        {
            let port = port?.path();
            if fs::read_to_string(port.join("name")).is_ok_and(|seen| seen.trim_end() == name) {
                let numbers = fs::read_to_string(port.join("dev"))?;
                return open_device(&numbers)
                    .with_context(|| format!("opening the port {name}, device {numbers}"));
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    bail!("expected a virtio port named {name}, seen none within 10 s")
}

/// Opens a character device by its numbers, as in `245:1`.
fn open_device(numbers: &str) -> Result<File> {
    let node = Path::new("/port");
    let (major, minor) = numbers.trim_end().split_once(':').context("MAJOR:MINOR")?;
    let device = makedev(major.parse()?, minor.parse()?);
    mknodat(CWD, node, FileType::CharacterDevice, Mode::RWXU, device)?;
    let file = OpenOptions::new().read(true).write(true).open(node);
    fs::remove_file(node)?;
    Ok(file?)
}
