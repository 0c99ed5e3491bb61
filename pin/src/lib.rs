// SPDX-License-Identifier: GPL-2.0
//! Takes the links of a BPF preload provider and pins them where a user wants them.
//!
//! The kernel hands a provider's links to each new mount and to nobody else. So a mount is made that is
//! attached to no folder: what is in it is the provider's, whatever other links there are. `links.debug`,
//! which the kernel does not ask for, is the link of a module that is loaded for that moment only. Other
//! modules' iterators are found among all links, by the names of their progs.

pub mod cli;

use std::ffi::{c_char, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::{Display, Path};
use std::process::{Command, Output};
use std::str::FromStr;

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
/// How much the kernel keeps of a prog's name.
const NAME_LEN: usize = sys::BPF_OBJ_NAME_LEN as usize - 1;

/// Pins the files in `dir` and says what was done with each. Either all of them are there afterwards, or
/// nothing is changed.
pub fn pin(dir: &Path) -> Result<Vec<String>> {
    let mut folder = Folder::open(dir)?;
    for (name, link) in provided()? {
        if folder.lacks(name, |seen| is_same(seen, &link))? {
            folder.missing.push((name.to_owned(), link));
        }
    }
    if folder.lacks(LINKS, |seen| seen.name == LINKS_PROG)? {
        match links_debug()? {
            Some(link) => folder.missing.push((LINKS.to_owned(), link)),
            None => folder.done.push(format!(
                "{}/{LINKS}: left out, as {LINKS_MODULE} is neither loaded nor known to modprobe",
                folder.shown
            )),
        }
    }
    folder.pin()
}

/// The same for these iterators, and for nothing else.
pub fn pin_iterators(dir: &Path, wanted: &[Wanted]) -> Result<Vec<String>> {
    let mut folder = Folder::open(dir)?;
    for iterator in wanted {
        if folder.lacks(&iterator.file, |seen| iterator.is(seen))? {
            folder
                .missing
                .push((iterator.file.clone(), iterator.find()?));
        }
    }
    folder.pin()
}

/// An iterator that a module has attached, and the name of its file to be.
#[derive(Debug)]
pub struct Wanted {
    /// The name of its prog, or the id of its link.
    which: String,
    file: String,
}

impl FromStr for Wanted {
    type Err = anyhow::Error;

    /// Of `PROG`, `PROG=FILE` or `ID=FILE`.
    fn from_str(text: &str) -> Result<Self> {
        let (which, file) = text.split_once('=').unwrap_or((text, text));
        ensure!(!which.is_empty(), "'{text}' names no iterator");
        ensure!(
            !file.is_empty() && !file.contains('/') && file != "." && file != "..",
            "'{file}' cannot be the name of a file"
        );
        ensure!(
            text.contains('=') || which.parse::<u32>().is_err(),
            "an id wants a name for its file: {which}=FILE"
        );
        Ok(Wanted {
            which: which.to_owned(),
            file: file.to_owned(),
        })
    }
}

impl Wanted {
    fn is(&self, seen: &Iter) -> bool {
        match self.which.parse::<u32>() {
            Ok(id) => seen.id == id,
            // The kernel has no more of it.
            Err(_) => seen
                .name
                .iter()
                .eq(self.which.as_bytes().iter().take(NAME_LEN)),
        }
    }

    fn find(&self) -> Result<OwnedFd> {
        let which = &self.which;
        let mut found: Vec<_> = iterators().filter(|(_, seen)| self.is(seen)).collect();
        let ids: Vec<_> = found.iter().map(|(_, seen)| seen.id.to_string()).collect();
        ensure!(
            ids.len() < 2,
            "there are several iterators {which}, of the links {}; {}={} chooses one",
            ids.join(", "),
            ids[0],
            self.file
        );
        let (link, _) = found
            .pop()
            .with_context(|| format!("there is no iterator {which}; is its module loaded?"))?;
        Ok(link)
    }
}

/// A folder that files are to be pinned in.
struct Folder<'a> {
    fd: OwnedFd,
    shown: Display<'a>,
    /// What is to be pinned.
    missing: Vec<(String, OwnedFd)>,
    /// What is said of each file.
    done: Vec<String>,
}

