// SPDX-License-Identifier: GPL-2.0
//! One boot of a whole Debian from a disk: its kernel, its initramfs, its systemd.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{ensure, Result};

use crate::run::{Bench, FAILED};
use crate::vm::{Disk, Error, Passed};

/// A quiet machine takes 20 to 40 s for each.
const BOOT_LIMIT: Duration = Duration::from_secs(800);
const RUN_LIMIT: Duration = Duration::from_secs(300);

/// What is booted, and which tests qemu-test/distro/guest runs in it.
#[derive(clap::Args)]
pub struct Args {
    /// Image of an ext4 file system; it is not changed
    #[arg(long, value_name = "FILE")]
    disk: PathBuf,
    /// Initramfs
    #[arg(long, value_name = "FILE")]
    initrd: PathBuf,
    /// Folder with the firmware's code.fd and vars.fd, for Secure Boot
    #[arg(long, value_name = "DIR")]
    firmware: Option<PathBuf>,
    /// Name of the boot, for its log
    name: String,
    /// Names of the tests
    #[arg(required = true)]
    tests: Vec<String>,
}

/// Boots, and says how it ended in the form of the test harness.
pub fn run(mut bench: Bench, args: Args) -> Result<ExitCode> {
    for file in [&args.disk, &args.initrd] {
        ensure!(file.is_file(), "there is no file {}", file.display());
    }
    bench.probe()?;
    let mut boot = bench.first(&format!("distro-{}", args.name), &[scenarios::mode::TEST])?;
    boot.disk = Some(Disk {
        image: args.disk,
        initrd: args.initrd,
        firmware: args.firmware,
    });
    boot.args = args.tests;
    boot.memory = 1024;
    boot.boot_limit = BOOT_LIMIT;
    boot.run_limit = RUN_LIMIT;
    let why = match boot.run() {
        Ok(Passed::Tested) => {
            println!("test {} ... ok", args.name);
            return Ok(ExitCode::SUCCESS);
        }
        Err(Error::NotRun(why) | Error::Hung(why)) => {
            anyhow::bail!("{why}; {} says more", boot.log.display())
        }
        Err(Error::Failed(why)) => why,
        Ok(other) => format!("expected tests, seen {other:?}"),
    };
    println!("test {} ... FAILED: {why}", args.name);
    println!("{} says more", boot.log.display());
    Ok(ExitCode::from(FAILED))
}
