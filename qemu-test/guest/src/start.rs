// SPDX-License-Identifier: GPL-2.0
//! What init finds when it starts, looked at before anything else of this program runs: the runtime of Rust
//! would open fds 0 to 2 where they are missing.

use std::os::fd::BorrowedFd;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::{fstat, makedev, FileType};
use rustix::time::{clock_gettime, ClockId};

/// What was there at the start.
#[derive(Debug)]
pub struct Start {
    /// The open fds, and what they are.
    pub fds: Vec<(i32, String)>,
    /// Since the kernel's own start.
    pub time: Duration,
}

static START: OnceLock<Start> = OnceLock::new();

/// The C library calls this before any constructor, and before the runtime of Rust.
#[used]
#[link_section = ".preinit_array"]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    START.get_or_init(|| Start {
        time: now(),
        fds: (0..256)
            .filter_map(|fd| {
                // SAFETY: it is only asked about; if it is not open, that is the answer.
                let stat = fstat(unsafe { BorrowedFd::borrow_raw(fd) }).ok()?;
                let console = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
                    && stat.st_rdev == makedev(5, 1);
                let what = if console {
                    "the console".to_owned()
                } else {
                    format!(
                        "a file of mode {:o} on device {:#x}",
                        stat.st_mode, stat.st_dev
                    )
                };
                Some((fd, what))
            })
            .collect(),
    });
}

/// What was there at the start.
pub fn start() -> &'static Start {
    START.get().expect("the C library has called it")
}

/// Since the kernel's own start.
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
