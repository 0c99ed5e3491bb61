// SPDX-License-Identifier: GPL-2.0

//! The loader: a map for an object's data, and the loader prog, which walks the table in them.
//!
//! It serves any number of objects, one after the other. The prog and what it works on are
//! described in [`abi`](super::abi).

use super::{
    abi,
    advice,
    error::{
        LoadError,
        Step, //
    },
    log::Log,
    object::ObjectDef,
    ops::{
        self,
        Value, //
    }, //
};
use crate::bpf::{
    fd::OwnedFd,
    map::Map,
    prog::Prog,
    syscall::{
        self,
        MapCreate,
        ProgLoad, //
    }, //
};
use core::mem::offset_of;
use kernel::{
    bindings,
    error::to_result,
    prelude::*, //
};

/// The loader prog. See `loader.S`, and `loader.txt` for what it was made into.
const INSNS: &[u8] = if cfg!(target_endian = "little") {
    include_bytes!("loader-little-endian.insns")
} else {
    include_bytes!("loader-big-endian.insns")
};

/// The loader prog and its map, loaded.
///
/// An object that is loaded without one gets its own. A module that loads several can have one made
/// for all of them, and pays for it once.
///
/// It belongs to the task that made it, which has two fds more for as long as it lives.
///
/// # Invariants
///
/// `map` is an array with a value of `size` bytes. What `prog` was loaded as is the loader prog, on
/// that map.
pub struct Loader {
    map: Map,
    size: u32,
    prog: OwnedFd,
    // While they are there, 0 is no fd of what is loaded, unless another task closes them.
    _map: OwnedFd,
}

impl Loader {
    /// A loader for objects with at most as much data as the largest of these.
    ///
    /// # Errors
    ///
    /// A [`LoadError`] that says whether map or prog was refused.
    pub fn new(objects: &[&ObjectDef]) -> Result<Self, LoadError> {
        let (map_fd, map, size) =
            Self::create_map(objects).map_err(|e| Step::CreateLoaderMap.failed(e))?;
        let prog =
            Self::load_prog(&map_fd, &map, size).map_err(|e| Step::LoadLoaderProg.failed(e))?;

        // INVARIANT: checked when they were made.
        Ok(Self {
            map,
            size,
            prog,
            _map: map_fd,
        })
    }

    fn create_map(objects: &[&ObjectDef]) -> Result<(OwnedFd, Map, u32)> {
        let largest = objects.iter().map(|def| def.data.len()).max().unwrap_or(0);
        let size = u32::try_from(largest)?
            .checked_add(abi::SLACK)
            .ok_or(E2BIG)?;
        let fd = syscall::map_create(&MapCreate {
            map_type: bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
            map_name: c"__loader.map",
            key_size: 4,
            value_size: size,
            max_entries: 1,
            // For user space; progs may write to it. Other tasks can have the fd, too.
            map_flags: bindings::BPF_F_RDONLY,
        })?;
        let map = Map::get_from_fd(&fd)?;

        // Another map can be behind the fd by now.
        if map.has_value_of(size as usize) {
            Ok((fd, map, size))
        } else {
            Err(EBADF)
        }
    }

    fn load_prog(map_fd: &OwnedFd, map: &Map, size: u32) -> Result<OwnedFd> {
        let mut insns = KVec::with_capacity(INSNS.len(), GFP_KERNEL)?;

        insns.extend_from_slice(INSNS, GFP_KERNEL)?;
        insns
            .get_mut(abi::LIMIT_AT..)
            .and_then(|insns| insns.first_chunk_mut())
            .map(|limit| *limit = abi::limit(size).to_ne_bytes())
            .ok_or(EINVAL)?;

        let fd = syscall::prog_load(&ProgLoad {
            prog_type: bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL,
            prog_name: c"__loader.prog",
            insns: &insns,
            license: c"GPL",
            prog_flags: bindings::BPF_F_SLEEPABLE,
            fd_array: &[map_fd.as_raw()],
        })?;
        let prog = Prog::get_from_fd(&fd, bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL)?;

        // Another map can have been behind the fd, with other data: it would be taken at its word.
        if prog.uses_first(map) {
            Ok(fd)
        } else {
            Err(EBADF)
        }
    }

