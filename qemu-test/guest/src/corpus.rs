// SPDX-License-Identifier: GPL-2.0
//! Hands each file of the corpus to lskel_blob.ko and reports whether it was loaded. Where there is one for
//! libbpf's own loader prog beside it, that has to leave the kernel in the same state.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::mem::{size_of, size_of_val};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::{bail, ensure, Context, Result};
use libbpf_rs::libbpf_sys as sys;
use libbpf_rs::{MapCore, MapFlags, MapHandle};
use scenarios::{CORPUS_DIR, CORPUS_TESTMOD, KTAP_PORT, LIBBPFS, MODULE_DIR, SAME_STATE};

use crate::bpf::Ids;
use crate::kernel::{self, eventually};
use crate::ktap::Ktap;

/// One test for each file, by its name.
pub fn run() -> Result<()> {
    let mut ktap = Ktap::hello(KTAP_PORT)?;
    kernel::insmod(&format!("{MODULE_DIR}/lskel_blob.ko"))?.context("loading lskel_blob.ko")?;
    if Path::new(CORPUS_TESTMOD).exists() {
        kernel::insmod(CORPUS_TESTMOD)?.with_context(|| format!("loading {CORPUS_TESTMOD}"))?;
    }
    let mut device = OpenOptions::new()
        .write(true)
        .open("/dev/lskel_blob")
        .context("/dev/lskel_blob")?;
    let mut names = fs::read_dir(CORPUS_DIR)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>>>()?;
    names.retain(|name| !name.ends_with(LIBBPFS));
    names.sort();
    ktap.line(&format!("1..{}", names.len()))?;
    for (index, name) in names.iter().enumerate() {
        match one(&mut device, name) {
            Ok(same) => {
                if same {
                    ktap.line(&format!("# {SAME_STATE}"))?;
                }
                ktap.line(&format!("ok {} {name}", index + 1))?;
            }
            Err(why) => {
                ktap.line(&format!("# {why:#}"))?;
                ktap.line(&format!("not ok {} {name}", index + 1))?;
            }
        }
    }
    Ok(())
}

/// Whether it was loaded by libbpf's loader prog, too.
fn one(device: &mut fs::File, name: &str) -> Result<bool> {
    let file = Path::new(CORPUS_DIR).join(name);
    let theirs = Path::new(CORPUS_DIR).join(format!("{name}{LIBBPFS}"));
    if !theirs.exists() {
        return load(device, &file).map(|()| false);
    }
    let ours = state_after(device, &file)?;
    // Some that libbpf's loader prog gets wrong ours gets right.
    let Ok(theirs) = state_after(device, &theirs) else {
        return Ok(false);
    };
    ensure!(
        ours == theirs,
        "libbpf's loader leaves another state: it has {:?} in place of {:?}",
        theirs.difference(&ours).collect::<Vec<_>>(),
        ours.difference(&theirs).collect::<Vec<_>>()
    );
    Ok(true)
}

/// One write is one object, and the module takes all of it or refuses it.
fn load(device: &mut fs::File, request: &Path) -> Result<()> {
    let Err(error) = device.write_all(&fs::read(request)?) else {
        return Ok(());
    };
    // lskel_blob says why in its last line.
    let line = kernel::dmesg()?
        .into_iter()
        .rev()
        .find_map(|line| line.strip_prefix("lskel_blob: ").map(str::to_owned));
    bail!("{}", line.unwrap_or_else(|| error.to_string()))
}

/// What an object has put into the kernel: a line for each prog and each map.
fn state_after(device: &mut fs::File, request: &Path) -> Result<BTreeSet<String>> {
    // An empty request gives up what the one before has loaded.
    let _ = device.write_all(&[0]);
    let before = Ids::now();
    load(device, request)?;
    let mut new = Ids::default();
    // The loader's own go late.
    eventually(|| {
        new = Ids::now().since(&before);
        for id in &new.maps {
            ensure!(map_info(*id)?.1 != "__loader.map", "the loader is there");
        }
        Ok(())
    })?;
    let mut maps = BTreeMap::new();
    for id in &new.maps {
        maps.insert(*id, map_info(*id)?.1);
    }
    let mut state = BTreeSet::new();
    for id in &new.maps {
        state.insert(map_state(*id, &maps)?);
    }
    for id in &new.progs {
        state.insert(prog_state(*id, &maps)?);
    }
    Ok(state)
}

