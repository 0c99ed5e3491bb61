// SPDX-License-Identifier: GPL-2.0

//! The skeleton of an object, in the state that it is in.

use super::{
    abi::{
        bpf_loader_ctx,
        bpf_map_desc,
        bpf_prog_desc,
        BPF_SKEL_KERNEL, //
    },
    fields::Fields,
    global::{
        Globals,
        Section,
        Shared, //
    },
    loader::{
        load_and_run,
        LoadError,
        Step, //
    },
    log::{
        explain,
        log_about,
        worth_another_try,
        Log, //
    },
    prog::Prog, //
};
use crate::bpf::{
    fd::{
        KeptOpen,
        OwnedFd, //
    },
    link::Link,
    syscall, //
};
use core::borrow::Borrow;
use kernel::{
    bindings,
    prelude::*, //
};

/// A BPF object as `lskel-gen` emits it.
///
/// # Safety
///
/// `DATA` and `INSNS` are one output of libbpf's gen_loader, in the machine's byte order. Run on a
/// context that has a descriptor for each field of `Maps` and then of `Progs`, the loader prog
/// writes fds that it has opened into them. It names one fd, index 0: a map with one value, `DATA`.
/// The addresses that it passes to the kernel lie in that value or come from the context. `MAPS`
/// and `PROGS` say of each map and prog what it is.
pub unsafe trait Object: Sized {
    /// A field for each map.
    type Maps: Fields;
    /// A field for each prog.
    type Progs: Fields;
    /// A [`Section`] for each section of globals.
    type Sections: 'static;

    /// The object's name.
    const NAME: &'static CStr;
    /// What the loader prog works on.
    const DATA: &'static [u8];
    /// The loader prog.
    const INSNS: &'static [u8];
    /// What the object says of its maps.
    const MAPS: <Self::Maps as Fields>::Of<MapDef>;
    /// What the object says of its progs.
    const PROGS: <Self::Progs as Fields>::Of<ProgDef>;
    /// The progs that are in a prog array from the start, as `values` of the map names them.
    const PROG_ARRAY_SLOTS: &'static [ProgArraySlot] = &[];
    /// Where the globals are.
    const SECTIONS: Self::Sections;
}

/// What an object says of a map.
#[derive(Clone, Copy)]
pub struct MapDef {
    /// The map's name in the kernel.
    pub name: &'static CStr,
    /// A `BPF_MAP_TYPE_*`.
    pub map_type: bindings::bpf_map_type,
    /// Size of a key, in bytes.
    pub key_size: u32,
    /// Size of a value, in bytes.
    pub value_size: u32,
    /// In elements.
    pub max_entries: u32,
}

/// What an object says of a prog.
#[derive(Clone, Copy)]
pub struct ProgDef {
    /// The prog's function.
    pub name: &'static CStr,
    /// The ELF section, which tells what the prog attaches to.
    pub section: &'static CStr,
    /// A `BPF_PROG_TYPE_*`.
    pub prog_type: bindings::bpf_prog_type,
    /// A `BPF_*` attach type.
    pub expected_attach_type: bindings::bpf_attach_type,
    /// Where the `bpf_attr` of its load is in the object's data, in bytes.
    pub load_attr: u32,
    /// What the loader prog looks up in the kernel for it, and where in the object's data (in
    /// bytes) it puts what it finds.
    pub lookups: &'static [(&'static CStr, u32)],
}

/// A prog in a prog array: the loader prog leaves these empty.
///
/// The kernel empties a prog array when nobody has it open any more, and a skeleton closes it when
/// it goes. For tail calls from progs that stay attached after that, hold it open:
/// [`Skeleton::keep_open`].
pub struct ProgArraySlot {
    /// Which field of `Maps` the array is, counted from 0.
    pub map: usize,
    /// The key.
    pub index: u32,
    /// Which field of `Progs` the prog is, counted from 0.
    pub prog: usize,
}

