// SPDX-License-Identifier: GPL-2.0

//! What is known of an object: `lskel-gen` writes it down, and nothing here changes it.

use super::prog::{
    kind_of,
    Kind, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    prelude::*,
    sync::rcu, //
};

/// A BPF object as `lskel-gen` emits it.
///
/// # Safety
///
/// The data of `DEF` are in the machine's byte order and as [`abi`](super::abi) has them: each
/// address that their table passes to the kernel is that of something within them, as large as the
/// command takes it for. `DEF` says of each map and prog what it is, and where in the data its
/// parts are.
pub unsafe trait Object: Sized + 'static {
    /// All that there is to it.
    const DEF: &'static ObjectDef;

    /// If it is signed, the signature: a detached CMS of the loader prog and of its map's value,
    /// which are the data and [`abi::SLACK`](super::abi::SLACK) zeroes.
    const SIGNATURE: Option<&'static [u8]> = None;
}

/// What a [`Skeleton`](super::Skeleton) can be of: an object, or `()` for one that is made while the
/// module runs.
pub trait Source {
    /// Whether it may have a signature. What loads it by one is left out of modules where it has
    /// none.
    const MAY_BE_SIGNED: bool;
}

impl<O: Object> Source for O {
    const MAY_BE_SIGNED: bool = O::SIGNATURE.is_some();
}

impl Source for () {
    const MAY_BE_SIGNED: bool = true;
}

/// An object that is not signed: what a module changes in it before the load is taken as it is.
pub trait Unsigned: Object {}

/// What an object is made of. Offsets are in bytes, from the start of its data.
pub struct ObjectDef {
    /// Its name.
    pub name: &'static CStr,
    /// What the loader prog works on.
    pub data: ObjectData,
    /// Offset of the `bpf_attr` of `BPF_BTF_LOAD`, if it has BTF.
    pub btf: Option<u32>,
    /// Its maps.
    pub maps: &'static [MapDef],
    /// Its progs.
    pub progs: &'static [ProgDef],
    /// What its table does, for the records that can fail: each with the number of its first
    /// record, in ascending order.
    pub commands: &'static [(u32, Command)],
}

/// An object's data, where the generated file has them.
///
/// # Invariants
///
/// `bytes` stay as they are for as long as the kernel or module runs; or, if `module` is not NULL,
/// they are in the init memory of that module.
pub struct ObjectData {
    bytes: *const [u8],
    module: *mut bindings::module,
}

// SAFETY: what the pointers lead to is only read.
unsafe impl Send for ObjectData {}

// SAFETY: as above.
unsafe impl Sync for ObjectData {}

impl ObjectData {
    /// Data that stay.
    pub const fn new(bytes: &'static [u8]) -> Self {
        // INVARIANT: by its lifetime.
        Self {
            bytes,
            module: core::ptr::null_mut(),
        }
    }

    /// Data that a module has only while its init runs: [`init_data`] makes them.
    ///
    /// # Safety
    ///
    /// `bytes` must be a static in the init memory of `module`, or `module` must be NULL and they
    /// must stay.
    pub const unsafe fn in_init(bytes: *const [u8], module: *mut bindings::module) -> Self {
        // INVARIANT: by this function's contract.
        Self { bytes, module }
    }

    /// In bytes.
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// A copy of them.
    ///
    /// # Errors
    ///
    /// `ENXIO` if they were in init memory that may be gone; `ENOMEM`.
    pub(super) fn copy(&self) -> Result<KVVec<u8>> {
        let mut copy = KVVec::with_capacity(self.len(), GFP_KERNEL)?;
        let _guard = rcu::read_lock();

        if !self.is_there() {
            return Err(ENXIO);
        }
        // SAFETY: by the type invariants they are there, or were a moment ago: `do_free_init()`
        // waits for who is in an RCU read-side critical section by then. Read at run time, the
        // address stays out of the code, where modpost would warn of it.
        let bytes = unsafe { &*(&raw const self.bytes).read_volatile() };

        // There is room.
        copy.extend_from_slice(bytes, GFP_ATOMIC)?;
        Ok(copy)
    }

