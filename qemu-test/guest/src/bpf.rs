// SPDX-License-Identifier: GPL-2.0
//! What bpf(2) says there is, maps and progs of the test's own, and the rows of the two files.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use anyhow::{bail, ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use libbpf_rs::query::{LinkInfoIter, MapInfo, MapInfoIter, ProgInfoIter, ProgramInfo};
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

use crate::kernel::eventually;

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

/// Checks that the kernel has none that it did not have before, once it has freed what it frees late.
pub fn expect_nothing_since(before: &Ids, what: &str) -> Result<()> {
    eventually(|| {
        let left = Ids::now().since(before);
        ensure!(
            left == Ids::default(),
            "left after {what}: expected nothing, seen {left:?}"
        );
        Ok(())
    })
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
    load_prog(
        sys::BPF_PROG_TYPE_SOCKET_FILTER,
        name,
        &returning(0),
        &mut opts,
    )
}

/// The instructions of a prog that returns this number.
pub fn returning(number: i32) -> [sys::bpf_insn; 2] {
    let insn = |code: u32, imm| sys::bpf_insn {
        code: code as u8,
        imm,
        ..Default::default()
    };
    [
        insn(sys::BPF_ALU64 | sys::BPF_MOV | sys::BPF_K, number),
        insn(sys::BPF_JMP | sys::BPF_EXIT, 0),
    ]
}

/// Loads a prog of these instructions.
pub fn load_prog(
    prog_type: u32,
    name: &str,
    insns: &[sys::bpf_insn],
    opts: &mut sys::bpf_prog_load_opts,
) -> Result<OwnedFd> {
    let name = CString::new(name)?;
    // SAFETY: all pointers are to live values of this function and its callers, with their counts.
    let fd = unsafe {
        sys::bpf_prog_load(
            prog_type,
            name.as_ptr(),
            c"GPL".as_ptr(),
            insns.as_ptr(),
            insns.len() as _,
            opts,
        )
    };
    owned(fd).context("loading a prog of the test's own")
}

/// A fd of the link of an id.
pub fn link_by_id(id: u32) -> Result<OwnedFd> {
    // SAFETY: a call without pointers.
    owned(unsafe { sys::bpf_link_get_fd_by_id(id) }).context("a link's fd")
}

/// Has an LSM prog refuse every bpf command, the kernel's own too, for as long as this lives.
pub fn deny_bpf() -> Result<OwnedFd> {
    let prog = prog_of_a_function(
        sys::BPF_PROG_TYPE_LSM,
        sys::BPF_LSM_MAC,
        c"bpf_lsm_bpf",
        "deny_bpf",
        -1,
    )?;
    // SAFETY: the prog names its target itself.
    owned(unsafe { sys::bpf_raw_tracepoint_open(ptr::null(), prog.as_raw_fd()) })
        .context("attaching an LSM prog")
}

/// An iterator of links that prints nothing.
pub fn iterator_of_links(name: &str) -> Result<OwnedFd> {
    let prog = prog_of_a_function(
        sys::BPF_PROG_TYPE_TRACING,
        sys::BPF_TRACE_ITER,
        c"bpf_iter_bpf_link",
        name,
        0,
    )?;
    // SAFETY: without options there are no pointers.
    owned(unsafe { sys::bpf_link_create(prog.as_raw_fd(), 0, sys::BPF_TRACE_ITER, ptr::null()) })
        .context("attaching an iterator")
}