fn name(raw: &[std::ffi::c_char]) -> String {
    let bytes = raw.iter().map(|c| *c as u8).take_while(|c| *c != 0);
    String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned()
}

fn map_info(id: u32) -> Result<(sys::bpf_map_info, String, OwnedFd)> {
    let mut info = sys::bpf_map_info::default();
    let mut size = size_of_val(&info) as u32;
    // SAFETY: it returns a new fd or an errno; the kernel fills `size` bytes.
    let fd = unsafe {
        let fd = sys::bpf_map_get_fd_by_id(id);
        ensure!(fd >= 0, "map {id}: {fd}");
        let fd = OwnedFd::from_raw_fd(fd);
        let ret = sys::bpf_map_get_info_by_fd(fd.as_raw_fd(), &mut info, &mut size);
        ensure!(ret == 0, "map {id}: {ret}");
        fd
    };
    let name = name(&info.name);
    Ok((info, name, fd))
}

fn map_state(id: u32, names: &BTreeMap<u32, String>) -> Result<String> {
    let (info, name, fd) = map_info(id)?;
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
    let frozen = about
        .lines()
        .any(|line| line.split_whitespace().eq(["frozen:", "1"]));
    let mut state = format!(
        "map {name}: type {} key {} value {} max {} flags {:#x} extra {:#x} frozen {frozen}",
        info.type_,
        info.key_size,
        info.value_size,
        info.max_entries,
        info.map_flags,
        info.map_extra
    );
    let contents = MapHandle::from_map_id(id)?;
    let values =
        (0..info.max_entries.min(16)).map(|key| contents.lookup(&key.to_ne_bytes(), MapFlags::ANY));
    match info.type_ {
        sys::BPF_MAP_TYPE_ARRAY => {
            for value in values {
                let mut value = value?.unwrap_or_default();
                // A list's head comes with the address of the copy.
                for word in value.chunks_exact_mut(8).filter(|word| word[7] == 0xff) {
                    word.fill(0);
                }
                // FNV, for a line that fits.
                let sum = value.iter().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
                    (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
                });
                state += &format!(" {sum:016x}");
            }
        }
        sys::BPF_MAP_TYPE_ARRAY_OF_MAPS => {
            for value in values.flatten().flatten() {
                let id = value.first_chunk().map(|id| u32::from_ne_bytes(*id));
                state += &format!(" {:?}", id.and_then(|id| names.get(&id)));
            }
        }
        _ => {}
    }
    Ok(state)
}

fn prog_state(id: u32, maps: &BTreeMap<u32, String>) -> Result<String> {
    let mut ids = [0_u32; 64];
    let mut info = sys::bpf_prog_info {
        nr_map_ids: ids.len() as u32,
        map_ids: ids.as_mut_ptr() as u64,
        ..Default::default()
    };
    let mut size = size_of::<sys::bpf_prog_info>() as u32;
    // SAFETY: it returns a new fd or an errno; the kernel fills `size` bytes, and `nr_map_ids` ids.
    unsafe {
        let fd = sys::bpf_prog_get_fd_by_id(id);
        ensure!(fd >= 0, "prog {id}: {fd}");
        let fd = OwnedFd::from_raw_fd(fd);
        let ret = sys::bpf_prog_get_info_by_fd(fd.as_raw_fd(), &mut info, &mut size);
        ensure!(ret == 0, "prog {id}: {ret}");
    }
    let count = ids.len().min(info.nr_map_ids as usize);
    let mut used: Vec<_> = ids[..count].iter().map(|id| maps.get(id)).collect();
    used.sort();
    Ok(format!(
        "prog {}: type {} tag {:016x} jited {} xlated {} verified {} target {} of {} maps {used:?}",
        name(&info.name),
        info.type_,
        u64::from_be_bytes(info.tag),
        info.jited_prog_len,
        info.xlated_prog_len,
        info.verified_insns,
        info.attach_btf_id,
        info.attach_btf_obj_id,
    ))
}
