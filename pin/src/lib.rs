// SPDX-License-Identifier: GPL-2.0
//! Takes the links of a BPF preload provider and pins them where a user wants them.
//!
//! The kernel hands a provider's links to each new mount and to nobody else. So a mount is made that is
//! attached to no folder: what is in it is the provider's, whatever other links there are. `links.debug`,
//! which the kernel does not ask for, is the link of a module that is loaded for that moment only.

use std::ffi::{c_char, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{bail, ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use rustix::fs::{chmodat, fchmod, fstat, fstatfs, openat, statat, AtFlags, Mode, OFlags, CWD};
use rustix::io::Errno;
use rustix::mount::{fsconfig_create, fsmount, fsopen, FsMountFlags, FsOpenFlags, MountAttrFlags};
use rustix::system::delete_module;

/// `statfs` of a BPF file system.
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;
/// The files that the kernel puts into each mount.
const FILES: [&str; 2] = ["maps.debug", "progs.debug"];
/// The file that it does not.
const LINKS: &str = "links.debug";
/// What the kernel says of a name with a dot that is not there.
const ABSENT: Errno = Errno::PERM;
/// The module that has the link behind [`LINKS`] for as long as it is loaded.
const LINKS_MODULE: &str = "bpf_preload_links";
/// The prog of that link, and its map.
const LINKS_PROG: &[u8] = b"dump_bpf_link";
const LINKS_MAP: &[u8] = b"links.rodata";

/// Pins the files in `dir` and says what was done with each. Either all of them are there afterwards, or
/// nothing is changed.
pub fn pin(dir: &Path) -> Result<Vec<String>> {
    let shown = dir.display();
    ensure!(
        rustix::process::geteuid().is_root(),
        "only root may do this"
    );
    let target = openat(
        CWD,
        dir,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .with_context(|| format!("{shown}"))?;
    ensure!(
        fstatfs(&target)?.f_type as u64 == BPF_FS_MAGIC,
        "{shown} is not in a BPF file system; `mount -t bpf bpf {shown}` makes it one, with the files in it"
    );
    let mut missing = Vec::new();
    let mut done = Vec::new();
    let mut look = |name: &'static str, is_ours: &dyn Fn() -> bool| -> Result<bool> {
        match statat(&target, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(ABSENT | Errno::NOENT) => return Ok(true),
            Err(error) => return Err(error).with_context(|| format!("{shown}/{name}")),
            Ok(_) => ensure!(
                is_ours(),
                "{shown}/{name} exists and is something else; remove it first"
            ),
        }
        done.push(format!("{shown}/{name}: is there already"));
        Ok(false)
    };
    for (name, link) in provided()? {
        if look(name, &|| is_same(&target, name, &link))? {
            missing.push((name, link));
        }
    }
    if look(LINKS, &|| is_links_debug(&target))? {
        match links_debug()? {
            Some(link) => missing.push((LINKS, link)),
            None => done.push(format!(
                "{shown}/{LINKS}: left out, as {LINKS_MODULE} is neither loaded nor known to modprobe"
            )),
        }
    }
    let _opened = Opened::new(&target)?;
    for (at, (name, link)) in missing.iter().enumerate() {
        if let Err(error) = pin_one(&target, name, link) {
            for (name, _) in &missing[..at] {
                let _ = rustix::fs::unlinkat(&target, *name, AtFlags::empty());
            }
            return Err(error).with_context(|| format!("pinning {shown}/{name}"));
        }
        done.push(format!("{shown}/{name}: pinned"));
    }
    done.sort();
    Ok(done)
}

/// A folder in which names with a dot can be made: the kernel keeps them to itself, unless the folder's mode
/// is 0, as it is while a mount is made. Only root can enter it meanwhile.
struct Opened<'a> {
    dir: &'a OwnedFd,
    mode: Mode,
}

impl<'a> Opened<'a> {
    fn new(dir: &'a OwnedFd) -> Result<Self> {
        let mode = Mode::from_raw_mode(fstat(dir)?.st_mode);
        fchmod(dir, Mode::empty()).context("changing the folder's mode for a moment")?;
        Ok(Opened { dir, mode })
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        if let Err(error) = fchmod(self.dir, self.mode) {
            eprintln!(
                "the folder's mode could not be set back to {:o}: {error}",
                self.mode
            );
        }
    }
}

/// The provider's links, by the names of their files.
fn provided() -> Result<Vec<(&'static str, OwnedFd)>> {
    let mount = fsopen("bpf", FsOpenFlags::FSOPEN_CLOEXEC)
        .and_then(|fs| {
            fsconfig_create(&fs)?;
            fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())
        })
        .context("a BPF file system could not be made")?;
    let mut links = Vec::new();
    for name in FILES {
        match get(&mount, name) {
            Ok(link) => links.push((name, link)),
            Err(ABSENT | Errno::NOENT) => bail!(
                "the kernel has no {name} to give; is bpf_preload_rs loaded? If it is, dmesg says what is wrong"
            ),
            Err(error) => return Err(error).context(name),
        }
    }
    Ok(links)
}

