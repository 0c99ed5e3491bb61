// SPDX-License-Identifier: GPL-2.0
//! One boot: starts QEMU, watches console and report, and says how it ended.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::sync::Arc;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::fs::{memfd_create, MemfdFlags};
use rustix::process::{set_parent_process_death_signal, Signal};
use scenarios::{mode, INIT, KTAP_PORT, SCREEN_PORT, SNAPSHOT_ARGS, SNAPSHOT_READY};
use serde_json::json;

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
    /// The emulator stood still before the kernel had started PID 1: nothing of ours has run.
    #[error("could not run: {0}")]
    Hung(String),
}

/// What a machine does with the file of a snapshot.
#[derive(Clone, Copy)]
pub enum SnapshotAccess {
    /// Its memory is there, and what it writes to it.
    Write,
    /// It starts from there, and the file stays as it is.
    Read,
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
    /// The guest and its files: the initramfs, or what is sent to the guest of a snapshot, which is there.
    pub initramfs: Initramfs,
    /// Where it starts in place of a boot: see [`crate::snapshot`].
    pub snapshot: Option<Arc<File>>,
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
const MONITOR_FD: RawFd = 13;
const SNAPSHOT_FD: RawFd = 14;

/// The kernel's line on its console when PID 1 starts.
const RUNS_PID_1: &str = " as init process";

/// How long a sick kernel may go on, so that the log has the whole story.
const LAST_WORDS: Duration = Duration::from_secs(3);

enum Event {
    Console(String),
    Ktap(String),
    Screen(String),
    Qemu(String),
    Monitor(String),
}

/// What was seen of a machine until its end.
#[derive(Default)]
struct Seen {
    report: Report,
    /// The first line of the console that shows that the kernel is not well.
    trouble: Option<String>,
    /// The last of the others.
    last_line: String,
    /// QEMU's first words.
    said_by_qemu: String,
    /// The kernel has started PID 1.
    pid_1: bool,
    /// The guest waits.
    ready: bool,
    /// The snapshot is written.
    saved: bool,
    /// The time that it had last.
    limit: Duration,
    timed_out: bool,
    ended: Option<ExitStatus>,
}

impl Seen {
    /// The error where the guest never said hello.
    fn silent_guest(self) -> Error {
        let hung = self.timed_out && !self.pid_1 && self.trouble.is_none();
        let within = if self.timed_out {
            format!(" within {} s", self.limit.as_secs())
        } else {
            String::new()
        };
        let mut why = self.trouble.unwrap_or(self.said_by_qemu);
        if hung && why.is_empty() {
            why = format!("the console ends with {:?}", self.last_line);
        }
        let text = format!("the guest never said hello{within}: {why}")
            .trim_end_matches([':', ' '])
            .to_owned();
        if hung {
            Error::Hung(text)
        } else {
            Error::NotRun(text)
        }
    }
}

/// A machine that runs: its log, what comes from it, and the runner's end of the report's port.
struct Started {
    qemu: Running,
    log: File,
    events: Receiver<Event>,
    ktap: UnixStream,
    /// QEMU's monitor, where there is a snapshot.
    monitor: Option<UnixStream>,
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
    /// QEMU's command line but for its serial ports and where it starts.
    pub fn command(&self) -> Command {
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
                    // The guest of a snapshot gets them with the files.
                    None if self.snapshot.is_some() => format!("rdinit={INIT} -- {}", mode::WAIT),
                    None => format!("rdinit={INIT} -- {}", self.args.join(" ")),
                    Some(_) => format!("root=/dev/vda rw distro_test={}", self.args.join(",")),
                }
            ));
        if let Some(disk) = &self.disk {
            command.arg("-initrd").arg(&disk.initrd);
            command.arg("-drive").arg(format!(
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

    /// QEMU's options for a machine whose memory is the first part of a snapshot's file. What else it is made of is
    /// behind that: see [`Boot::migrate`].
    pub fn snapshot_options(&self, access: SnapshotAccess) -> [String; 4] {
        let access = match access {
            SnapshotAccess::Write => "share=on",
            // What the machine writes is its own.
            SnapshotAccess::Read => "share=off,readonly=on,rom=off",
        };
        [
            "-object".to_owned(),
            format!(
                "memory-backend-file,id=memory,size={}M,mem-path=/proc/self/fd/{SNAPSHOT_FD},{access}",
                self.memory
            ),
            "-machine".to_owned(),
            "memory-backend=memory".to_owned(),
        ]
    }

    /// Has QEMU's monitor `migrate` or `migrate-incoming` the state of devices and CPUs, which is behind the memory.
    fn migrate(&self, monitor: &mut UnixStream, command: &str) -> Result<(), Error> {
        let on = |capability| json!({"capability": capability, "state": true});
        // By its name: each QEMU has a position of its own in the file.
        let uri = format!(
            "file:/proc/self/fd/{SNAPSHOT_FD},offset={}",
            self.memory_size()
        );
        for command in [
            json!({"execute": "qmp_capabilities"}),
            // It says how it ends, and does not copy memory that is in a file.
            json!({"execute": "migrate-set-capabilities", "arguments": {"capabilities": [on("events"), on("x-ignore-shared")]}}),
            json!({"execute": command, "arguments": {"uri": uri}}),
        ] {
            writeln!(monitor, "{command}").map_err(not_run)?;
        }
        Ok(())
    }

    /// Memory in bytes.
    fn memory_size(&self) -> u64 {
        u64::from(self.memory) << 20
    }

    /// Says where the machine starts, and in what memory; gives the files that this takes, for QEMU's process.
    fn start_at(
        &self,
        command: &mut Command,
        save: Option<&File>,
    ) -> std::io::Result<Vec<FdMapping>> {
        let mut files = Vec::new();
        let reads = self
            .snapshot
            .as_deref()
            .map(|file| (file, SnapshotAccess::Read));
        let snapshot = save.map(|file| (file, SnapshotAccess::Write)).or(reads);
        if let Some((file, access)) = snapshot {
            command.args(self.snapshot_options(access));
            files.push(mapping(file.try_clone()?.into(), SNAPSHOT_FD));
        }
        if let Some(file) = save {
            // Also of what a first boot has left that hung.
            file.set_len(0)?;
            file.set_len(self.memory_size())?;
        }
        if reads.is_some() {
            command.args(["-incoming", "defer"]);
        } else if self.disk.is_none() {
            command
                .arg("-initrd")
                .arg(format!("/proc/self/fd/{INITRD_FD}"));
            files.push(mapping(self.initrd()?, INITRD_FD));
        }
        Ok(files)
    }

    /// Starts QEMU; where there is a snapshot to read or to write, with a monitor.
    fn start(&self, save: Option<&File>) -> Result<Started, Error> {
        let (ktap, ktap_qemu) = UnixStream::pair().map_err(not_run)?;
        let (screen, screen_qemu) = UnixStream::pair().map_err(not_run)?;
        let mut log = self.create_log()?;
        let mut command = self.command();
        let mut mappings = vec![
            mapping(ktap_qemu.into(), KTAP_FD),
            mapping(screen_qemu.into(), SCREEN_FD),
        ];
        mappings.extend(self.start_at(&mut command, save).map_err(not_run)?);
        let mut monitor = None;
        if save.is_some() || self.snapshot.is_some() {
            let (ours, qemus) = UnixStream::pair().map_err(not_run)?;
            command
                .arg("-chardev")
                .arg(format!("socket,id=monitor,fd={MONITOR_FD}"))
                .args(["-mon", "chardev=monitor,mode=control"]);
            mappings.push(mapping(qemus.into(), MONITOR_FD));
            monitor = Some(ours);
        }
        command
            .args(["-chardev", "stdio,id=console,signal=off"])
            .args(["-serial", "chardev:console"])
            .args(port(KTAP_PORT, KTAP_FD))
            .args(port(SCREEN_PORT, SCREEN_FD))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .fd_mappings(mappings)
            .expect("different numbers");
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
        forward(
            Some(ktap.try_clone().map_err(not_run)?),
            &sender,
            Event::Ktap,
        );
        forward(Some(screen), &sender, Event::Screen);
        let answers = monitor.as_ref().map(UnixStream::try_clone).transpose();
        forward(answers.map_err(not_run)?, &sender, Event::Monitor);
        Ok(Started {
            qemu,
            log,
            events,
            ktap,
            monitor,
        })
    }

    /// Boots and watches to the end. What the guest writes on the screen port goes to stdout.
    pub fn run(&self) -> Result<Passed, Error> {
        self.twice_if_hung(|| self.run_once())
    }

    /// Boots the guest that waits, and writes a snapshot of it to a new file.
    pub fn save(&self, file: &File) -> Result<(), Error> {
        self.twice_if_hung(|| self.save_once(file))
    }

    /// An emulator that stands still before PID 1 tells nothing of the module: that boot is started once more.
    fn twice_if_hung<T>(&self, run: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
        run().or_else(|error| {
            let Error::Hung(why) = error else {
                return Err(error);
            };
            let kept = self.log.with_extension("hung.log");
            let _ = std::fs::rename(&self.log, &kept);
            eprintln!(
                "{}: the emulator hung before PID 1, started once more: {why}; {} says more",
                self.log.file_stem().unwrap_or_default().to_string_lossy(),
                kept.display()
            );
            run().map_err(|error| match error {
                Error::Hung(why) => Error::NotRun(format!("{why}, twice")),
                error => error,
            })
        })
    }

    fn save_once(&self, file: &File) -> Result<(), Error> {
        let seen = self.watch(Some(file))?;
        if seen.saved && seen.trouble.is_none() {
            return Ok(());
        }
        if seen.ready {
            return Err(Error::NotRun(format!(
                "QEMU did not write the snapshot: {}",
                seen.trouble.unwrap_or(seen.said_by_qemu)
            )));
        }
        Err(seen.silent_guest())
    }

    fn run_once(&self) -> Result<Passed, Error> {
        let seen = self.watch(None)?;
        if !seen.report.hello() {
            return Err(seen.silent_guest());
        }
        if let Some(line) = seen.trouble {
            return Err(Error::Failed(format!("the kernel's console says: {line}")));
        }
        if seen.timed_out {
            return Err(Error::Failed(format!(
                "no end within {} s of the guest's last word",
                seen.limit.as_secs()
            )));
        }
        if let Some(status) = seen.ended.filter(|status| !status.success()) {
            return Err(Error::Failed(format!(
                "QEMU ended with {status}: {}",
                seen.said_by_qemu
            )));
        }
        if self.args.first().map(String::as_str) == Some(scenarios::mode::HELLO) {
            return Ok(Passed::Hello);
        }
        match seen.report.verdict() {
            Verdict::Passed => Ok(Passed::Tested),
            Verdict::Skipped(reason) => Ok(Passed::Skipped(reason)),
            Verdict::Failed(why) => Err(Error::Failed(why)),
        }
    }

    /// Starts QEMU and watches it to its end, or to the end of patience. With a file, the machine is written there when
    /// the guest says that it waits, and ends.
    fn watch(&self, save: Option<&File>) -> Result<Seen, Error> {
        let Started {
            mut qemu,
            mut log,
            events,
            ktap,
            mut monitor,
        } = self.start(save)?;
        if let (Some(_), Some(monitor)) = (&self.snapshot, &mut monitor) {
            self.migrate(monitor, "migrate-incoming")?;
            self.send(ktap)?;
        }
        let mut seen = Seen {
            limit: self.boot_limit,
            pid_1: self.snapshot.is_some(),
            ..Seen::default()
        };
        let mut watchdog = Watchdog::default();
        let mut deadline = Instant::now() + seen.limit;
        loop {
            match events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Console(line)) => {
                    let _ = writeln!(log, "{line}");
                    seen.pid_1 |= line.contains(RUNS_PID_1);
                    if watchdog.is_trouble(&line) && seen.trouble.is_none() {
                        deadline = deadline.min(Instant::now() + LAST_WORDS);
                        seen.trouble = Some(line);
                    } else {
                        seen.last_line = line;
                    }
                }
                Ok(Event::Ktap(line)) => {
                    let _ = writeln!(log, "[ktap] {line}");
                    if let (Some(_), Some(monitor), SNAPSHOT_READY) = (save, &mut monitor, &*line) {
                        seen.ready = true;
                        self.migrate(monitor, "migrate")?;
                        continue;
                    }
                    seen.report.line(&line);
                    if seen.report.hello() && seen.trouble.is_none() {
                        seen.limit = self.run_limit;
                        deadline = Instant::now() + seen.limit;
                    }
                }
                Ok(Event::Screen(line)) => println!("{line}"),
                Ok(Event::Monitor(line)) => {
                    let _ = writeln!(log, "[monitor] {line}");
                    seen.saved = save.is_some() && line.contains("\"completed\"");
                    let failed = ["\"error\"", "\"failed\""]
                        .iter()
                        .any(|word| line.contains(word));
                    if failed && seen.said_by_qemu.is_empty() {
                        seen.said_by_qemu = line;
                    }
                    if seen.saved || failed {
                        break;
                    }
                }
                Ok(Event::Qemu(line)) => {
                    let _ = writeln!(log, "[qemu] {line}");
                    if seen.said_by_qemu.is_empty() {
                        seen.said_by_qemu.clone_from(&line);
                    }
                    // QEMU stops the machine then, and stays.
                    if line.contains("KVM internal error") {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    seen.timed_out = true;
                    break;
                }
                // QEMU is gone.
                Err(RecvTimeoutError::Disconnected) => {
                    seen.ended = qemu.0.wait().ok();
                    break;
                }
            }
        }
        Ok(seen)
    }

    /// Sends files and arguments to the guest of a snapshot, in a thread: the report comes by the same socket.
    fn send(&self, mut ktap: UnixStream) -> Result<(), Error> {
        let mut files = self.initramfs.clone();
        files.remove(INIT);
        files.bytes(SNAPSHOT_ARGS, self.args.join("\0").as_bytes());
        let archive = files.archive().map_err(not_run)?;
        // If it cannot be sent, QEMU is gone, which is seen.
        std::thread::spawn(move || ktap.write_all(&archive));
        Ok(())
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
    fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n  | ")
    }

    /// An error of this boot, with where its log is and how that ends.
    pub fn with_log(&self, error: Error) -> Error {
        let text = |why: &str| {
            format!(
                "{why}\n{}, which ends with\n  | {}",
                self.log.display(),
                self.log_tail()
            )
        };
        match error {
            Error::Failed(why) => Error::Failed(text(&why)),
            Error::NotRun(why) | Error::Hung(why) => Error::NotRun(text(&why)),
        }
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::time::Duration;

    use super::{Boot, Error, Passed};
    use crate::initramfs::Initramfs;
    use crate::machine::{self, Accel, Machine};

    /// What a QEMU does that boots well.
    const BOOTS: &str = "printf 'KTAP version 1\\n1..1\\nok 1 x\\n' >&11";
    /// One that stands still after a line of the console.
    const STANDS_STILL: &str = "echo PCI: Using ACPI for IRQ routing; exec sleep 60";

    /// Boots with a QEMU that is a shell script: `first` at its first start, `then` at each other one. Gives how it
    /// ended, and the number of starts.
    fn boot(first: &str, then: &str) -> (Result<Passed, Error>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let qemu = folder.path().join("qemu");
        let script = format!(
            "#!/bin/bash\ncd {}\necho >>starts\nif [ $(wc -l <starts) = 1 ]; then {first}\nelse {then}\nfi\n",
            folder.path().display()
        );
        fs::write(&qemu, script).unwrap();
        fs::set_permissions(&qemu, fs::Permissions::from_mode(0o755)).unwrap();
        let amd64 = machine::find("amd64").unwrap();
        let machine: &Machine = Box::leak(Box::new(Machine {
            qemu: qemu.to_str().unwrap().to_owned().leak(),
            ..*amd64
        }));
        let boot = Boot {
            machine,
            accel: Accel::Tcg,
            cpus: 1,
            memory: 1,
            image: "/dev/null".into(),
            initramfs: Initramfs::new(machine),
            snapshot: None,
            disk: None,
            cmdline: Vec::new(),
            args: vec![scenarios::mode::TEST.into()],
            log: folder.path().join("boot.log"),
            boot_limit: Duration::from_secs(1),
            run_limit: Duration::from_secs(1),
        };
        let seen = boot.run();
        let starts = fs::read_to_string(folder.path().join("starts")).unwrap();
        let hung_log = folder.path().join("boot.hung.log");
        assert_eq!(hung_log.exists(), starts.lines().count() == 2);
        assert!(Path::new(&boot.log).exists());
        (seen, starts.lines().count())
    }

    #[test]
    fn emulator_that_hangs_before_pid_1_is_started_once_more() {
        let (seen, starts) = boot(STANDS_STILL, BOOTS);
        assert!(matches!(seen, Ok(Passed::Tested)), "{seen:?}");
        assert_eq!(starts, 2);
    }

    #[test]
    fn emulator_that_hangs_twice_could_not_run() {
        let (seen, starts) = boot(STANDS_STILL, STANDS_STILL);
        let Err(Error::NotRun(why)) = seen else {
            panic!("{seen:?}");
        };
        assert!(why.ends_with("twice"), "{why}");
        assert!(why.contains("PCI: Using ACPI"), "{why}");
        assert_eq!(starts, 2);
    }

    #[test]
    fn what_goes_wrong_otherwise_is_not_tried_again() {
        for wrong in [
            "echo Run /init as init process; exec sleep 60",
            "echo Kernel panic - not syncing: VFS; exec sleep 60",
            "echo no such machine >&2; exit 1",
            "printf 'KTAP version 1\\n' >&11; exec sleep 60",
        ] {
            let (seen, starts) = boot(wrong, BOOTS);
            assert!(
                matches!(seen, Err(Error::NotRun(_) | Error::Failed(_))),
                "{wrong}: {seen:?}"
            );
            assert_eq!(starts, 1, "{wrong}");
        }
    }
}
