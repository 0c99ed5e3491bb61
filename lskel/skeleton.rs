// SPDX-License-Identifier: GPL-2.0

//! The skeleton of an object: first [`Skeleton`], then [`Loaded`].

use super::{
    error::{
        ebadmsg,
        LoadError,
        Step, //
    },
    global::{
        within,
        Globals,
        Section,
        Shared, //
    },
    loader::Loader,
    log::Log,
    object::{
        MapId,
        Object,
        ObjectDef,
        ProgId, //
    },
    prog::{
        AnyProg,
        Kind,
        Prog, //
    }, //
};
use crate::bpf::{
    fd::{
        KeptOpen,
        OwnedFd, //
    },
    link::Link, //
};
use core::{
    marker::PhantomData,
    mem::offset_of, //
};
use kernel::{
    bindings,
    prelude::*, //
};

/// An object of which nothing is in the kernel yet.
///
/// # Invariants
///
/// `def` keeps the contract of [`Object`], and so do `data` in its place. If `O` is an object,
/// `def` is its own.
pub struct Skeleton<O> {
    def: &'static ObjectDef,
    /// The object's data, where they were changed.
    data: Option<KVVec<u8>>,
    log_level: u32,
    _object: PhantomData<O>,
}

impl<O: Object> Skeleton<O> {
    /// The object as it was generated.
    pub fn open() -> Self {
        const {
            assert!(
                !O::DEF.data.is_apart(),
                "open_with() takes the object's data"
            )
        };
        // INVARIANT: by the contract of `Object`.
        Self::of(O::DEF, None)
    }

    /// The object with its data, which the module has from elsewhere: `lskel-gen --data-apart` has
    /// left them out of it.
    ///
    /// They are trusted as those in a module are, so they have to be those that the object was
    /// generated with: the module has their hash.
    ///
    /// # Errors
    ///
    /// `EBADMSG` if they are others.
    pub fn open_with(data: KVVec<u8>) -> Result<Self, LoadError> {
        const { assert!(O::DEF.data.is_apart(), "open() takes the object's own data") };
        if !O::DEF.data.are(&data) {
            return Err(Step::ReadData.failed(ebadmsg()));
        }
        // SAFETY: by the contract of `Object`, to which it is the same by the hash.
        Ok(unsafe { Self::open_with_unchecked(data) })
    }

    /// The object with other data than it was generated with, of the same layout: a newer version
    /// of the progs, say, from whom the caller trusts.
    ///
    /// # Safety
    ///
    /// `data` must keep the contract of [`Object`] in the place of the object's own: its attrs and
    /// initial values are where `DEF` has them, its maps and progs are those of `DEF` in number,
    /// order, type and size, and what its table passes to the kernel lies within it. `lskel-gen`
    /// makes such data for machines of one byte order.
    pub unsafe fn open_with_unchecked(data: KVVec<u8>) -> Self {
        // INVARIANT: by this function's contract.
        Self::of(O::DEF, Some(data))
    }
}

impl Skeleton<()> {
    /// An object that is made while the module runs. Nothing in it can be named.
    ///
    /// # Safety
    ///
    /// `def` must keep the contract of [`Object`].
    pub unsafe fn open_def(def: &'static ObjectDef) -> Self {
        // INVARIANT: by this function's contract.
        Self::of(def, None)
    }
}

impl<O> Skeleton<O> {
    /// `def` and `data` must be what the type invariants want.
    fn of(def: &'static ObjectDef, data: Option<KVVec<u8>>) -> Self {
        Self {
            def,
            data,
            log_level: 1,
            _object: PhantomData,
        }
    }

    /// If the kernel refuses a prog, the object is loaded once more with a log, whose end goes to
    /// dmesg. This is the log's level, in the words of `BPF_PROG_LOAD`: 1, where this starts, for
    /// what the verifier does, 2 for more of it.
    pub fn log_level(mut self, level: u32) -> Self {
        self.log_level = level;
        self
    }