    /// Loads `def` with these data, which are its own but for the initial values of globals and the
    /// sizes of maps. Gives the fd of each map, then of each prog, but for callbacks that were left
    /// out; and the value of each struct_ops map.
    ///
    /// With a log, the kernel writes into it what it thinks of the `BPF_PROG_LOAD` or
    /// `BPF_BTF_LOAD` that the log is for.
    ///
    /// # Safety
    ///
    /// `def` must keep the contract of [`Object`](super::Object).
    pub(super) unsafe fn load(
        &self,
        def: &'static ObjectDef,
        data: &[u8],
        log: Option<&Log>,
    ) -> Result<(KVec<Option<OwnedFd>>, KVec<Value>), LoadError> {
        let count = def.maps.len() + def.progs.len();
        let mut fds =
            KVec::with_capacity(count, GFP_KERNEL).map_err(|e| Step::Alloc.failed(e.into()))?;
        let table = self.fill(data, log)?;

        // SAFETY: the map has the data of an object now; the rest is this function's contract.
        unsafe { self.run(def, table) }?;
        let values = self
            .fill_maps(def, data)
            .and_then(|()| ops::lay_out(&self.map, table, def, data));
        let mut values = match values {
            Ok(values) => values,
            Err(e) => {
                // SAFETY: as above.
                unsafe { self.give_up(def, data) };
                return Err(e);
            }
        };
        // SAFETY: as above.
        unsafe { self.run(def, table) }?;

        let is_left_out = |cell: usize| {
            cell.checked_sub(def.maps.len())
                .is_some_and(|prog| ops::is_left_out(def, &values, prog))
        };
        let mut missing = false;
        for cell in 0..count {
            match self.cell(cell) {
                Ok(fd) if fd != abi::NO_FD => {
                    // SAFETY: the loader prog has opened it. Who can change it here can run such a
                    // prog in this task, too.
                    let fd = unsafe { OwnedFd::from_ret(fd as c_int) };
                    missing |=
                        fd.map(|fd| fds.push_within_capacity(Some(fd)).is_err()) != Ok(false);
                }
                Ok(_) if is_left_out(cell) => missing |= fds.push_within_capacity(None).is_err(),
                _ => missing = true,
            }
        }
        if missing {
            return Err(Step::WalkTable.failed(EBADF));
        }
        let progs = fds.get(def.maps.len()..).unwrap_or_default();
        for value in &mut values {
            value
                .set_fds(progs)
                .map_err(|e| Step::WalkTable.failed(e))?;
        }
        Ok((fds, values))
    }

    /// Puts an object's data into the map, with where the kernel's log goes. Gives the offset of
    /// the table.
    fn fill(&self, data: &[u8], log: Option<&Log>) -> Result<u32, LoadError> {
        let failed = |e| Step::FillLoaderMap.failed(e);

        if data.len() > abi::limit(self.size) as usize {
            return Err(failed(E2BIG));
        }
        let table = u32_at(data, offset_of!(abi::head, table)).map_err(failed)?;
        if table as usize > data.len() {
            return Err(failed(EINVAL).with_advice(advice::OTHER_BYTE_ORDER));
        }
        self.map.write(0, data).map_err(failed)?;
        if let Some(log) = log {
            log.write_to(&self.map).map_err(failed)?;
        }
        Ok(table)
    }

    /// Gives the maps that have one their initial value, in their own memory: by fd another map,
    /// with a larger value, could get what is behind ours.
    fn fill_maps(&self, def: &ObjectDef, data: &[u8]) -> Result<(), LoadError> {
        for (index, map_def) in def.maps.iter().enumerate() {
            let Some(value) = map_def.value else {
                continue;
            };
            let fill = || -> Result {
                let map = Map::get_from_number(self.cell(index)?)?;
                let value = data
                    .get(value as usize..)
                    .and_then(|data| data.get(..map_def.value_size as usize))
                    .ok_or(EINVAL)?;

                if !map.has_value_of(value.len()) {
                    return Err(EBADF);
                }
                map.write(0, value)
            };

            fill().map_err(|e| Step::FillMap(map_def.name).failed(e))?;
        }
        Ok(())
    }

    /// Runs the loader prog on what is in the map, until the next end of the table.
    ///
    /// # Safety
    ///
    /// The map must have the data of `def`, with the contract of [`Object`](super::Object).
    unsafe fn run(&self, def: &ObjectDef, table: u32) -> Result<(), LoadError> {
        let mut ctx = [0; size_of::<abi::ctx>() / size_of::<u32>()];
        // SAFETY: by the type invariants it is the loader prog on this map. The addresses that it
        // passes on lie within the map, by this function's contract.
        let ret = unsafe { syscall::prog_run(&self.prog, &mut ctx) }
            .map_err(|e| Step::RunLoaderProg.failed(e))?;

        to_result(ret).map_err(|e| {
            abi::failed_record(table, ctx[offset_of!(abi::ctx, failed) / size_of::<u32>()])
                .and_then(|record| Step::of_record(def, record))
                .unwrap_or(Step::WalkTable)
                .failed(e)
        })
    }

    /// Has the loader prog close what it has opened.
    ///
    /// # Safety
    ///
    /// As [`Self::run`].
    unsafe fn give_up(&self, def: &ObjectDef, data: &[u8]) {
        let closed = u32_at(data, offset_of!(abi::head, cleanup))
            .and_then(|cleanup| {
                self.map
                    .write(offset_of!(abi::head, table), &cleanup.to_ne_bytes())
            })
            // SAFETY: by this function's contract.
            .is_ok_and(|()| unsafe { self.run(def, 0) }.is_ok());

        if !closed {
            pr_warn!("lskel: {}: fds are left open\n", def.name);
        }
    }

    /// What is in a cell: the fd of a map, or, after them, of a prog.
    fn cell(&self, index: usize) -> Result<u32> {
        self.map
            .read_u32(abi::CELLS as usize + index * size_of::<u32>())
    }
}

/// The integer at an offset of the data.
fn u32_at(data: &[u8], offset: usize) -> Result<u32> {
    let bytes = data
        .get(offset..)
        .and_then(|data| data.first_chunk())
        .ok_or(EINVAL)?;

    Ok(u32::from_ne_bytes(*bytes))
}
