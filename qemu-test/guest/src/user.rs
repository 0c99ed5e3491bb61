// SPDX-License-Identifier: GPL-2.0
//! The modes for a human: the demo and the shell.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{ensure, Context, Result};
use scenarios::SCREEN_PORT;

use crate::kernel::{load, module, module_file, mount_bpffs};
use crate::ktap::open_port;

const BUSYBOX: &str = "/bin/busybox";
const BPFFS: &str = "/sys/fs/bpf";

/// Types the commands of a session on the screen port, with what they print.
pub fn demo() -> Result<()> {
    install_commands()?;
    let mut screen = open_port(SCREEN_PORT)?;
    for command in [
        "uname -sr".to_owned(),
        format!("insmod {}", module_file()),
        format!("mount -t bpf bpf {BPFFS}"),
        format!("ls -l {BPFFS}"),
        format!("cat {BPFFS}/maps.debug"),
        format!("cat {BPFFS}/progs.debug"),
        format!("rmmod {}", module()),
    ] {
        writeln!(screen, "# {command}")?;
        let output = Command::new("/bin/sh").args(["-c", &command]).output()?;
        screen.write_all(&output.stdout)?;
        screen.write_all(&output.stderr)?;
        ensure!(
            output.status.success(),
            "{command}: expected success, seen {}",
            output.status
        );
    }
    Ok(())
}

/// A shell on the virtio console, with the module loaded and bpffs mounted where people look for it.
pub fn shell() -> Result<()> {
    install_commands()?;
    let mut console = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/hvc0")
        .context("opening the virtio console")?;
    if let Err(error) = load().and_then(|()| mount_bpffs(BPFFS)) {
        writeln!(console, "guest: {error:#}; dmesg says more")?;
    } else {
        writeln!(console, "{} is loaded, bpffs is on {BPFFS}.", module())?;
    }
    // -c: the console becomes the controlling terminal, so that Ctrl-C reaches what runs in the shell.
    Command::new(BUSYBOX)
        .args(["setsid", "-c", "sh", "-l"])
        .env("PATH", "/sbin:/bin:/usr/sbin:/usr/bin")
        .env("PS1", "guest# ")
        .env("HOME", "/")
        .current_dir(BPFFS)
        .stdin(console.try_clone()?)
        .stdout(console.try_clone()?)
        .stderr(console)
        .status()
        .context("running the shell")?;
    Ok(())
}

/// Links busybox's commands, where there is no program of that name already.
pub fn install_commands() -> Result<()> {
    let list = Command::new(BUSYBOX).arg("--list").output()?;
    for name in String::from_utf8_lossy(&list.stdout).lines() {
        let link = Path::new("/bin").join(name);
        if !link.exists() && !Path::new("/sbin").join(name).exists() {
            std::os::unix::fs::symlink(BUSYBOX, link)?;
        }
    }
    fs::create_dir_all("/root")?;
    Ok(())
}