/// The link behind `links.debug`. [`None`] where its module is neither loaded nor installed.
fn links_debug() -> Result<Option<OwnedFd>> {
    if let Some(link) = find_links_debug() {
        return Ok(Some(link));
    }
    if !modprobe(&["--show-depends", LINKS_MODULE]).is_ok_and(|known| known.status.success()) {
        return Ok(None);
    }
    let seen = modprobe(&[LINKS_MODULE])?;
    ensure!(
        seen.status.success(),
        "{}; dmesg may say why",
        String::from_utf8_lossy(&seen.stderr).trim_end()
    );
    let link = find_links_debug();
    // What is open here is held here, and then by the file.
    match delete_module(&CString::new(LINKS_MODULE)?, 0) {
        // Someone else was here at the same time.
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error).with_context(|| format!("removing {LINKS_MODULE}")),
    }
    ensure!(link.is_some(), "{LINKS_MODULE} has no link");
    Ok(link)
}

/// Runs the kernel's own modprobe: PATH may lack it.
fn modprobe(args: &[&str]) -> Result<Output> {
    let path = std::fs::read_to_string("/proc/sys/kernel/modprobe")?;
    let path = path.trim_end();
    Command::new(path)
        .args(args)
        .output()
        .with_context(|| format!("running {path}"))
}

fn find_links_debug() -> Option<OwnedFd> {
    let mut id = 0;
    // SAFETY: writes one u32.
    while unsafe { sys::bpf_link_get_next_id(id, &mut id) } == 0 {
        // SAFETY: a call without pointers.
        let Ok(link) = owned(unsafe { sys::bpf_link_get_fd_by_id(id) }) else {
            continue;
        };
        // Others have a prog of this name, too: the kernel's selftests, say.
        if prog_of(&link).is_ok_and(|prog| {
            prog.name == LINKS_PROG && map_of(&prog).is_ok_and(|name| name == LINKS_MAP)
        }) {
            return Some(link);
        }
    }
    None
}

/// Whether the file is there and pins an iterator of links.
fn is_links_debug(dir: &OwnedFd) -> bool {
    get(dir, LINKS).is_ok_and(|link| prog_of(&link).is_ok_and(|prog| prog.name == LINKS_PROG))
}

/// Whether a file pins an iterator that prints the same: one of this load, or of one before.
fn is_same(dir: &OwnedFd, name: &str, link: &OwnedFd) -> bool {
    let seen = get(dir, name).map(|seen| prog_of(&seen));
    match (seen, prog_of(link)) {
        (Ok(Ok(seen)), Ok(expected)) => seen.name == expected.name && seen.tag == expected.tag,
        _ => false,
    }
}