/// A `T` for each map of `O`.
type MapsOf<O, T> = <<O as Object>::Maps as Fields>::Of<T>;
/// A `T` for each prog of `O`.
type ProgsOf<O, T> = <<O as Object>::Progs as Fields>::Of<T>;

/// The context of an object's loader prog. Made of integers only: any bytes will do.
#[repr(C)]
struct Ctx<O: Object> {
    head: bpf_loader_ctx,
    maps: MapsOf<O, bpf_map_desc>,
    progs: ProgsOf<O, bpf_prog_desc>,
}

impl<O: Object> Ctx<O> {
    fn new(max_entries: &MapsOf<O, u32>, log: Option<&Log>) -> Self {
        Self {
            head: bpf_loader_ctx {
                // A few dozen bytes a map: `load_and_run` is refused long before this wraps.
                sz: size_of::<Self>() as u32,
                flags: BPF_SKEL_KERNEL,
                log_level: log.map_or(0, Log::level),
                log_size: log.map_or(0, Log::size),
                log_buf: log.map_or(0, Log::addr),
            },
            maps: O::Maps::map(O::Maps::as_ref(max_entries), |&max_entries| bpf_map_desc {
                max_entries,
                ..Default::default()
            }),
            progs: O::Progs::map(O::PROGS, |_| bpf_prog_desc::default()),
        }
    }
}

/// State of a [`Skeleton`]: nothing of the object is in the kernel.
pub struct Open<O: Object> {
    max_entries: MapsOf<O, u32>,
    /// The object's data, where it was changed.
    data: Option<KVVec<u8>>,
    log_level: u32,
}

/// State of a [`Skeleton`]: its maps and progs are in the kernel.
pub struct Loaded<O: Object> {
    maps: MapsOf<O, OwnedFd>,
    progs: ProgsOf<O, OwnedFd>,
}

/// State of a [`Skeleton`]: its progs are attached.
pub struct Attached<O: Object> {
    loaded: Loaded<O>,
    links: ProgsOf<O, Link>,
}

/// An object on its way into the kernel: [`Open`], then [`Loaded`], then [`Attached`].
///
/// What a skeleton has opened is closed when it is dropped, in whatever state it is. It belongs to
/// the task that loads it.
pub struct Skeleton<S>(S);

impl<O: Object> Skeleton<Open<O>> {
    /// The object as it was generated.
    pub fn open() -> Self {
        Self(Open {
            max_entries: O::Maps::map(O::MAPS, |_| 0),
            data: None,
            log_level: 1,
        })
    }

    /// If the load fails, it is run again for the kernel's log, whose end goes to dmesg. This is
    /// the log's level, in the words of `BPF_PROG_LOAD`: 1, where this starts, for what the
    /// verifier does, 2 for more of it.
    ///
    /// The value of a module parameter will do: newer kernels hand it out, older ones lend it.
    pub fn log_level(mut self, level: impl Borrow<u32>) -> Self {
        self.0.log_level = *level.borrow();
        self
    }

    /// The `max_entries` of each map, in elements; 0 is what the object says.
    pub fn max_entries_mut(&mut self) -> &mut MapsOf<O, u32> {
        &mut self.0.max_entries
    }

    /// The initial value of a section of globals, to be changed.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if the section is not within the object's data.
    pub fn globals_mut<T: Globals>(
        &mut self,
        section: impl FnOnce(&O::Sections) -> &Section<O, T>,
    ) -> Result<&mut T, LoadError> {
        let failed = LoadError::at(Step::Globals(O::NAME));
        let data = match &mut self.0.data {
            Some(data) => data,
            none => {
                let mut data = KVVec::new();
                if let Err(e) = data.extend_from_slice(O::DATA, GFP_KERNEL) {
                    return Err(failed(e.into()));
                }
                none.insert(data)
            }
        };

        section(&O::SECTIONS)
            .within(data)
            .ok_or(EINVAL)
            .map_err(failed)
    }

