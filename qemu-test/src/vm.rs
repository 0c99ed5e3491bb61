// SPDX-License-Identifier: GPL-2.0
//! One boot: starts QEMU, watches console and report, and says how it ended.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::{memfd_create, MemfdFlags};
use rustix::process::{set_parent_process_death_signal, Signal};
use scenarios::{KTAP_PORT, SCREEN_PORT};

use crate::console::Watchdog;
use crate::initramfs::Initramfs;
use crate::ktap::{Report, Verdict};
use crate::machine::{Accel, Machine};

/// How a boot can end other than well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The guest, the kernel or the report is not as it should be.
    #[error("{0}")]
    Failed(String),
    /// Nothing is known, because the guest never ran.
    #[error("could not run: {0}")]
    NotRun(String),
}

/// A boot that ended well.
#[derive(Debug)]
pub enum Passed {
    /// With at least one test.
    Tested,
    /// All tests were skipped, for this reason.
    Skipped(String),
    /// It was only asked to say hello.
    Hello,
}

/// A disk with a whole system, which is booted instead of the guest.
pub struct Disk {
    /// Its root file system. What is written to it is gone after the boot.
    pub image: PathBuf,
    /// Its initramfs.
    pub initrd: PathBuf,
    /// A folder with the firmware's code.fd and vars.fd, for Secure Boot.
    pub firmware: Option<PathBuf>,
}

/// A machine to boot.
pub struct Boot {
    /// What QEMU makes.
    pub machine: &'static Machine,
    /// What runs it.
    pub accel: Accel,
    /// Number of CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// The kernel.
    pub image: PathBuf,
    /// The initramfs.
    pub initramfs: Initramfs,
    /// With it, the initramfs above is not used and the arguments go to qemu-test/distro/guest.
    pub disk: Option<Disk>,
    /// Words of the kernel's command line beside those that every boot has.
    pub cmdline: Vec<String>,
    /// Arguments of init.
    pub args: Vec<String>,
    /// Where the console goes.
    pub log: PathBuf,
    /// Time from start to hello.
    pub boot_limit: Duration,
    /// Time from hello, or from the last line of the report, to power-off.
    pub run_limit: Duration,
}

/// In QEMU's process.
const INITRD_FD: RawFd = 10;
const KTAP_FD: RawFd = 11;
const SCREEN_FD: RawFd = 12;

/// How long a sick kernel may go on, so that the log has the whole story.
const LAST_WORDS: Duration = Duration::from_secs(3);

enum Event {
    Console(String),
    Ktap(String),
    Screen(String),
    Qemu(String),
}

