// SPDX-License-Identifier: GPL-2.0
//! What a debug kernel offers: a search for leaked memory, and allocations that fail.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{bail, ensure, Context, Result};
use rustix::io::Errno;
use rustix::mount::{mount, MountFlags};

use crate::kernel::{fds, release, Symbols};

const DEBUGFS: &str = "/sys/kernel/debug";
/// Where [`mount_tracing`] mounts tracefs.
pub const TRACING: &str = "/sys/kernel/tracing";
const KMEMLEAK: &str = "/sys/kernel/debug/kmemleak";
/// kmemleak says nothing of what is younger than 5 s.
const KMEMLEAK_AGE: Duration = Duration::from_secs(6);

/// Whether this kernel is the debug kernel.
pub fn is_debug() -> bool {
    scenarios::is_debug(&release())
}

/// Sets the debug kernel up; nothing on another one.
pub fn start() -> Result<()> {
    if !is_debug() {
        return Ok(());
    }
    mount("debugfs", DEBUGFS, "debugfs", MountFlags::empty(), None).context("mounting debugfs")?;
    for (file, value) in [
        // Allocations that may wait or use high memory fail too, and single pages.
        ("failslab/ignore-gfp-wait", "N"),
        ("fail_page_alloc/ignore-gfp-wait", "N"),
        ("fail_page_alloc/ignore-gfp-highmem", "N"),
        ("fail_page_alloc/min-order", "0"),
        // A failure is no news, and it must not look like one.
        ("failslab/verbose", "0"),
        ("fail_page_alloc/verbose", "0"),
    ] {
        let path = format!("{DEBUGFS}/{file}");
        fs::write(&path, value).with_context(|| format!("{value} to {path}"))?;
    }
    let (start, end) = text(&["__alloc_object", "mem_pool_alloc", "__create_object"])?;
    filter("reject", start, end)
}

/// Where the kernel has functions of these names, from the first to the end of the last. One file's functions
/// lie together.
fn text(names: &[&str]) -> Result<(u64, u64)> {
    let mut addresses = Vec::new();
    let mut found = Vec::new();
    for (address, kind, name) in Symbols::read()?.iter() {
        if !kind.eq_ignore_ascii_case("t") {
            continue;
        }
        let address = u64::from_str_radix(address, 16)?;
        addresses.push(address);
        if names.contains(&name) {
            found.push(address);
        }
    }
    addresses.sort_unstable();
    let (Some(first), Some(last)) = (found.iter().min(), found.iter().max()) else {
        bail!("expected functions named {names:?}, seen none");
    };
    let end = addresses.iter().find(|address| *address > last);
    let end = *end.context("a function behind the last")?;
    ensure!(
        end - first < 0x10000,
        "expected {names:?} to lie together, seen {first:#x} to {end:#x}"
    );
    Ok((*first, end))
}

/// Lets only those allocations fail that come (`require`) or do not come (`reject`) through this code.
fn filter(which: &str, start: u64, end: u64) -> Result<()> {
    for kind in ["failslab", "fail_page_alloc"] {
        for (file, value) in [
            (format!("{which}-start"), start),
            (format!("{which}-end"), end),
            ("stacktrace-depth".to_owned(), 32),
        ] {
            let path = format!("{DEBUGFS}/{kind}/{file}");
            // The depth is read as decimal, the addresses as either.
            let text = if value > 32 {
                format!("{value:#x}")
            } else {
                value.to_string()
            };
            fs::write(&path, &text).with_context(|| format!("{text} to {path}"))?;
        }
    }
    Ok(())
}

/// Runs `body` with failures only where a loaded module's code is on the stack.
pub fn within_module<T>(name: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    let modules = fs::read_to_string("/proc/modules")?;
    let line = modules
        .lines()
        .find(|line| line.split(' ').next() == Some(name))
        .with_context(|| format!("expected {name} to be loaded"))?;
    let words: Vec<_> = line.split(' ').collect();
    let (size, start) = match words[..] {
        [_, size, _, _, _, start, ..] => (size, start),
        _ => bail!("a line of /proc/modules: {line:?}"),
    };
    let start = u64::from_str_radix(start.trim_start_matches("0x"), 16)?;
    filter("require", start, start + size.parse::<u64>()?)?;
    let result = body();
    filter("require", 0, u64::MAX)?;
    result
}

