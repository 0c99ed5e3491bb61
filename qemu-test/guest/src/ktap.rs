// SPDX-License-Identifier: GPL-2.0
//! The KTAP report, on a virtio port to the runner.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use rustix::io::fcntl_dupfd_cloexec;

use crate::port;

/// Numbers from here on are ours, so that a scenario may do what it likes with the fds below.
const FIRST_FD: i32 = 200;

/// Opens the virtio port of a name.
pub fn open_port(name: &str) -> Result<File> {
    Ok(File::from(fcntl_dupfd_cloexec(
        &port::open(name)?,
        FIRST_FD,
    )?))
}

/// An error that is none: the machine lacks what the test is about.
#[derive(Debug)]
pub struct Skip(pub String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// The port of the report, for [`note`].
static REPORT: OnceLock<File> = OnceLock::new();

/// Says something in the report: how far a long scenario is, or a row of the table that scripts/test-debug
/// shows, which begins with '|'. The runner waits longer for a guest that says something.
pub fn note(text: &str) {
    if let Some(mut report) = REPORT.get() {
        // A report that cannot be written is seen by the runner.
        let _ = report.write_all(format!("# {text}\n").as_bytes());
    }
}

/// The report: version line at once, then a plan and results.
pub struct Ktap(File);

impl Ktap {
    /// Opens the port and says hello.
    pub fn hello(port: &str) -> Result<Self> {
        let mut ktap = Ktap(open_port(port)?);
        let copy = fcntl_dupfd_cloexec(&ktap.0, FIRST_FD)?;
        REPORT.get_or_init(|| File::from(copy));
        let uname = rustix::system::uname();
        ktap.line("KTAP version 1")?;
        ktap.line(&format!(
            "# Linux {} {}",
            uname.release().to_string_lossy(),
            uname.machine().to_string_lossy()
        ))?;
        Ok(ktap)
    }

    /// Writes one line. In one write: the runner never sees half of it.
    pub fn line(&mut self, line: &str) -> Result<()> {
        self.0
            .write_all(format!("{line}\n").as_bytes())
            .context("writing to the KTAP port")
    }

    /// The result of test 1, with what led to it as diagnostics before it.
    pub fn result(&mut self, name: &str, result: &Result<()>) -> Result<()> {
        match result {
            Ok(()) => self.line(&format!("ok 1 {name}")),
            Err(error) if error.is::<Skip>() => self.line(&format!("ok 1 {name} # SKIP {error}")),
            Err(error) => {
                for line in format!("{error:#}").lines() {
                    self.line(&format!("# {line}"))?;
                }
                self.line(&format!("not ok 1 {name}"))
            }
        }
    }
}