/// QEMU, killed when this goes away.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Boot {
    /// QEMU's command line but for its serial ports.
    fn command(&self) -> Command {
        let mut command = Command::new(self.machine.qemu);
        command
            .args(["-machine", self.machine.machine])
            .args(self.accel.options())
            .args(["-cpu", "max"])
            .args(["-smp", &self.cpus.to_string()])
            .args(["-m", &self.memory.to_string()])
            .args(["-nodefaults", "-no-user-config", "-nic", "none"])
            .args(["-display", "none", "-monitor", "none", "-no-reboot"])
            .args(["-device", self.machine.virtio_serial])
            .arg("-kernel")
            .arg(&self.image)
            .arg("-append")
            .arg(format!(
                // Everything on the console; a warning is a panic, which ends QEMU.
                "{} ignore_loglevel panic=-1 panic_on_warn=1 {} {}",
                self.machine.cmdline,
                self.cmdline.join(" "),
                match &self.disk {
                    None => format!("rdinit=/init -- {}", self.args.join(" ")),
                    Some(_) => format!("root=/dev/vda rw distro_test={}", self.args.join(",")),
                }
            ));
        command.arg("-initrd");
        if let Some(disk) = &self.disk {
            command.arg(&disk.initrd).arg("-drive").arg(format!(
                "file={},format=raw,if=virtio,snapshot=on",
                disk.image.display()
            ));
            if let Some(firmware) = &disk.firmware {
                // The firmware wants to be the only one that can write its variables.
                command
                    .args(["-machine", "smm=on"])
                    .args(["-global", "driver=cfi.pflash01,property=secure,value=on"]);
                for (unit, file) in ["code.fd", "vars.fd"].iter().enumerate() {
                    command.arg("-drive").arg(format!(
                        "if=pflash,format=raw,unit={unit},file={},snapshot=on",
                        firmware.join(file).display()
                    ));
                }
            }
        } else {
            command.arg(format!("/proc/self/fd/{INITRD_FD}"));
        }
        command
    }

    /// The initramfs as a file that has no name.
    fn initrd(&self) -> std::io::Result<OwnedFd> {
        let archive = self.initramfs.archive().map_err(std::io::Error::other)?;
        let fd = memfd_create("initramfs", MemfdFlags::CLOEXEC)?;
        File::from(fd.try_clone()?).write_all(&archive)?;
        Ok(fd)
    }

    /// Boots and watches to the end. What the guest writes on the screen port goes to stdout.
    pub fn run(&self) -> Result<Passed, Error> {
        let (ktap, ktap_qemu) = UnixStream::pair().map_err(not_run)?;
        let (screen, screen_qemu) = UnixStream::pair().map_err(not_run)?;
        let mut log = self.create_log()?;
        let mut command = self.command();
        command
            .args(["-chardev", "stdio,id=console,signal=off"])
            .args(["-serial", "chardev:console"])
            .args(port(KTAP_PORT, KTAP_FD))
            .args(port(SCREEN_PORT, SCREEN_FD))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .fd_mappings(vec![
                mapping(self.initrd().map_err(not_run)?, INITRD_FD),
                mapping(ktap_qemu.into(), KTAP_FD),
                mapping(screen_qemu.into(), SCREEN_FD),
            ])
            .expect("three different numbers");
        let _ = writeln!(log, "{command:?}");
        let mut qemu = Running(spawn(&mut command).map_err(|error| {
            Error::NotRun(format!(
                "{} could not be started ({error}); run this through scripts/in-toolroot",
                self.machine.qemu
            ))
        })?);
        // The command holds QEMU's ends of the sockets: without this, their end would never be seen.
        drop(command);

        let (sender, events) = channel();
        forward(qemu.0.stdout.take(), &sender, Event::Console);
        forward(qemu.0.stderr.take(), &sender, Event::Qemu);
        forward(Some(ktap), &sender, Event::Ktap);
        forward(Some(screen), &sender, Event::Screen);
        drop(sender);

        let mut report = Report::default();
        let mut watchdog = Watchdog::default();
        let mut trouble: Option<String> = None;
        let mut said_by_qemu = String::new();
        let mut limit = self.boot_limit;
        let mut deadline = Instant::now() + limit;
        let mut timed_out = false;
        let mut ended = None;
        loop {
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Console(line)) => {
                    let _ = writeln!(log, "{line}");
                    if watchdog.is_trouble(&line) && trouble.is_none() {
                        deadline = deadline.min(Instant::now() + LAST_WORDS);
                        trouble = Some(line);
                    }
                }
                Ok(Event::Ktap(line)) => {
                    let _ = writeln!(log, "[ktap] {line}");
                    report.line(&line);
                    if report.hello() && trouble.is_none() {
                        limit = self.run_limit;
                        deadline = Instant::now() + limit;
                    }
                }
                Ok(Event::Screen(line)) => println!("{line}"),
                Ok(Event::Qemu(line)) => {
                    let _ = writeln!(log, "[qemu] {line}");
                    if said_by_qemu.is_empty() {
                        said_by_qemu.clone_from(&line);
                    }
                    // QEMU stops the machine then, and stays.
                    if line.contains("KVM internal error") {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    timed_out = true;
                    break;
                }
                // QEMU is gone.
                Err(RecvTimeoutError::Disconnected) => {
                    ended = qemu.0.wait().ok();
                    break;
                }
            }
        }

        if !report.hello() {
            let why = trouble.unwrap_or(said_by_qemu);
            let how = if timed_out {
                format!(" within {} s", limit.as_secs())
            } else {
                String::new()
            };
            return Err(Error::NotRun(
                format!("the guest never said hello{how}: {why}")
                    .trim_end_matches([':', ' '])
                    .to_owned(),
            ));
        }
        if let Some(line) = trouble {
            return Err(Error::Failed(format!("the kernel's console says: {line}")));
        }
        if timed_out {
            return Err(Error::Failed(format!(
                "no end within {} s of the guest's last word",
                limit.as_secs()
            )));
        }
        if let Some(status) = ended.filter(|status: &ExitStatus| !status.success()) {
            return Err(Error::Failed(format!(
                "QEMU ended with {status}: {said_by_qemu}"
            )));
        }
        if self.args.first().map(String::as_str) == Some(scenarios::mode::HELLO) {
            return Ok(Passed::Hello);
        }
        match report.verdict() {
            Verdict::Passed => Ok(Passed::Tested),
            Verdict::Skipped(reason) => Ok(Passed::Skipped(reason)),
            Verdict::Failed(why) => Err(Error::Failed(why)),
        }
    }

    /// Replaces this process by QEMU with the guest's virtio console on the user's terminal.
    pub fn become_shell(&self) -> Error {
        if let Err(error) = self.create_log() {
            return error;
        }
        let initrd = match self.initrd() {
            Ok(initrd) => initrd,
            Err(error) => return not_run(error),
        };
        let mut command = self.command();
        command
            .arg("-chardev")
            .arg(format!("file,id=console,path={}", self.log.display()))
            .args(["-serial", "chardev:console"])
            .args(["-chardev", "stdio,id=terminal,mux=on,signal=off"])
            .args(["-device", "virtconsole,chardev=terminal"])
            .fd_mappings(vec![mapping(initrd, INITRD_FD)])
            .expect("one number");
        not_run(command.exec())
    }

    fn create_log(&self) -> Result<File, Error> {
        let create = || {
            std::fs::create_dir_all(self.log.parent().unwrap_or(&self.log))?;
            File::create(&self.log)
        };
        create().map_err(|error| {
            Error::NotRun(format!("{} cannot be written: {error}", self.log.display()))
        })
    }

    /// The last lines of the log, for a message.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n  | ")
    }
}

fn not_run(error: impl std::fmt::Display) -> Error {
    Error::NotRun(error.to_string())
}

fn mapping(parent_fd: OwnedFd, child_fd: RawFd) -> FdMapping {
    FdMapping {
        parent_fd,
        child_fd,
    }
}

/// A virtio port with a name, on a socket.
fn port(name: &str, fd: RawFd) -> [String; 4] {
    [
        "-chardev".into(),
        format!("socket,id={name},fd={fd}"),
        "-device".into(),
        format!("virtserialport,name={name},chardev={name}"),
    ]
}

/// Starts a command that dies with the thread that starts it.
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    // SAFETY: between fork and exec, and only one system call.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
    command.spawn()
}

/// Sends each line of a source as an event.
fn forward<S>(source: Option<S>, sender: &Sender<Event>, event: fn(String) -> Event)
where
    S: Read + AsRawFd + Send + 'static,
{
    let Some(source) = source else { return };
    let sender = sender.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(source).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if sender.send(event(line)).is_err() {
                break;
            }
        }
    });
}
