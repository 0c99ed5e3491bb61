// SPDX-License-Identifier: GPL-2.0
//! Waits, in a machine that is kept as a snapshot, for what one scenario needs: its files and its arguments.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use cpio::NewcReader;
use rustix::fs::FileType;
use scenarios::{KTAP_PORT, SNAPSHOT_ARGS, SNAPSHOT_READY};

use crate::port;

/// How long the machine is watched at a time.
const WINDOW: Duration = Duration::from_millis(200);
/// One that is not idle by then is taken as it is.
const LIMIT: Duration = Duration::from_secs(30);

/// Waits until the machine is idle: what goes on after a boot (the kernel tests its ciphers) would go on in each scenario.
fn for_idle() -> Result<()> {
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        let (busy, all) = watch(WINDOW)?;
        if busy * 10 <= all {
            break;
        }
    }
    Ok(())
}

/// Watches the machine for a time: how many ticks its CPUs were not idle, and how many there were.
pub fn watch(window: Duration) -> Result<(u64, u64)> {
    let before = busy_and_all()?;
    thread::sleep(window);
    let after = busy_and_all()?;
    // proc(5): iowait can become less.
    Ok((after.0 - before.0, after.1.saturating_sub(before.1)))
}

/// Time of all CPUs since the boot, when they were not idle and in all, in ticks: the first line of /proc/stat.
fn busy_and_all() -> Result<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat")?;
    let ticks: Vec<u64> = stat
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "))
        .map(|line| line.split_whitespace().map_while(|word| word.parse().ok()))
        .with_context(|| format!("/proc/stat: {stat}"))?
        .collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; the others are in the first two.
    let all = ticks.iter().take(8).sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok((all - idle, all))
}

/// Says that it waits, unpacks the archive that the runner sends then, and gives the arguments that are in it.
pub fn for_scenario() -> Result<Vec<String>> {
    for_idle()?;
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
