// SPDX-License-Identifier: GPL-2.0

//! The skeleton of an object: first [`Skeleton`], then [`Loaded`].

use super::{
    advice,
    error::{
        ebadmsg,
        ekeyrejected,
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
        ProgId,
        Source,
        Unsigned, //
    },
    ops::{
        Ops,
        OpsId,
        Registered,
        Value, //
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
    link::Link,
    map::Map,
    prog::Verdict,
    syscall::{
        Keyring,
        Signature, //
    }, //
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
    /// The object's data, where they were changed or are kept.
    data: Option<KVVec<u8>>,
    log_level: u32,
    signature: Option<&'static [u8]>,
    keyring: Keyring,
    must_be_signed: bool,
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
        Self::of(O::DEF, O::SIGNATURE, None)
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
        Self::of(O::DEF, O::SIGNATURE, Some(data))
    }
}

impl Skeleton<()> {
    /// An object that is made while the module runs, with its signature if it has one. Nothing in
    /// it can be named.
    ///
    /// # Safety
    ///
    /// `def` must keep the contract of [`Object`].
    pub unsafe fn open_def(def: &'static ObjectDef, signature: Option<&'static [u8]>) -> Self {
        // INVARIANT: by this function's contract.
        Self::of(def, signature, None)
    }
}

impl<O> Skeleton<O> {
    /// `def` and `data` must be what the type invariants want.
    fn of(
        def: &'static ObjectDef,
        signature: Option<&'static [u8]>,
        data: Option<KVVec<u8>>,
    ) -> Self {
        Self {
            def,
            data,
            log_level: 1,
            signature,
            keyring: Keyring::Secondary,
            must_be_signed: false,
            _object: PhantomData,
        }
    }

    /// Where the key of the object's signature has to be, if it has one. This starts as
    /// [`Keyring::Secondary`].
    pub fn keyring(mut self, keyring: Keyring) -> Self {
        self.keyring = keyring;
        self
    }

    /// Refuses to load an object without a signature.
    pub fn must_be_signed(mut self, must: bool) -> Self {
        self.must_be_signed = must;
        self
    }

    /// If the kernel refuses a prog, the object is loaded once more with a log, whose end goes to
    /// dmesg. This is the log's level, in the words of `BPF_PROG_LOAD`: 1, where this starts, for
    /// what the verifier does, 2 for more of it. A signed object has no place for a log.
    pub fn log_level(mut self, level: u32) -> Self {
        self.log_level = level;
        self
    }
}

impl<O: Source> Skeleton<O> {
    /// Creates the maps and loads the progs.
    ///
    /// # Errors
    ///
    /// A [`LoadError`]: nothing of the object is left in the kernel then. What the kernel has
    /// logged of the prog that it refused is in dmesg.
    pub fn load(&self) -> Result<Loaded<O>, LoadError> {
        self.load_by(None)
    }

    /// The same with a loader that is there already. A signed object gets one of its own all the
    /// same: the two are signed together.
    ///
    /// # Errors
    ///
    /// As [`Self::load`]; `E2BIG` if the loader is too small.
    pub fn load_with(&self, loader: &Loader) -> Result<Loaded<O>, LoadError> {
        self.load_by(Some(loader))
    }

    // Off the frame of a module's init.
    #[inline(never)]
    fn load_by(&self, loader: Option<&Loader>) -> Result<Loaded<O>, LoadError> {
        let copy;
        let data = match &self.data {
            Some(data) => data,
            None => {
                copy = self.copy_data()?;
                &copy
            }
        };

        if let Some(cms) = self.signature.filter(|_| O::MAY_BE_SIGNED) {
            return self.load_signed(data, cms);
        }
        if self.must_be_signed {
            return Err(Step::LoadSignedLoader
                .failed(ekeyrejected())
                .with_advice(advice::NOT_SIGNED)
                .for_good());
        }
        let own;
        let loader = match loader {
            Some(loader) => loader,
            None => {
                own = twice(|_| Loader::new(&[self.def]))?;
                &own
            }
        };

        self.load_data(loader, data)
    }

    /// Loads the object with its data, by a loader that is signed together with them.
    fn load_signed(&self, data: &[u8], cms: &[u8]) -> Result<Loaded<O>, LoadError> {
        let signature = Signature {
            cms,
            keyring: self.keyring,
        };

        twice(|_| {
            let loader = Loader::signed(data, &signature)?;
            let verdict = loader.verdict();
            // SAFETY: by the type invariants; the loader was made of these data.
            let fds = unsafe { loader.load_signed(self.def) }?;

            // INVARIANT: the loader gives as many as there are maps and progs.
            Ok(Loaded {
                def: self.def,
                fds,
                verdict,
                values: KVec::new(),
                _object: PhantomData,
            })
        })
    }