    /// Creates the maps and loads the progs.
    ///
    /// # Errors
    ///
    /// A [`LoadError`]: nothing of the object is left in the kernel then. What the kernel has
    /// logged of the prog that it refused is in dmesg.
    pub fn load(self) -> Result<Skeleton<Loaded<O>>, LoadError> {
        let mut left = KVVec::new();
        let mut ctx = self.run(None, &mut left);
        if ctx.as_ref().is_err_and(worth_another_try) {
            ctx = self.run(None, &mut left);
        }
        let ctx = ctx.map_err(|e| {
            let error = explain::<O>(e, &left);
            self.log(&error);
            error
        })?;

        // All of them are ours before the first that is missing can end this.
        let (maps, progs) = take_fds(&ctx);
        let maps = O::Maps::try_map(O::Maps::zip(maps, O::MAPS), |(fd, def)| {
            fd.map_err(LoadError::at(Step::TakeFd(def.name)))
        })?;
        let progs = O::Progs::try_map(O::Progs::zip(progs, O::PROGS), |(fd, def)| {
            fd.map_err(LoadError::at(Step::TakeFd(def.name)))
        })?;

        let loaded = Loaded { maps, progs };
        loaded.fill_prog_arrays()?;
        Ok(Skeleton(loaded))
    }

    /// Runs the loader prog once more, and puts into dmesg what the kernel logs of the error that
    /// it ended with. With a log that it has no room for, the kernel refuses what it would accept:
    /// no other run has one.
    fn log(&self, error: &LoadError) {
        let Some(about) = log_about(error) else {
            return;
        };
        // Without memory for a log there is none.
        let Ok(log) = Log::new(self.0.log_level.max(1)) else {
            return;
        };
        let mut left = KVVec::new();

        match self.run(Some(&log), &mut left) {
            Ok(ctx) => drop(take_fds(&ctx)),
            Err(e) if explain::<O>(e, &left).step() == error.step() => log.print(O::NAME, about),
            Err(_) => {}
        }
    }

    /// Runs the loader prog, which leaves fds in the context that it returns.
    fn run(&self, log: Option<&Log>, left: &mut KVVec<u8>) -> Result<KBox<Ctx<O>>, LoadError> {
        let data = self.0.data.as_deref().unwrap_or(O::DATA);
        let mut ctx = KBox::new(Ctx::<O>::new(&self.0.max_entries, log), GFP_KERNEL)
            .map_err(|e| LoadError::at(Step::Alloc)(e.into()))?;
        let size = ctx.head.sz;

        // SAFETY: `data` is as it was generated but for the initial values of globals, which the
        // loader prog hands on unread; the context starts with its head, has `size` bytes, and any
        // bytes will do for it.
        unsafe { load_and_run(data, O::INSNS, &raw mut *ctx, size, left) }?;
        Ok(ctx)
    }
}

/// Takes over the fds that a loader prog has left in its context.
fn take_fds<O: Object>(ctx: &Ctx<O>) -> (MapsOf<O, Result<OwnedFd>>, ProgsOf<O, Result<OwnedFd>>) {
    (
        O::Maps::map(O::Maps::as_ref(&ctx.maps), |desc| take_fd(desc.map_fd)),
        O::Progs::map(O::Progs::as_ref(&ctx.progs), |desc| take_fd(desc.prog_fd)),
    )
}

/// The field that has `n` fields before it.
fn nth<F: Fields, T>(fields: F::Of<T>, n: usize) -> Option<T> {
    let mut at = 0;
    let mut found = None;

    let _ = F::map(fields, |field| {
        if at == n {
            found = Some(field);
        }
        at += 1;
    });
    found
}

/// Takes over an fd that a loader prog has left in its context, where 0 means none. `EBADF` for
/// none.
fn take_fd(fd: i32) -> Result<OwnedFd> {
    if fd <= 0 {
        return Err(EBADF);
    }
    // SAFETY: by the contract of `Object` the loader prog has opened it, and nothing else knows of
    // it.
    unsafe { OwnedFd::from_ret(fd) }
}

