// SPDX-License-Identifier: GPL-2.0

//! The loader: a map for an object's data, and the loader prog, which walks the table in them.
//!
//! It serves any number of objects, one after the other. The prog and what it works on are
//! described in [`abi`].

use super::{
    abi,
    advice,
    error::{
        eopnotsupp,
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
    prog::{
        Prog,
        Verdict, //
    },
    syscall::{
        self,
        MapCreate,
        ProgLoad,
        Signature, //
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
/// that map. If `verdict` says that it is signed, the map has the data that were signed, and only
/// the prog writes to it.
pub struct Loader {
    map: Map,
    size: u32,
    prog: OwnedFd,
    verdict: Verdict,
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
        let largest = objects.iter().map(|def| def.data.len()).max().unwrap_or(0);
        let create = || {
            let size = value_size(largest)?;
            // For user space; progs may write to it. Other tasks can have the fd, too.
            let fd = syscall::map_create(&map_of(size, bindings::BPF_F_RDONLY))?;

            Ok((size, Self::get_map(&fd, size)?, fd))
        };
        let (size, map, map_fd) = create().map_err(|e| Step::CreateLoaderMap.failed(e))?;
        let load = || {
            let insns = insns(size)?;
            let prog = syscall::prog_load(&prog_of(&insns, &[map_fd.as_raw()]))?;

            Ok((Self::check_prog(&prog, &map)?, prog))
        };
        let (verdict, prog) = load().map_err(|e| Step::LoadLoaderProg.failed(e))?;

        // INVARIANT: checked when they were made.
        Ok(Self {
            map,
            size,
            prog,
            verdict,
            _map: map_fd,
        })
    }

    /// A loader for the object with these data, which are signed together with the loader prog. It
    /// is good for one load.
    ///
    /// # Errors
    ///
    /// A [`LoadError`]; the kernel has the last word on the signature.
    pub(super) fn signed(data: &[u8], signature: &Signature<'_>) -> Result<Self, LoadError> {
        let refused = |e| Step::LoadSignedLoader.failed(e);

        if !syscall::SIGNATURES_COVER_MAPS {
            return Err(refused(eopnotsupp()).with_advice(advice::OLD_SIGNATURES));
        }
        table_of(data)?;
        let create = || {
            let size = value_size(data.len())?;
            let insns = insns(size)?;
            // Who may not write to it by fd cannot freeze it.
            let fd = syscall::map_create_for(&map_of(size, 0), &insns)?;

            Ok((insns, size, Self::get_map(&fd, size)?, fd))
        };
        let (insns, size, map, map_fd) = create().map_err(|e| Step::CreateLoaderMap.failed(e))?;

        map.write(0, data)
            .and_then(|()| syscall::map_freeze(&map_fd))
            .map_err(|e| Step::FillLoaderMap.failed(e))?;
        let prog = syscall::prog_load_signed(&prog_of(&insns, &[map_fd.as_raw()]), signature)
            .map_err(|e| refused(e).advise_on_signature(signature))?;
        let verdict = Self::check_prog(&prog, &map).map_err(refused)?;

        if verdict == Verdict::Unsigned {
            return Err(refused(EBADF));
        }
        // INVARIANT: the kernel has verified the values of the prog's maps, of which this is the
        // first. User space cannot write to it, as it was frozen then, and other progs cannot, as
        // it was exclusive. Nothing here does.
        Ok(Self {
            map,
            size,
            prog,
            verdict,
            _map: map_fd,
        })
    }

    fn get_map(fd: &OwnedFd, size: u32) -> Result<Map> {
        let map = Map::get_from_fd(fd)?;

        // Another map can be behind the fd by now.
        if map.has_value_of(size as usize) {
            Ok(map)
        } else {
            Err(EBADF)
        }
    }

    /// Checks what was loaded, and gives the kernel's verdict on its signature.
    fn check_prog(fd: &OwnedFd, map: &Map) -> Result<Verdict> {
        let prog = Prog::get_from_fd(fd, bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL)?;

        // Another map can have been behind the fd, with other data: it would be taken at its word.
        if prog.uses_first(map) {
            Ok(prog.verdict())
        } else {
            Err(EBADF)
        }
    }

    /// What the kernel says of the loader prog's signature.
    pub(super) fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Loads `def` with these data, which are its own but for the initial values of globals and the
    /// sizes of maps. Gives the fd of each map, then of each prog.
    ///
    /// Callbacks that were left out have none. The value of each struct_ops map comes after that.
    /// `HAS_OPS` is whether the object has any: what lays them out is left out of modules without.
    ///
    /// With a log, the kernel writes into it what it thinks of the `BPF_PROG_LOAD` or
    /// `BPF_BTF_LOAD` that the log is for.
    ///
    /// # Safety
    ///
    /// `def` must keep the contract of [`Object`](super::Object).
    pub(super) unsafe fn load<const HAS_OPS: bool>(
        &self,
        def: &'static ObjectDef,
        data: &[u8],
        log: Option<&Log>,
    ) -> Result<(KVec<Option<OwnedFd>>, KVec<Value>), LoadError> {
        let fds = room_for_fds(def)?;
        let table = self.fill(data, log)?;

        // SAFETY: the map has the data of an object now; the rest is this function's contract.
        unsafe { self.run(def, table) }?;
        let values = self.fill_maps(def, Some(data)).and_then(|()| {
            if HAS_OPS {
                ops::lay_out(&self.map, table, def, data)
            } else {
                Ok(KVec::new())
            }
        });
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
        let fds = self.take_fds::<HAS_OPS>(def, fds, &mut values)?;

        Ok((fds, values))
    }

    /// Loads `def` with the data that are in the map. Gives the same fds.
    ///
    /// # Safety
    ///
    /// As [`Self::load`]; the loader must have been made by [`Self::signed`] of the data of `def`.
    pub(super) unsafe fn load_signed(
        self,
        def: &'static ObjectDef,
    ) -> Result<KVec<Option<OwnedFd>>, LoadError> {
        if def.ops.is_some() {
            // What the kernel's layout is would have to be written into what is signed.
            return Err(Step::RunLayout
                .failed(eopnotsupp())
                .with_advice(advice::SIGNED_OPS));
        }
        let fds = room_for_fds(def)?;
        let table = self
            .map
            .read_u32(offset_of!(abi::head, table))
            .map_err(|e| Step::WalkTable.failed(e))?;

        // SAFETY: the map has the data of an object; the rest is this function's contract.
        unsafe { self.run(def, table) }?;
        let filled = self.fill_maps(def, None);
        // Where that failed it goes on all the same, as nothing here writes to the map, and what is
        // open at the end is closed.
        // SAFETY: as above.
        unsafe { self.run(def, table) }?;
        let fds = self.take_fds::<false>(def, fds, &mut KVec::new())?;

        filled.map(|()| fds)
    }

    /// Takes the fds that the loader prog has left.
    ///
    /// Those of callbacks are put into the values.
    fn take_fds<const HAS_OPS: bool>(
        &self,
        def: &ObjectDef,
        mut fds: KVec<Option<OwnedFd>>,
        values: &mut KVec<Value>,
    ) -> Result<KVec<Option<OwnedFd>>, LoadError> {
        let count = def.maps.len() + def.progs.len();
        let is_left_out = |cell: usize| {
            HAS_OPS
                && cell
                    .checked_sub(def.maps.len())
                    .is_some_and(|prog| ops::is_left_out(def, values, prog))
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
        if HAS_OPS {
            let progs = fds.get(def.maps.len()..).unwrap_or_default();

            for value in values {
                value
                    .set_fds(progs)
                    .map_err(|e| Step::WalkTable.failed(e))?;
            }
        }
        Ok(fds)
    }

    /// Puts an object's data into the map, with where the kernel's log goes. Gives the offset of
    /// the table.
    fn fill(&self, data: &[u8], log: Option<&Log>) -> Result<u32, LoadError> {
        let failed = |e| Step::FillLoaderMap.failed(e);

        if data.len() > abi::limit(self.size) as usize {
            return Err(failed(E2BIG));
        }
        let table = table_of(data)?;
        self.map.write(0, data).map_err(failed)?;
        if let Some(log) = log {
            log.write_to(&self.map).map_err(failed)?;
        }
        Ok(table)
    }

    /// Gives the maps that have one their initial value, in their own memory: by fd another map,
    /// with a larger value, could get what is behind ours. The values are taken from `data` or, if
    /// there are none, from the loader's map.
    fn fill_maps(&self, def: &ObjectDef, data: Option<&[u8]>) -> Result<(), LoadError> {
        for (index, map_def) in def.maps.iter().enumerate() {
            let Some(value) = map_def.value else {
                continue;
            };
            let fill = || -> Result {
                let map = Map::get_from_number(self.cell(index)?)?;
                let (at, size) = (value as usize, map_def.value_size as usize);
                let verified;
                let value = match data {
                    Some(data) => data
                        .get(at..)
                        .and_then(|data| data.get(..size))
                        .ok_or(EINVAL)?,
                    None => {
                        verified = self.map.read(at, size)?;
                        &verified
                    }
                };

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

/// Room for the fds of an object, so that nothing can fail once they are open.
fn room_for_fds(def: &ObjectDef) -> Result<KVec<Option<OwnedFd>>, LoadError> {
    KVec::with_capacity(def.maps.len() + def.progs.len(), GFP_KERNEL)
        .map_err(|e| Step::Alloc.failed(e.into()))
}

/// The size of a map's value for so many bytes of data.
fn value_size(len: usize) -> Result<u32> {
    u32::try_from(len)?.checked_add(abi::SLACK).ok_or(E2BIG)
}

fn map_of(value_size: u32, map_flags: u32) -> MapCreate<'static> {
    MapCreate {
        map_type: bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
        map_name: c"__loader.map",
        key_size: 4,
        value_size,
        max_entries: 1,
        map_flags,
    }
}

fn prog_of<'a>(insns: &'a [u8], fd_array: &'a [u32]) -> ProgLoad<'a> {
    ProgLoad {
        prog_type: bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL,
        prog_name: c"__loader.prog",
        insns,
        license: c"GPL",
        prog_flags: bindings::BPF_F_SLEEPABLE,
        fd_array,
    }
}

/// The loader prog for a map with values of this size.
fn insns(value_size: u32) -> Result<KVec<u8>> {
    let mut insns = KVec::with_capacity(INSNS.len(), GFP_KERNEL)?;

    insns.extend_from_slice(INSNS, GFP_KERNEL)?;
    insns
        .get_mut(abi::LIMIT_AT..)
        .and_then(|insns| insns.first_chunk_mut())
        .map(|limit| *limit = abi::limit(value_size).to_ne_bytes())
        .ok_or(EINVAL)?;
    Ok(insns)
}

/// The offset of the table of these data.
fn table_of(data: &[u8]) -> Result<u32, LoadError> {
    let failed = |e| Step::FillLoaderMap.failed(e);
    let table = u32_at(data, offset_of!(abi::head, table)).map_err(failed)?;

    if table as usize > data.len() {
        return Err(failed(EINVAL).with_advice(advice::OTHER_BYTE_ORDER));
    }
    Ok(table)
}

/// The integer at an offset of the data.
fn u32_at(data: &[u8], offset: usize) -> Result<u32> {
    let bytes = data
        .get(offset..)
        .and_then(|data| data.first_chunk())
        .ok_or(EINVAL)?;

    Ok(u32::from_ne_bytes(*bytes))
}