/// A prog for a function of the kernel, which returns this number.
fn prog_of_a_function(
    prog_type: u32,
    attach_type: u32,
    function: &CStr,
    name: &str,
    number: i32,
) -> Result<OwnedFd> {
    let vmlinux = fs::read("/sys/kernel/btf/vmlinux")?;
    // SAFETY: the data has the size that is told, and libbpf copies it; the name ends with NUL.
    let btf_id = unsafe {
        let btf = sys::btf__new(vmlinux.as_ptr().cast(), vmlinux.len() as u32);
        ensure!(!btf.is_null(), "the kernel's BTF cannot be read");
        let id = sys::btf__find_by_name_kind(btf, function.as_ptr(), sys::BTF_KIND_FUNC);
        sys::btf__free(btf);
        id
    };
    ensure!(
        btf_id > 0,
        "expected a function {function:?}, seen {btf_id}"
    );
    let mut opts = sys::bpf_prog_load_opts {
        sz: size_of::<sys::bpf_prog_load_opts>() as _,
        expected_attach_type: attach_type,
        attach_btf_id: btf_id as u32,
        ..Default::default()
    };
    load_prog(prog_type, name, &returning(number), &mut opts)
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

/// The id of the prog of a name.
pub fn prog_id(name: &str) -> Result<u32> {
    Ok(prog_info(name)?.id)
}

/// How often a prog was not run, because it was running on that CPU already.
pub fn recursion_misses(name: &str) -> Result<u32> {
    Ok(prog_info(name)?.recursion_misses.try_into()?)
}

fn prog_info(name: &str) -> Result<ProgramInfo> {
    ProgInfoIter::default()
        .find(|info| info.name.to_string_lossy() == name)
        .with_context(|| format!("expected a prog {name}, seen none"))
}

/// The id of the link of a prog, by the prog's name.
pub fn link_id(prog: &str) -> Result<u32> {
    let id = prog_id(prog)?;
    LinkInfoIter::default()
        .find(|link| link.prog_id == id)
        .map(|link| link.id)
        .with_context(|| format!("expected a link of {prog}, seen none"))
}

/// The map of a name.
pub fn map(name: &str) -> Result<MapHandle> {
    Ok(MapHandle::from_map_id(map_info(name)?.id)?)
}

pub fn map_info(name: &str) -> Result<MapInfo> {
    MapInfoIter::default()
        .find(|info| info.name.to_string_lossy() == name)
        .with_context(|| format!("expected a map {name}, seen none"))
}

/// The bytes of a global variable: `map` is the name of its section's map, as in `features.bss`.
pub fn global(map: &str, variable: &str) -> Result<Vec<u8>> {
    let info = map_info(map)?;
    let name = CString::new(variable)?;
    // SAFETY: the BTF is freed at the end, and what is read of it is checked to be there.
    let (offset, size) = unsafe {
        let btf = sys::btf__load_from_kernel_by_id(info.btf_id);
        ensure!(!btf.is_null(), "map {map} has no BTF");
        let section = sys::btf__type_by_id(btf, info.btf_value_type_id);
        let mut found = None;
        if !section.is_null() {
            let count = (*section).info & 0xffff;
            let variables = section.add(1).cast::<sys::btf_var_secinfo>();
            for at in 0..count as usize {
                let var = *variables.add(at);
                let of = sys::btf__type_by_id(btf, var.type_);
                let known = CStr::from_ptr(sys::btf__name_by_offset(btf, (*of).name_off));
                if known == name.as_c_str() {
                    found = Some((var.offset as usize, var.size as usize));
                }
            }
        }
        sys::btf__free(btf);
        found.with_context(|| format!("expected a variable {variable} in {map}, seen none"))?
    };
    let value = MapHandle::from_map_id(info.id)?
        .lookup(&0_u32.to_ne_bytes(), MapFlags::ANY)?
        .with_context(|| format!("expected a value in {map}, seen none"))?;
    value
        .get(offset..offset + size)
        .map(<[u8]>::to_vec)
        .with_context(|| format!("{variable} is not within the value of {map}"))
}

/// The size of a struct of the kernel, and where in it a member is; both in bytes.
pub fn kernel_struct(name: &str, member: &str) -> Result<(u32, u32)> {
    let (name, member) = (CString::new(name)?, CString::new(member)?);
    // SAFETY: the BTF is freed at the end, and what is read of it is checked to be there.
    let (size, offset) = unsafe {
        // Not btf__parse(), which would pull in all of libelf.
        let btf = sys::btf__parse_raw(c"/sys/kernel/btf/vmlinux".as_ptr());
        ensure!(!btf.is_null(), "the kernel's BTF cannot be read");
        let id = sys::btf__find_by_name_kind(btf, name.as_ptr(), sys::BTF_KIND_STRUCT);
        let mut found = None;
        if id > 0 {
            let of = sys::btf__type_by_id(btf, id as u32);
            let members = of.add(1).cast::<sys::btf_member>();
            for at in 0..((*of).info & 0xffff) as usize {
                let candidate = *members.add(at);
                let known = CStr::from_ptr(sys::btf__name_by_offset(btf, candidate.name_off));
                if known == member.as_c_str() {
                    // With bit fields in the struct, the first byte is a size.
                    let bits = candidate.offset & 0xff_ffff;
                    found = Some(((*of).__bindgen_anon_1.size, bits / 8));
                }
            }
        }
        sys::btf__free(btf);
        found.with_context(|| format!("expected {name:?} with {member:?}, seen none"))?
    };
    Ok((size, offset))
}

/// What can be read from an iterator's link, once.
pub fn read_iter(link_id: u32) -> Result<String> {
    // SAFETY: calls without pointers.
    let link = owned(unsafe { sys::bpf_link_get_fd_by_id(link_id) })?;
    // SAFETY: as above.
    let iter = owned(unsafe { sys::bpf_iter_create(link.as_raw_fd()) })?;
    Ok(std::io::read_to_string(fs::File::from(iter))?)
}

/// The type id that [`btf_of_function`] gives its function: after the types of its result and parameter, and its prototype.
pub const BTF_FUNCTION: u32 = 5;

/// BTF with one function `int NAME(struct __sk_buff *skb)`.
pub fn btf_of_function(name: &str) -> Result<OwnedFd> {
    let name = CString::new(name)?;
    // SAFETY: `btf` is the empty BTF made here, freed at the end; names are NUL-terminated.
    let fd = unsafe {
        let btf = sys::btf__new_empty();
        ensure!(!btf.is_null(), "no memory for a BTF");
        let int = sys::btf__add_int(btf, c"int".as_ptr(), 4, sys::BTF_INT_SIGNED as i32);
        let skb = sys::btf__add_struct(btf, c"__sk_buff".as_ptr(), 4);
        let skb = sys::btf__add_ptr(btf, skb);
        let proto = sys::btf__add_func_proto(btf, int);
        sys::btf__add_func_param(btf, c"skb".as_ptr(), skb);
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

/// What libbpf has given: an fd, or an errno below 0.
pub fn owned(fd: i32) -> Result<OwnedFd> {
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