impl<O: Object> Loaded<O> {
    /// Puts progs into the prog arrays that have them from the start.
    fn fill_prog_arrays(&self) -> Result<(), LoadError> {
        for slot in O::PROG_ARRAY_SLOTS {
            let map =
                nth::<O::Maps, _>(O::Maps::zip(O::Maps::as_ref(&self.maps), O::MAPS), slot.map);
            let prog = nth::<O::Progs, _>(O::Progs::as_ref(&self.progs), slot.prog);
            let (Some((map, def)), Some(prog)) = (map, prog) else {
                return Err(LoadError::at(Step::TakeFd(O::NAME))(EINVAL));
            };
            let key = slot.index.to_ne_bytes();
            let value = prog.as_raw().to_ne_bytes();

            if (def.key_size, def.value_size) != (4, 4) {
                return Err(LoadError::at(Step::FillProgArray(def.name))(EINVAL));
            }
            // SAFETY: these are the sizes of the map's keys and values, by the contract of
            // `Object`.
            unsafe { syscall::map_update_elem(map, &key, &value) }
                .map_err(LoadError::at(Step::FillProgArray(def.name)))?;
        }
        Ok(())
    }

    fn progs(&self) -> ProgsOf<O, Prog<'_>> {
        let progs = O::Progs::zip(O::Progs::as_ref(&self.progs), O::PROGS);

        O::Progs::map(progs, |(fd, def)| Prog { fd, def })
    }
}

impl<O: Object> Skeleton<Loaded<O>> {
    /// The fd of each map.
    pub fn maps(&self) -> &MapsOf<O, OwnedFd> {
        &self.0.maps
    }

    /// Each prog, to be attached by itself.
    pub fn progs(&self) -> ProgsOf<O, Prog<'_>> {
        self.0.progs()
    }

    /// A section of globals, as the progs have it now. It outlives the skeleton.
    ///
    /// # Errors
    ///
    /// `EBADF` or `EINVAL` if another thread of the task has put something else in the map's place.
    pub fn globals<T: Globals>(
        &self,
        section: impl FnOnce(&O::Sections) -> &Section<O, T>,
    ) -> Result<Shared<T>, LoadError> {
        section(&O::SECTIONS)
            .of(&self.0.maps)
            .map_err(LoadError::at(Step::Globals(O::NAME)))
    }

    /// Holds a map open beyond the skeleton, for what [`KeptOpen`] says of prog arrays and timers.
    ///
    /// # Errors
    ///
    /// `EBADF` if another thread of the task has closed the map's fd.
    pub fn keep_open(
        &self,
        map: impl FnOnce(&MapsOf<O, OwnedFd>) -> &OwnedFd,
    ) -> Result<KeptOpen, LoadError> {
        map(&self.0.maps)
            .keep_open()
            .map_err(LoadError::at(Step::TakeFd(O::NAME)))
    }

    /// Attaches each prog.
    ///
    /// # Errors
    ///
    /// A [`LoadError`] that names the prog, as from [`Prog::attach`]. Nothing is attached then, and
    /// nothing of the object is left in the kernel.
    pub fn attach(self) -> Result<Skeleton<Attached<O>>, LoadError> {
        let links = O::Progs::try_map(self.progs(), |prog| prog.attach())?;

        Ok(Skeleton(Attached {
            loaded: self.0,
            links,
        }))
    }
}

impl<O: Object> Skeleton<Attached<O>> {
    /// Takes the links out and closes everything else. What is attached stays so, with the maps
    /// that it uses, for as long as its link lives. Prog arrays and timers want more than that: see
    /// [`Skeleton::keep_open`].
    pub fn into_links(self) -> ProgsOf<O, Link> {
        let Attached { loaded, links } = self.0;

        drop(loaded);
        links
    }
}
