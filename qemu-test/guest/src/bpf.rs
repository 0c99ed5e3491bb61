// SPDX-License-Identifier: GPL-2.0
//! What bpf(2) says there is, maps and progs of the test's own, and the rows of the two files.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use anyhow::{bail, ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

/// The ids of all progs, maps, links and BTFs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    pub progs: BTreeSet<u32>,
    pub maps: BTreeSet<u32>,
    pub links: BTreeSet<u32>,
    pub btfs: BTreeSet<u32>,
}

impl Ids {
    /// Asks the kernel.
    pub fn now() -> Self {
        type Next = unsafe extern "C" fn(u32, *mut u32) -> i32;
        let walk = |next: Next| {
            let mut ids = BTreeSet::new();
            let mut id = 0;
            // SAFETY: one of libbpf's four id walkers, which write one u32.
            while unsafe { next(id, &mut id) } == 0 {
                ids.insert(id);
            }
            ids
        };
        Ids {
            progs: walk(sys::bpf_prog_get_next_id),
            maps: walk(sys::bpf_map_get_next_id),
            links: walk(sys::bpf_link_get_next_id),
            btfs: walk(sys::bpf_btf_get_next_id),
        }
    }

    /// What is here and not in `before`.
    pub fn since(&self, before: &Ids) -> Ids {
        Ids {
            progs: &self.progs - &before.progs,
            maps: &self.maps - &before.maps,
            links: &self.links - &before.links,
            btfs: &self.btfs - &before.btfs,
        }
    }
}

/// A hash map of u32 to u32.
pub fn hash_map(name: &str, max_entries: u32, elements: u32) -> Result<MapHandle> {
    let opts = sys::bpf_map_create_opts {
        sz: size_of::<sys::bpf_map_create_opts>() as _,
        ..Default::default()
    };
    let map = MapHandle::create(MapType::Hash, Some(name), 4, 4, max_entries, &opts)?;
    for key in 0..elements {
        map.update(&key.to_ne_bytes(), &key.to_ne_bytes(), MapFlags::ANY)?;
    }
    Ok(map)
}

/// A prog that returns 0; with `btf_name`, one that has this function name in its BTF.
pub fn prog(name: &str, btf_name: Option<&str>) -> Result<OwnedFd> {
    let btf = btf_name.map(btf_of_function).transpose()?;
    let mov_r0_0 = sys::bpf_insn {
        code: (sys::BPF_ALU64 | sys::BPF_MOV | sys::BPF_K) as u8,
        ..Default::default()
    };
    let exit = sys::bpf_insn {
        code: (sys::BPF_JMP | sys::BPF_EXIT) as u8,
        ..Default::default()
    };
    let insns = [mov_r0_0, exit];
    let function = sys::bpf_func_info {
        insn_off: 0,
        type_id: BTF_FUNCTION,
    };
    let mut opts = sys::bpf_prog_load_opts {
        sz: size_of::<sys::bpf_prog_load_opts>() as _,
        ..Default::default()
    };
    if let Some(btf) = &btf {
        opts.prog_btf_fd = btf.as_raw_fd() as u32;
        opts.func_info = ptr::from_ref(&function).cast();
        opts.func_info_cnt = 1;
        opts.func_info_rec_size = size_of_val(&function) as u32;
    }
    let name = CString::new(name)?;
    // SAFETY: all pointers are to live values of this function, with their counts.
    let fd = unsafe {
        sys::bpf_prog_load(
            sys::BPF_PROG_TYPE_SOCKET_FILTER,
            name.as_ptr(),
            c"GPL".as_ptr(),
            insns.as_ptr(),
            insns.len() as _,
            &mut opts,
        )
    };
    owned(fd).context("loading a prog of the test's own")
}

/// Does `BPF_PROG_TEST_RUN` of the prog of an id, without input: gives its return value.
pub fn test_run(prog_id: u32) -> Result<u32> {
    let mut opts = sys::bpf_test_run_opts {
        sz: size_of::<sys::bpf_test_run_opts>() as _,
        ..Default::default()
    };
    // SAFETY: a call without pointers.
    let prog = owned(unsafe { sys::bpf_prog_get_fd_by_id(prog_id) })?;
    // SAFETY: `opts` has the size that it says and is live.
    let error = unsafe { sys::bpf_prog_test_run_opts(prog.as_raw_fd(), &mut opts) };
    if error != 0 {
        return Err(std::io::Error::from_raw_os_error(-error).into());
    }
    Ok(opts.retval)
}