    /// Creates the maps and loads the progs.
    ///
    /// # Errors
    ///
    /// A [`LoadError`]: nothing of the object is left in the kernel then. What the kernel has
    /// logged of the prog that it refused is in dmesg.
    pub fn load(&self) -> Result<Loaded<O>, LoadError> {
        let loader = twice(|_| Loader::new(&[self.def]))?;

        self.load_with(&loader)
    }

    /// The same with a loader that is there already.
    ///
    /// # Errors
    ///
    /// As [`Self::load`]; `E2BIG` if the loader is too small.
    pub fn load_with(&self, loader: &Loader) -> Result<Loaded<O>, LoadError> {
        match &self.data {
            Some(data) => self.load_data(loader, data),
            None => self.load_data(loader, &self.copy_data()?),
        }
    }

    /// Loads the object with these data, which are its own or a changed copy.
    fn load_data(&self, loader: &Loader, data: &[u8]) -> Result<Loaded<O>, LoadError> {
        let def = self.def;
        // SAFETY: by the type invariants.
        let load = |log: Option<&Log>| unsafe { loader.load(def, data, log) };
        let fds = twice(|first| {
            let Some((first, log)) =
                first.and_then(|e| Some((e, Log::of(e, def, self.log_level)?)))
            else {
                return load(None);
            };

            load(Some(&log)).inspect_err(|again| {
                if again.step() == first.step() && !again.is_shortage() {
                    log.print(
                        def.name,
                        match again.step() {
                            Step::LoadProg(name) => name,
                            _ => c"BTF",
                        },
                    );
                }
            })
        })?;

        // INVARIANT: the loader gives as many as there are maps and progs.
        Ok(Loaded {
            def,
            fds,
            _object: PhantomData,
        })
    }

    /// Keeps the object's data, of which a module has only while its init runs: it can be loaded
    /// later, too.
    ///
    /// # Errors
    ///
    /// `ENXIO` if that was before; `ENOMEM`.
    pub fn keep(&mut self) -> Result<(), LoadError> {
        self.data_mut().map(drop)
    }

    fn copy_data(&self) -> Result<KVVec<u8>, LoadError> {
        self.def.data.copy().map_err(|e| Step::ReadData.failed(e))
    }

    /// The object's data, to be changed.
    fn data_mut(&mut self) -> Result<&mut [u8], LoadError> {
        if self.data.is_none() {
            self.data = Some(self.copy_data()?);
        }
        Ok(self.data.as_deref_mut().unwrap_or_default())
    }
}

impl<O: Object> Skeleton<O> {
    /// The initial value of a section of globals, to be changed.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn globals_mut<T: Globals>(&mut self, section: Section<O, T>) -> Result<&mut T, LoadError> {
        let (_, def) = section.map();
        let name = def.map_or(c"", |def| def.name);

        let data = self.data_mut()?;

        def.and_then(|def| within(def, data))
            .ok_or_else(|| Step::Globals(name).failed(EINVAL))
    }

    /// Makes a map have room for this many elements.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn set_max_entries(&mut self, map: MapId<O>, max_entries: u32) -> Result<(), LoadError> {
        let at = self.def.maps.get(map.index()).map_or(usize::MAX, |def| {
            def.attr as usize + offset_of!(bindings::bpf_attr, __bindgen_anon_1.max_entries)
        });

        self.data_mut()?
            .get_mut(at..)
            .and_then(|data| data.first_chunk_mut())
            .map(|bytes| *bytes = max_entries.to_ne_bytes())
            .ok_or_else(|| Step::Alloc.failed(EINVAL))
    }
}

/// Runs once more what has failed, where that may end otherwise or tell more. The second run is
/// told of the first one's error.
fn twice<T>(
    mut run: impl FnMut(Option<&LoadError>) -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    match run(None) {
        Err(first) if first.is_worth_another_try() => {
            run(Some(&first)).map_err(|again| again.after(first))
        }
        result => result,
    }
}