    /// Loads the object with these data, which are its own or a changed copy.
    fn load_data(&self, loader: &Loader, data: &[u8]) -> Result<Loaded<O>, LoadError> {
        let def = self.def;
        let load = |log: Option<&Log>| {
            if O::MAY_HAVE_OPS {
                // SAFETY: by the type invariants.
                unsafe { loader.load::<true>(def, data, log) }
            } else {
                // SAFETY: as above.
                unsafe { loader.load::<false>(def, data, log) }
            }
        };
        let (fds, values) = twice(|first| {
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

        // INVARIANT: the loader gives as many as there are maps and progs, and as many values as
        // there are struct_ops.
        Ok(Loaded {
            def,
            fds,
            verdict: loader.verdict(),
            values,
            _object: PhantomData,
        })
    }
}

impl<O> Skeleton<O> {
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

/// Not of a signed object: all of this is signed.
impl<O: Unsigned> Skeleton<O> {
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

    /// What is in a struct_ops map, to be changed: its numbers, and which callbacks it has.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn ops_mut<T: Ops>(&mut self, ops: OpsId<O, T>) -> Result<&mut T, LoadError> {
        ops.within(self.data_mut()?)
            .ok_or_else(|| Step::Alloc.failed(EINVAL))
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

/// Each of these, or the first error.
fn all_of(ids: impl Iterator<Item = Result<u32, LoadError>>) -> Result<KVec<u32>, LoadError> {
    let mut all = KVec::new();

    for id in ids {
        all.push(id?, GFP_KERNEL)
            .map_err(|e| Step::Alloc.failed(e.into()))?;
    }
    Ok(all)
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
/// `fds` are those of the maps of `def`, then those of its progs. If `O` is an object, `def` is its
/// own. A callback that was left out has no fd.
pub struct Loaded<O> {
    def: &'static ObjectDef,
    fds: KVec<Option<OwnedFd>>,
    verdict: Verdict,
    /// One for each struct_ops map.
    values: KVec<Value>,
    _object: PhantomData<O>,
}

impl<O> Loaded<O> {
    /// Each prog, in the object's order.
    fn progs(&self) -> impl Iterator<Item = AnyProg<'_>> {
        let fds = self.fds.iter().skip(self.def.maps.len());

        fds.zip(self.def.progs)
            .filter_map(|(fd, def)| fd.as_ref().map(|fd| AnyProg { fd, def }))
    }

    /// What the kernel has found of the object's signature.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Holds all of it open beyond the skeleton, without fds.
    ///
    /// # Errors
    ///
    /// `EBADF` if another thread of the task has closed an fd.
    pub fn keep_all_open(&self) -> Result<KVec<KeptOpen>, LoadError> {
        let keep = || -> Result<KVec<KeptOpen>> {
            let mut kept = KVec::with_capacity(self.fds.len(), GFP_KERNEL)?;

            for fd in self.fds.iter().flatten() {
                kept.push(fd.keep_open()?, GFP_KERNEL)?;
            }
            Ok(kept)
        };

        keep().map_err(|e| Step::TakeFd(self.def.name).failed(e))
    }

    /// The id of each map, in the object's order: for a policy that is to know its own.
    ///
    /// # Errors
    ///
    /// `EBADF` or `EINVAL` if another thread of the task has put something else in a map's place;
    /// `ENOMEM`.
    #[inline]
    pub fn map_ids(&self) -> Result<KVec<u32>, LoadError> {
        let maps = self.fds.iter().flatten().zip(self.def.maps);

        all_of(maps.map(|(fd, def)| {
            Map::get_named(fd, def.name)
                .map(|map| map.id())
                .map_err(|e| Step::TakeFd(def.name).failed(e))
        }))
    }

    /// The id of each prog that is loaded, in the object's order.
    ///
    /// # Errors
    ///
    /// As [`Self::map_ids`].
    #[inline]
    pub fn prog_ids(&self) -> Result<KVec<u32>, LoadError> {
        all_of(self.progs().map(|prog| prog.id()))
    }

    /// Registers the struct_ops map of this number, counted from 0 in the object's order, as
    /// [`Self::register`] does by name. [`None`] if there are not so many.
    pub fn register_nth(&self, number: usize) -> Option<Result<Registered, LoadError>> {
        let value = self.values.get(number)?;
        let fd = self.fds.get(value.map())?.as_ref()?;
        let name = self.def.maps.get(value.map())?.name;

        Some(value.register(fd, name))
    }

    /// Attaches each prog to what its section names, but for those that are called or callbacks,
    /// and closes the object. The links are in the order of the progs.
    ///
    /// # Errors
    ///
    /// A [`LoadError`] that names the prog, as from [`AnyProg::attach`]. Nothing is attached then,
    /// and nothing of the object is left in the kernel.
    pub fn attach(self) -> Result<KVec<Link>, LoadError> {
        let mut links = KVec::with_capacity(self.def.progs.len(), GFP_KERNEL)
            .map_err(|e| Step::Alloc.failed(e.into()))?;

        for prog in self.progs().filter(AnyProg::is_attached) {
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
            // SAFETY: by the type invariants, and as `ProgId` was checked when it was made: it
            // names no callback.
            fd: unsafe { self.fds.get_unchecked(index).as_ref().unwrap_unchecked() },
            // SAFETY: as above.
            def: unsafe { self.def.progs.get_unchecked(prog.index()) },
        })
    }

    /// The fd of a map.
    pub fn map(&self, map: MapId<O>) -> &OwnedFd {
        // SAFETY: by the type invariants, and as `MapId` was checked when it was made.
        unsafe {
            self.fds
                .get_unchecked(map.index())
                .as_ref()
                .unwrap_unchecked()
        }
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
            .and_then(|fd| fd.as_ref())
            .ok_or(EINVAL)
            .and_then(Shared::of)
            .map_err(|e| Step::Globals(name).failed(e))
    }

    /// Registers a struct_ops map: for as long as what this gives lives. It may be done again when
    /// that is gone.
    ///
    /// # Errors
    ///
    /// `EEXIST`, or `EBUSY` where there can be only one, if another one is registered; `EINVAL` if
    /// a callback is missing that has to be there; otherwise as the kernel's part has it whose
    /// struct it is.
    pub fn register<T: Ops>(&self, ops: OpsId<O, T>) -> Result<Registered, LoadError> {
        self.register_nth(ops.index())
            .unwrap_or_else(|| Err(Step::Register(self.def.name).failed(EINVAL)))
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
