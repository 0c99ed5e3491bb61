// SPDX-License-Identifier: GPL-2.0
//! What a scenario does with the kernel: modules, mounts, fds, messages.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use rustix::io::Errno;
use rustix::mount::{mount, unmount, MountFlags, UnmountFlags};
use rustix::process::{setrlimit, Resource, Rlimit};
use rustix::system::{delete_module, finit_module};

use crate::ktap::Skip;
use crate::lab::is_debug;

static MODULE: OnceLock<String> = OnceLock::new();

/// Sets the name of the module under test, once.
pub fn set_module(name: &str) {
    MODULE.get_or_init(|| name.to_owned());
}

/// The name of the module under test.
pub fn module() -> &'static str {
    MODULE.get().expect("set first thing in main")
}

/// The file of the module under test.
pub fn module_file() -> String {
    format!("{}/{}.ko", scenarios::MODULE_DIR, module())
}

/// Loads the module under test, in the calling task.
pub fn load() -> Result<()> {
    insmod(&module_file())?.with_context(|| format!("expected {} to load, seen an error", module()))
}

/// Unloads the module under test.
pub fn unload() -> Result<()> {
    rmmod(module())
}

/// Loads a module file in the calling task: the inner result is the kernel's answer.
pub fn insmod(path: &str) -> Result<Result<(), Errno>> {
    insmod_with(path, c"")
}

/// The same with parameters.
pub fn insmod_with(path: &str, params: &CStr) -> Result<Result<(), Errno>> {
    let file = File::open(path).with_context(|| format!("opening {path}"))?;
    Ok(finit_module(&file, params, 0))
}

/// Loads a module file in a child: the C provider leaves fds in the task that loads it.
pub fn insmod_in_child(path: &str, params: &str) -> Result<()> {
    let status = Command::new("/proc/self/exe")
        .args(["insmod", path, params])
        .status()
        .context("starting a child for insmod")?;
    ensure!(status.success(), "expected {path} to load, seen {status}");
    Ok(())
}

/// Unloads a module.
pub fn rmmod(name: &str) -> Result<()> {
    delete_module(&std::ffi::CString::new(name)?, o_nonblock())
        .with_context(|| format!("expected rmmod {name} to succeed, seen an error"))
}

/// What rmmod(8) passes: fail instead of waiting when the module is in use.
pub fn o_nonblock() -> i32 {
    rustix::fs::OFlags::NONBLOCK.bits() as i32
}

/// The loaded modules.
pub fn loaded_modules() -> Result<Vec<String>> {
    Ok(fs::read_to_string("/proc/modules")?
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect())
}

/// Lets this process have as many open files as any test here takes.
pub fn many_open_files() -> Result<()> {
    let limit = Some(40_000);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit,
            maximum: limit,
        },
    )?;
    Ok(())
}

/// Mounts a BPF file system on a new folder.
pub fn mount_bpffs(path: &str) -> Result<()> {
    fs::create_dir_all(path)?;
    mount("bpf", path, "bpf", MountFlags::empty(), None)
        .with_context(|| format!("expected a bpffs mount on {path}, seen an error"))
}

/// Unmounts.
pub fn umount(path: &str) -> Result<()> {
    unmount(path, UnmountFlags::empty()).with_context(|| format!("umount {path}"))
}

/// The open fds of this task and what they are.
pub fn fds() -> Result<BTreeMap<i32, String>> {
    // All numbers first: the folder's own fd is then closed and drops out below.
    let numbers = fs::read_dir("/proc/self/fd")?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().parse()?))
        .collect::<Result<Vec<i32>>>()?;
    Ok(numbers
        .into_iter()
        .filter_map(|fd| {
            let target = fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
            Some((fd, target.display().to_string()))
        })
        .collect())
}

/// Checks that the task has exactly these fds.
pub fn expect_fds(before: &BTreeMap<i32, String>, after_what: &str) -> Result<()> {
    let after = fds()?;
    for fd in before.keys().chain(after.keys()) {
        let (expected, seen) = (before.get(fd), after.get(fd));
        ensure!(
            expected == seen,
            "fd {fd} after {after_what}: expected {expected:?}, seen {seen:?}; all: {after:?}"
        );
    }
    Ok(())
}

/// The kernel's messages, without their prefixes.
pub struct Messages(File);

impl Messages {
    /// From the oldest that is kept.
    pub fn all() -> Result<Self> {
        Ok(Messages(
            OpenOptions::new()
                .read(true)
                .custom_flags(o_nonblock())
                .open("/dev/kmsg")?,
        ))
    }

    /// From now on.
    pub fn from_now() -> Result<Self> {
        let mut messages = Self::all()?;
        messages.0.seek(SeekFrom::End(0))?;
        Ok(messages)
    }

