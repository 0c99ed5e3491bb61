// SPDX-License-Identifier: GPL-2.0
//! The modes for a human: the demo and the shell.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{ensure, Context, Result};
use rustix::mount::{mount, MountFlags};
use rustix::pipe::{pipe_with, PipeFlags};
use scenarios::{DEMO, KEYRING, MODULE_DIR, SCREEN_PORT, SIGNING_CERT};

use crate::kernel::{add_key, load, module, module_file, mount_bpffs};
use crate::ktap::{note, open_port};
use crate::lab::mount_tracing;

const BUSYBOX: &str = "/bin/busybox";
const BPFFS: &str = "/sys/fs/bpf";
/// What this program is, too.
pub const PIN: &str = "bpf-preload-pin";

/// Shows the module under test at work.
pub fn demo() -> Result<()> {
    install_commands()?;
    type_on_screen(&[
        "uname -sr".to_owned(),
        format!("insmod {}", module_file()),
        format!("mount -t bpf bpf {BPFFS}"),
        format!("ls -l {BPFFS}"),
        format!("cat {BPFFS}/maps.debug"),
        format!("cat {BPFFS}/progs.debug"),
        format!("rmmod {}", module()),
    ])
}

/// Shows a module project's own commands: one a line; empty lines and those that begin with '#' are none.
pub fn show_commands() -> Result<()> {
    prepare_for_scripts()?;
    let lines = fs::read_to_string(DEMO)?;
    let is_command = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let commands: Vec<_> = lines
        .lines()
        .filter(is_command)
        .map(str::to_owned)
        .collect();
    ensure!(!commands.is_empty(), "the demo has no command");
    type_on_screen(&commands)
}

/// Types commands on the screen port, with what they print. The first one that fails is the last.
fn type_on_screen(commands: &[String]) -> Result<()> {
    let mut screen = open_port(SCREEN_PORT)?;
    for command in commands {
        writeln!(screen, "# {command}")?;
        let output = shell_command().args(["-c", command]).output()?;
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

/// Runs a test of a module project: a shell script. What it prints is in the report.
pub fn script(path: &str) -> Result<()> {
    prepare_for_scripts()?;
    // With each command before what it prints. One pipe for both, so that their lines stay in order.
    let (output, input) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut script = shell_command();
    script
        .args(["-x", path])
        .stdout(input.try_clone()?)
        .stderr(input);
    let mut child = script.spawn().context("starting the script")?;
    // It holds the other end of the pipe.
    drop(script);
    for line in BufReader::new(File::from(output)).split(b'\n') {
        note(&String::from_utf8_lossy(&line?));
    }
    let status = child.wait()?;
    ensure!(status.success(), "expected exit status 0, seen {status}");
    Ok(())
}

/// BusyBox's shell, with a root's environment, in the folder of the modules.
fn shell_command() -> Command {
    let mut shell = Command::new(BUSYBOX);
    shell
        .arg("sh")
        .env_clear()
        .env("PATH", "/sbin:/bin:/usr/sbin:/usr/bin")
        .env("HOME", "/root")
        .envs(std::env::var_os(KEYRING).map(|keyring| (KEYRING, keyring)))
        .current_dir(MODULE_DIR)
        .stdin(Stdio::null());
    shell
}

/// What a script may expect of a machine: the file systems where they usually are, and a network of its own.
fn prepare_for_scripts() -> Result<()> {
    install_commands()?;
    symlink("/init", Path::new("/bin").join(PIN))?;
    mount_bpffs(BPFFS)?;
    mount_tracing()?;
    let cgroup = "/sys/fs/cgroup";
    mount("cgroup2", cgroup, "cgroup2", MountFlags::empty(), None).context("mounting cgroup2")?;
    let up = shell_command().args(["-c", "ip link set lo up"]).status()?;
    ensure!(up.success(), "ip link set lo up: {up}");
    trust_signer()
}

/// Puts the certificate of a project with signed progs into a keyring that scripts can name.
fn trust_signer() -> Result<()> {
    if !Path::new(SIGNING_CERT).exists() {
        return Ok(());
    }
    // Scripts have this process's session keyring: it has to possess what they name.
    let keyring = add_key("keyring", "signing", &[], libc::KEY_SPEC_SESSION_KEYRING)?;
    add_key("asymmetric", "", &fs::read(SIGNING_CERT)?, keyring)?;
    std::env::set_var(KEYRING, keyring.to_string());
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
            symlink(BUSYBOX, link)?;
        }
    }
    fs::create_dir_all("/root")?;
    Ok(())
}