/// The type id that [`btf_of_function`] gives its function: after an int and a prototype.
const BTF_FUNCTION: u32 = 3;

/// BTF with one function `int NAME(void)`.
fn btf_of_function(name: &str) -> Result<OwnedFd> {
    let name = CString::new(name)?;
    // SAFETY: `btf` is the empty BTF made here, freed at the end; names are NUL-terminated.
    let fd = unsafe {
        let btf = sys::btf__new_empty();
        ensure!(!btf.is_null(), "no memory for a BTF");
        let int = sys::btf__add_int(btf, c"int".as_ptr(), 4, sys::BTF_INT_SIGNED as i32);
        let proto = sys::btf__add_func_proto(btf, int);
        let function = sys::btf__add_func(btf, name.as_ptr(), sys::BTF_FUNC_GLOBAL, proto);
        let mut size = 0;
        let data = sys::btf__raw_data(btf, &mut size);
        let fd = sys::bpf_btf_load(data, size as _, ptr::null_mut());
        sys::btf__free(btf);
        ensure!(
            function == BTF_FUNCTION as i32,
            "expected BTF id {BTF_FUNCTION} for the function, seen {function}"
        );
        fd
    };
    owned(fd).context("loading BTF")
}

fn owned(fd: i32) -> Result<OwnedFd> {
    if fd < 0 {
        return Err(std::io::Error::from_raw_os_error(-fd).into());
    }
    // SAFETY: libbpf has just opened it and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A row of `maps.debug`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MapRow {
    pub id: u32,
    pub name: String,
    pub max_entries: u32,
    pub cur_entries: u64,
}

/// A row of `progs.debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgRow {
    pub id: u32,
    pub name: String,
    pub attached: String,
}

/// Reads a file and takes off its header, which must begin with this.
fn rows(path: &str, header: &str) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    let mut lines = text.lines().map(str::to_owned);
    let seen = lines.next().unwrap_or_default();
    ensure!(
        seen.starts_with(header),
        "header of {path}: expected {header:?}, seen {seen:?}"
    );
    Ok(lines.collect())
}

/// The rows of `maps.debug` of a mount.
pub fn map_rows(mount: &str) -> Result<Vec<MapRow>> {
    let path = format!("{mount}/maps.debug");
    rows(&path, "  id name             max_entries  cur_entries")?
        .iter()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let [id, name, max, cur, ..] = words[..] else {
                bail!("a row of {path}: expected at least 4 words, seen {line:?}");
            };
            // A map need not have a name.
            let name = if name == "-" { "" } else { name };
            Ok(MapRow {
                id: id.parse()?,
                name: name.to_owned(),
                max_entries: max.parse()?,
                cur_entries: cur.parse()?,
            })
        })
        .collect()
}

/// The rows of `progs.debug` of a mount.
pub fn prog_rows(mount: &str) -> Result<Vec<ProgRow>> {
    let path = format!("{mount}/progs.debug");
    rows(&path, "  id name             attached")?
        .iter()
        .map(|line| {
            let mut words = line.split_whitespace();
            let mut word = || words.next().unwrap_or_default().to_owned();
            Ok(ProgRow {
                id: word()
                    .parse()
                    .with_context(|| format!("a row of {path}: {line:?}"))?,
                name: word(),
                attached: word(),
            })
        })
        .collect()
}

/// Checks that a mount has the two files, nothing else, and that they can be read and list the two progs
/// that print them.
pub fn expect_both_files(mount: &str) -> Result<()> {
    let mut seen = fs::read_dir(mount)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    seen.sort();
    let expected = ["maps.debug", "progs.debug"];
    ensure!(
        seen == expected,
        "files of {mount}: expected {expected:?}, seen {seen:?}"
    );
    ensure!(
        !map_rows(mount)?.is_empty(),
        "expected rows in {mount}/maps.debug, seen none"
    );
    let names: Vec<_> = prog_rows(mount)?.into_iter().map(|row| row.name).collect();
    for name in ["dump_bpf_map", "dump_bpf_prog"] {
        ensure!(
            names.iter().any(|seen| seen == name),
            "expected {name} in {mount}/progs.debug, seen {names:?}"
        );
    }
    Ok(())
}