/// Checks that kmemleak finds nothing; nothing on a kernel without it.
pub fn expect_no_leak() -> Result<()> {
    if !Path::new(KMEMLEAK).exists() {
        return Ok(());
    }
    std::thread::sleep(KMEMLEAK_AGE);
    // What the first scan finds may be in motion; what the second finds, too, is leaked.
    for _ in 0..2 {
        match fs::write(KMEMLEAK, "scan") {
            Ok(()) => {}
            // A scenario has locked the kernel down.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return Ok(()),
            Err(error) => return Err(error).context("asking kmemleak to scan"),
        }
    }
    let leaks = fs::read_to_string(KMEMLEAK).context(KMEMLEAK)?;
    ensure!(leaks.is_empty(), "expected no leaked memory, seen {leaks}");
    Ok(())
}

/// Mounts debugfs, which the debug kernel has already; where it is.
pub fn mount_debugfs() -> Result<&'static str> {
    if !is_debug() {
        mount("debugfs", DEBUGFS, "debugfs", MountFlags::empty(), None)
            .context("mounting debugfs")?;
    }
    Ok(DEBUGFS)
}

/// Mounts tracefs, where tests look at the kernel's events.
pub fn mount_tracing() -> Result<()> {
    mount("tracefs", TRACING, "tracefs", MountFlags::empty(), None).context("mounting tracefs")
}

/// Whether the init function of a module was called since this was asked last.
pub fn init_was_called() -> Result<bool> {
    let event = format!("{TRACING}/events/initcall/initcall_start/enable");
    fs::write(&event, "1").context(event)?;
    let trace = format!("{TRACING}/trace");
    let events = fs::read_to_string(&trace).context(trace.clone())?;
    fs::write(&trace, "").context(trace)?;
    Ok(events.contains("initcall_start: "))
}

/// An operation with a fault: the `nth` allocation in it fails.
pub struct Fault {
    /// The kernel's answer.
    pub answer: Result<(), Errno>,
    /// Whether there were as many allocations.
    pub hit: bool,
    /// How many there were, if it was not hit.
    pub allocations: u32,
    /// Whether the task had other fds after it.
    pub fds_changed: bool,
}

impl Fault {
    /// Runs `insmod FILE PARAMS`, `rmmod NAME`, `mount FOLDER` or `open FILE` with a fault, in a child.
    pub fn run(nth: u32, operation: &[&str]) -> Result<Self> {
        let output = Command::new("/proc/self/exe")
            .args(["fault", &nth.to_string()])
            .args(operation)
            .stderr(Stdio::inherit())
            .output()
            .context("starting a child with a fault")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers: Vec<i32> = text.split_whitespace().flat_map(str::parse).collect();
        let [errno, left, fds_changed] = numbers[..] else {
            bail!(
                "a child with fault {nth} in {operation:?}: {:?}",
                output.status
            );
        };
        Ok(Fault {
            answer: match errno {
                0 => Ok(()),
                errno => Err(Errno::from_raw_os_error(errno)),
            },
            // 0: the fault has been used up.
            hit: left == 0,
            allocations: nth.saturating_sub(left.unsigned_abs()),
            fds_changed: fds_changed == 1,
        })
    }
}

/// The child: does it, and prints what [`Fault::run`] reads.
pub fn child(nth: &str, operation: &[&str]) -> Result<()> {
    let path = "/proc/thread-self/fail-nth";
    let mut fail_nth = OpenOptions::new().write(true).open(path)?;
    let mut left_of_it = fs::File::open(path)?;
    let before = fds()?;
    let mut left = [0; 16];
    let answer = match operation {
        ["insmod", path, params] => {
            let file = fs::File::open(path)?;
            let params = std::ffi::CString::new(*params)?;
            fail_nth.write_all(nth.as_bytes())?;
            rustix::system::finit_module(&file, &params, 0)
        }
        ["rmmod", name] => {
            let name = std::ffi::CString::new(*name)?;
            fail_nth.write_all(nth.as_bytes())?;
            rustix::system::delete_module(&name, rustix::fs::OFlags::NONBLOCK.bits() as i32)
        }
        ["mount", folder] => {
            fail_nth.write_all(nth.as_bytes())?;
            mount("bpf", *folder, "bpf", MountFlags::empty(), None)
        }
        ["open", path] => {
            fail_nth.write_all(nth.as_bytes())?;
            rustix::fs::open(*path, rustix::fs::OFlags::WRONLY, rustix::fs::Mode::empty()).map(drop)
        }
        _ => bail!("{operation:?} is nothing that this child knows"),
    };
    let length = left_of_it.read(&mut left)?;
    fail_nth.write_all(b"0")?;
    let left = String::from_utf8_lossy(&left[..length]).trim().to_owned();
    let errno = answer.err().map_or(0, Errno::raw_os_error);
    println!("{errno} {left} {}", i32::from(fds()? != before));
    Ok(())
}