/// An object whose maps and progs are in the kernel.
///
/// What it has opened is closed when it is dropped; what is attached by then stays so for as long
/// as its link lives, with the maps that it uses. It belongs to the task that has loaded it.
///
/// # Invariants
///
/// `fds` are those of the maps of `def`, then those of its progs: one for each. If `O` is an
/// object, `def` is its own.
pub struct Loaded<O> {
    def: &'static ObjectDef,
    fds: KVec<OwnedFd>,
    _object: PhantomData<O>,
}

impl<O> Loaded<O> {
    /// Each prog, in the object's order.
    fn progs(&self) -> impl Iterator<Item = AnyProg<'_>> {
        let fds = self.fds.iter().skip(self.def.maps.len());

        fds.zip(self.def.progs).map(|(fd, def)| AnyProg { fd, def })
    }

    /// Holds all of it open beyond the skeleton, without fds.
    ///
    /// # Errors
    ///
    /// `EBADF` if another thread of the task has closed an fd.
    pub fn keep_all_open(&self) -> Result<KVec<KeptOpen>, LoadError> {
        let keep = || -> Result<KVec<KeptOpen>> {
            let mut kept = KVec::with_capacity(self.fds.len(), GFP_KERNEL)?;

            for fd in &self.fds {
                kept.push(fd.keep_open()?, GFP_KERNEL)?;
            }
            Ok(kept)
        };

        keep().map_err(|e| Step::TakeFd(self.def.name).failed(e))
    }

    /// Attaches each prog to what its section names, but for those that are called, and closes the
    /// object. The links are in the order of the progs.
    ///
    /// # Errors
    ///
    /// A [`LoadError`] that names the prog, as from [`AnyProg::attach`]. Nothing is attached then,
    /// and nothing of the object is left in the kernel.
    pub fn attach(self) -> Result<KVec<Link>, LoadError> {
        let mut links = KVec::with_capacity(self.def.progs.len(), GFP_KERNEL)
            .map_err(|e| Step::Alloc.failed(e.into()))?;

        for prog in self.progs().filter(|prog| !prog.is_called()) {
            links
                .push(prog.attach()?, GFP_KERNEL)
                .map_err(|e| Step::Alloc.failed(e.into()))?;
        }
        Ok(links)
    }
}

impl<O: Object> Loaded<O> {
    /// A prog, to be attached or called.
    pub fn prog<K: Kind>(&self, prog: ProgId<O, K>) -> Prog<'_, K> {
        let index = self.def.maps.len() + prog.index();

        Prog::new(AnyProg {
            // SAFETY: by the type invariants, and as `ProgId` was checked when it was made.
            fd: unsafe { self.fds.get_unchecked(index) },
            // SAFETY: as above.
            def: unsafe { self.def.progs.get_unchecked(prog.index()) },
        })
    }

    /// The fd of a map.
    pub fn map(&self, map: MapId<O>) -> &OwnedFd {
        // SAFETY: by the type invariants, and as `MapId` was checked when it was made.
        unsafe { self.fds.get_unchecked(map.index()) }
    }

    /// A section of globals, as the progs have it now. It outlives the skeleton.
    ///
    /// # Errors
    ///
    /// `EBADF` or `EINVAL` if another thread of the task has put something else in the map's place.
    pub fn globals<T: Globals>(&self, section: Section<O, T>) -> Result<Shared<T>, LoadError> {
        let (index, def) = section.map();
        let name = def.map_or(c"", |def| def.name);

        self.fds
            .get(index)
            .ok_or(EINVAL)
            .and_then(Shared::of)
            .map_err(|e| Step::Globals(name).failed(e))
    }

    /// Holds a map open beyond the skeleton, for what [`KeptOpen`] says of prog arrays and timers.
    ///
    /// # Errors
    ///
    /// `EBADF` if another thread of the task has closed the map's fd.
    pub fn keep_open(&self, map: MapId<O>) -> Result<KeptOpen, LoadError> {
        let name = self.def.maps.get(map.index()).map_or(c"", |def| def.name);

        self.map(map)
            .keep_open()
            .map_err(|e| Step::TakeFd(name).failed(e))
    }
}