impl<'a> Folder<'a> {
    fn open(dir: &'a Path) -> Result<Self> {
        let shown = dir.display();
        ensure!(
            rustix::process::geteuid().is_root(),
            "only root may do this"
        );
        let fd = openat(
            CWD,
            dir,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .with_context(|| format!("{shown}"))?;
        ensure!(
            fstatfs(&fd)?.f_type as u64 == BPF_FS_MAGIC,
            "{shown} is not in a BPF file system; `mount -t bpf bpf {shown}` makes it one, with the files in it"
        );
        Ok(Folder {
            fd,
            shown,
            missing: Vec::new(),
            done: Vec::new(),
        })
    }

    /// Whether a file is to be pinned. An error if there is one that is not an iterator of ours.
    fn lacks(&mut self, name: &str, is_ours: impl Fn(&Iter) -> bool) -> Result<bool> {
        let shown = &self.shown;
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(ABSENT | Errno::NOENT) => return Ok(true),
            Err(error) => return Err(error).with_context(|| format!("{shown}/{name}")),
            Ok(_) => ensure!(
                get(&self.fd, name)
                    .is_ok_and(|link| iter_of(&link).is_ok_and(|seen| is_ours(&seen))),
                "{shown}/{name} exists and is something else; remove it first"
            ),
        }
        self.done.push(format!("{shown}/{name}: is there already"));
        Ok(false)
    }

    /// Pins what is missing: all of it, or nothing.
    fn pin(mut self) -> Result<Vec<String>> {
        let shown = &self.shown;
        let _opened = Opened::new(&self.fd)?;
        for (at, (name, link)) in self.missing.iter().enumerate() {
            if let Err(error) = pin_one(&self.fd, name, link) {
                for (name, _) in &self.missing[..at] {
                    let _ = rustix::fs::unlinkat(&self.fd, name, AtFlags::empty());
                }
                return Err(error).with_context(|| format!("pinning {shown}/{name}"));
            }
            self.done.push(format!("{shown}/{name}: pinned"));
        }
        self.done.sort();
        Ok(self.done)
    }
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
    // Others have a prog of this name, too: the kernel's selftests, say.
    let (link, _) = iterators().find(|(_, seen)| {
        seen.name == LINKS_PROG && map_of(seen).is_ok_and(|name| name == LINKS_MAP)
    })?;
    Some(link)
}

/// All iterators that are attached.
fn iterators() -> impl Iterator<Item = (OwnedFd, Iter)> {
    let mut id = 0;
    std::iter::from_fn(move || {
        // SAFETY: writes one u32.
        (unsafe { sys::bpf_link_get_next_id(id, &mut id) } == 0).then_some(id)
    })
    .filter_map(|id| {
        // SAFETY: a call without pointers.
        let link = owned(unsafe { sys::bpf_link_get_fd_by_id(id) }).ok()?;
        let iter = iter_of(&link).ok()?;
        Some((link, iter))
    })
}

/// Whether an iterator prints the same: one of this load, or of one before.
fn is_same(seen: &Iter, link: &OwnedFd) -> bool {
    iter_of(link).is_ok_and(|expected| seen.name == expected.name && seen.tag == expected.tag)
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

/// What tells an iterator from others.
struct Iter {
    /// Its link's id.
    id: u32,
    /// Its prog's name and tag.
    name: Vec<u8>,
    tag: [u8; 8],
    /// The first map that its prog uses, by its id.
    map: u32,
}

/// The iterator behind a link. An error for any other link, and for what is no link.
fn iter_of(link: &OwnedFd) -> Result<Iter> {
    let mut info = sys::bpf_link_info::default();
    info_of(link.as_fd(), &mut info)?;
    ensure!(
        info.type_ == sys::BPF_LINK_TYPE_ITER,
        "a link of another kind"
    );
    let id = info.id;
    // SAFETY: a call without pointers.
    let prog = owned(unsafe { sys::bpf_prog_get_fd_by_id(info.prog_id) })?;
    let mut map = 0;
    let mut info = sys::bpf_prog_info {
        nr_map_ids: 1,
        map_ids: &raw mut map as u64,
        ..Default::default()
    };
    info_of(prog.as_fd(), &mut info)?;
    Ok(Iter {
        id,
        name: bytes_of(&info.name),
        tag: info.tag,
        map,
    })
}

/// The name of an iterator's map.
fn map_of(iter: &Iter) -> Result<Vec<u8>> {
    // SAFETY: a call without pointers.
    let map = owned(unsafe { sys::bpf_map_get_fd_by_id(iter.map) })?;
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