    /// Those that have come since the last call.
    pub fn new_lines(&mut self) -> Result<Vec<String>> {
        Ok(self.read()?.into_iter().map(|(_, line)| line).collect())
    }

    /// Those of them that are errors, or worse.
    pub fn new_errors(&mut self) -> Result<Vec<String>> {
        const KERN_ERR: u32 = 3;
        let lines = self.read()?.into_iter();
        Ok(lines
            .filter(|(level, _)| *level <= KERN_ERR)
            .map(|(_, line)| line)
            .collect())
    }

    /// Each with its level.
    fn read(&mut self) -> Result<Vec<(u32, String)>> {
        let mut record = [0; 8192];
        let mut lines = Vec::new();
        loop {
            match self.0.read(&mut record) {
                Ok(length) => {
                    let text = String::from_utf8_lossy(&record[..length]).into_owned();
                    // "priority,number,time,flags;message", then lines of key=value.
                    let (head, message) = text.split_once(';').unwrap_or(("", &*text));
                    // The facility is above three bits.
                    let priority = head
                        .split(',')
                        .next()
                        .and_then(|word| word.parse::<u32>().ok());
                    let line = message.lines().next().unwrap_or_default().to_owned();
                    lines.push((priority.unwrap_or(0) & 7, line));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(lines),
                // The oldest records were overwritten meanwhile: go on with the next.
                Err(error) if error.raw_os_error() == Some(Errno::PIPE.raw_os_error()) => {}
                Err(error) => return Err(error).context("reading /dev/kmsg"),
            }
        }
    }
}

/// The symbols of the kernel and its modules.
pub struct Symbols(String);

impl Symbols {
    pub fn read() -> Result<Self> {
        Ok(Symbols(fs::read_to_string("/proc/kallsyms")?))
    }

    /// Address in hexadecimal, type and name of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?, words.next()?))
        })
    }
}

/// Whether the kernel has a function of this name.
pub fn has_function(name: &str) -> Result<bool> {
    Ok(Symbols::read()?.iter().any(|(_, _, symbol)| symbol == name))
}

/// The kernel's release.
pub fn release() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

/// Whether the kernel has `CONFIG_PREEMPT_RT`, which has no BPF timers.
pub fn is_real_time() -> Result<bool> {
    Ok(fs::read_to_string("/proc/version")?.contains("PREEMPT_RT"))
}

/// Skips the scenario unless the kernel asks BPF progs as a security module.
pub fn need_bpf_lsm() -> Result<()> {
    let path = "/sys/kernel/security";
    mount("securityfs", path, "securityfs", MountFlags::empty(), None)?;
    let lsms = fs::read_to_string(format!("{path}/lsm"))?;
    if !lsms.split(',').any(|lsm| lsm.trim_end() == "bpf") {
        return Err(Skip(format!("bpf is not among the active LSMs: {lsms}")).into());
    }
    Ok(())
}

/// All kernel messages so far.
pub fn dmesg() -> Result<Vec<String>> {
    Messages::all()?.new_lines()
}

/// Tries until it holds: what the kernel frees late may take that long, and longer on the debug kernel.
pub fn eventually(mut check: impl FnMut() -> Result<()>) -> Result<()> {
    let seconds = if is_debug() { 60 } else { 30 };
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        match check() {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= deadline => {
                return Err(error).context(format!("still so after {seconds} s"))
            }
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// The file systems that every mode needs.
pub fn mount_system() -> Result<()> {
    for (source, path, kind) in [
        ("proc", "/proc", "proc"),
        ("sysfs", "/sys", "sysfs"),
        ("devtmpfs", "/dev", "devtmpfs"),
        ("tmpfs", "/tmp", "tmpfs"),
    ] {
        fs::create_dir_all(path)?;
        match mount(source, path, kind, MountFlags::empty(), None) {
            Ok(()) => {}
            // CONFIG_DEVTMPFS_MOUNT has been there.
            Err(Errno::BUSY) if Path::new("/dev/console").exists() => {}
            Err(error) => bail!("mounting {path}: {error}"),
        }
    }
    Ok(())
}

/// Adds a key to a keyring, and gives its serial number.
pub fn add_key(kind: &str, name: &str, payload: &[u8], keyring: i32) -> Result<i32> {
    let (kind, name) = (CString::new(kind)?, CString::new(name)?);
    // SAFETY: the texts end with NUL, and the payload has the size that is told.
    let serial = unsafe {
        libc::syscall(
            libc::SYS_add_key,
            kind.as_ptr(),
            name.as_ptr(),
            payload.as_ptr(),
            payload.len(),
            keyring,
        )
    };
    ensure!(
        serial > 0,
        "adding {name:?}: {}",
        std::io::Error::last_os_error()
    );
    Ok(serial as i32)
}