fn pin_one(dir: &OwnedFd, name: &str, link: &OwnedFd) -> Result<()> {
    let path = CString::new(name)?;
    let opts = sys::bpf_obj_pin_opts {
        sz: size_of::<sys::bpf_obj_pin_opts>() as _,
        file_flags: sys::BPF_F_PATH_FD,
        path_fd: dir.as_raw_fd(),
    };
    // SAFETY: both pointers are to live values, NUL-terminated and of the size that it says.
    let error = unsafe { sys::bpf_obj_pin_opts(link.as_raw_fd(), path.as_ptr(), &opts) };
    ensure!(error == 0, std::io::Error::from_raw_os_error(-error));
    // What the kernel gives the files of a new mount.
    chmodat(dir, name, Mode::RUSR, AtFlags::empty()).inspect_err(|_| {
        let _ = rustix::fs::unlinkat(dir, name, AtFlags::empty());
    })?;
    Ok(())
}

/// Opens what a file pins.
fn get(dir: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    let path = CString::new(name).map_err(|_| Errno::INVAL)?;
    let opts = sys::bpf_obj_get_opts {
        sz: size_of::<sys::bpf_obj_get_opts>() as _,
        file_flags: sys::BPF_F_PATH_FD,
        path_fd: dir.as_raw_fd(),
    };
    // SAFETY: both pointers are to live values, NUL-terminated and of the size that it says.
    owned(unsafe { sys::bpf_obj_get_opts(path.as_ptr(), &opts) })
}

/// What tells an iterator's prog from others.
struct Prog {
    name: Vec<u8>,
    tag: [u8; 8],
    /// The first map that it uses, by its id.
    map: u32,
}

/// The prog of an iterator's link. An error for any other link, and for what is no link.
fn prog_of(link: &OwnedFd) -> Result<Prog> {
    let mut info = sys::bpf_link_info::default();
    info_of(link.as_fd(), &mut info)?;
    ensure!(
        info.type_ == sys::BPF_LINK_TYPE_ITER,
        "a link of another kind"
    );
    // SAFETY: a call without pointers.
    let prog = owned(unsafe { sys::bpf_prog_get_fd_by_id(info.prog_id) })?;
    let mut map = 0;
    let mut info = sys::bpf_prog_info {
        nr_map_ids: 1,
        map_ids: &raw mut map as u64,
        ..Default::default()
    };
    info_of(prog.as_fd(), &mut info)?;
    Ok(Prog {
        name: bytes_of(&info.name),
        tag: info.tag,
        map,
    })
}

/// The name of a prog's map.
fn map_of(prog: &Prog) -> Result<Vec<u8>> {
    // SAFETY: a call without pointers.
    let map = owned(unsafe { sys::bpf_map_get_fd_by_id(prog.map) })?;
    let mut info = sys::bpf_map_info::default();
    info_of(map.as_fd(), &mut info)?;
    Ok(bytes_of(&info.name))
}

/// Asks the kernel for the info of an object, whose struct `T` must be.
fn info_of<T>(fd: BorrowedFd<'_>, info: &mut T) -> Result<()> {
    let mut size = size_of::<T>() as u32;
    // SAFETY: the kernel writes at most `size` bytes into `info`, a struct of integers.
    let error = unsafe {
        sys::bpf_obj_get_info_by_fd(fd.as_raw_fd(), std::ptr::from_mut(info).cast(), &mut size)
    };
    ensure!(error == 0, std::io::Error::from_raw_os_error(-error));
    Ok(())
}

/// A name as bytes, up to its NUL.
fn bytes_of(name: &[c_char]) -> Vec<u8> {
    name.iter()
        .map(|byte| *byte as u8)
        .take_while(|byte| *byte != 0)
        .collect()
}

fn owned(fd: i32) -> Result<OwnedFd, Errno> {
    if fd < 0 {
        return Err(Errno::from_raw_os_error(-fd));
    }
    // SAFETY: libbpf has just opened it and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