    /// Whether the module's init is running, if it matters.
    fn is_there(&self) -> bool {
        if self.module.is_null() {
            return true;
        }
        // SAFETY: the module whose code is running is there.
        let state = unsafe { (&raw const (*self.module).state).read_volatile() };

        state == bindings::module_state_MODULE_STATE_COMING
    }
}

/// Includes a file as [`ObjectData`]. A module has them in its init memory, which is free again
/// when its init has returned.
#[macro_export]
macro_rules! init_data {
    ($file:literal) => {{
        #[cfg_attr(MODULE, link_section = ".init.rodata")]
        static DATA: [u8; include_bytes!($file).len()] = *include_bytes!($file);

        #[cfg(MODULE)]
        extern "C" {
            static __this_module: u8;
        }
        #[cfg(MODULE)]
        let module = (&raw const __this_module).cast_mut().cast();
        #[cfg(not(MODULE))]
        let module = ::core::ptr::null_mut();

        // SAFETY: by its section, and what the linker calls the module that this is linked into.
        unsafe { $crate::lskel::ObjectData::in_init(&raw const DATA, module) }
    }};
}

/// What an object says of a map.
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
    /// Offset of the `bpf_attr` of its `BPF_MAP_CREATE`.
    pub attr: u32,
    /// Offset of its initial value, a multiple of 8, if it has one.
    pub value: Option<u32>,
    /// Whether it is frozen before progs are loaded: the verifier counts on its values.
    pub frozen: bool,
}

/// What an object says of a prog.
pub struct ProgDef {
    /// The prog's function.
    pub name: &'static CStr,
    /// The ELF section, which tells what the prog attaches to.
    pub section: &'static CStr,
    /// A `BPF_PROG_TYPE_*`.
    pub prog_type: bindings::bpf_prog_type,
    /// A `BPF_*` attach type.
    pub expected_attach_type: bindings::bpf_attach_type,
    /// Offset of the `bpf_attr` of its `BPF_PROG_LOAD`.
    pub attr: u32,
}

/// What records of the table are for. Maps and progs go by their place in [`ObjectDef`].
#[derive(Clone, Copy)]
pub enum Command {
    /// `BPF_BTF_LOAD`
    LoadBtf,
    /// `BPF_MAP_CREATE` for this map.
    CreateMap(usize),
    /// `BPF_MAP_UPDATE_ELEM` of this map, whose values are maps.
    UpdateMap(usize),
    /// `BPF_MAP_FREEZE` of this map.
    FreezeMap(usize),
    /// The search for something of the kernel that this prog needs.
    Find(usize, &'static CStr),
    /// `BPF_PROG_LOAD` of this prog.
    LoadProg(usize),
    /// `BPF_MAP_UPDATE_ELEM` of this map, a prog array, with this prog.
    PutProg(usize, usize),
}

/// Names a map of `O`.
pub struct MapId<O>(usize, PhantomData<O>);

impl<O: Object> MapId<O> {
    /// The one at this place in the object's list.
    pub const fn new<const INDEX: usize>() -> Self {
        const { assert!(INDEX < O::DEF.maps.len(), "the object has no such map") };
        Self(INDEX, PhantomData)
    }

    pub(super) const fn index(&self) -> usize {
        self.0
    }
}

/// Names a prog of `O`, which is of this kind.
pub struct ProgId<O, K>(usize, PhantomData<(O, K)>);

impl<O: Object, K: Kind> ProgId<O, K> {
    /// The one at this place in the object's list.
    pub const fn new<const INDEX: usize>() -> Self {
        const {
            assert!(INDEX < O::DEF.progs.len(), "the object has no such prog");
            assert!(
                kind_of(&O::DEF.progs[INDEX]) as u32 == K::KIND as u32,
                "the prog is of another kind"
            );
        };
        Self(INDEX, PhantomData)
    }

    pub(super) const fn index(&self) -> usize {
        self.0
    }
}

pub use init_data;
