// SPDX-License-Identifier: GPL-2.0

//! What is known of an object: `lskel-gen` writes it down, and nothing here changes it.

use super::prog::{
    kind_of,
    Kind,
    ProgKind, //
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

/// What a [`Skeleton`](super::Skeleton) can be of: an object, or `()` for one that is made while
/// the module runs.
pub trait Source {
    /// Whether it may have a signature. What loads it by one is left out of modules where it has
    /// none.
    const MAY_BE_SIGNED: bool;
    /// Whether it may have struct_ops. What lays them out is left out of modules where it has none.
    const MAY_HAVE_OPS: bool;
}

impl<O: Object> Source for O {
    const MAY_BE_SIGNED: bool = O::SIGNATURE.is_some();
    const MAY_HAVE_OPS: bool = O::DEF.ops.is_some();
}

impl Source for () {
    const MAY_BE_SIGNED: bool = true;
    const MAY_HAVE_OPS: bool = true;
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
    /// Its struct_ops, if it has any.
    pub ops: Option<StructOps>,
    /// What its table does, for the records that can fail: each with the number of its first
    /// record, in ascending order.
    pub commands: &'static [(u32, Command)],
}

/// An object's data, where the generated file has them.
///
/// # Invariants
///
/// `bytes` stay as they are for as long as the kernel or module runs; or, if `module` is not NULL,
/// they are in the init memory of that module. They are none if the data are apart.
pub struct ObjectData {
    bytes: *const [u8],
    module: *mut bindings::module,
    /// Of data that are somewhere else: how many bytes, and their hash.
    apart: Option<(usize, Sha256)>,
}

/// Of SHA-256.
pub type Sha256 = [u8; bindings::SHA256_DIGEST_SIZE as usize];

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
            apart: None,
        }
    }

    /// Data that the module gets when it wants to load them: so many bytes, with this hash.
    pub const fn apart(len: usize, sha256: Sha256) -> Self {
        // INVARIANT: they are none.
        Self {
            bytes: &[],
            module: core::ptr::null_mut(),
            apart: Some((len, sha256)),
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
        Self {
            bytes,
            module,
            apart: None,
        }
    }

    /// In bytes.
    pub(super) const fn len(&self) -> usize {
        match self.apart {
            Some((len, _)) => len,
            None => self.bytes.len(),
        }
    }

    /// Whether they come from elsewhere.
    pub(super) const fn is_apart(&self) -> bool {
        self.apart.is_some()
    }

    /// Whether these are the data that are apart.
    pub(super) fn are(&self, data: &[u8]) -> bool {
        let mut seen = Sha256::default();

        // SAFETY: a slice and its length, and a buffer for a hash.
        unsafe { bindings::sha256(data.as_ptr(), data.len(), seen.as_mut_ptr()) };
        self.apart == Some((data.len(), seen))
    }

    /// A copy of them.
    ///
    /// # Errors
    ///
    /// `ENXIO` if they are apart, or were in init memory that may be gone; `ENOMEM`.
    pub(super) fn copy(&self) -> Result<KVVec<u8>> {
        if self.is_apart() {
            return Err(ENXIO);
        }

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
    /// Size of what it takes, in bytes, if it is one to be called: then it runs no command of the
    /// kernel that takes addresses or fds, and no other prog.
    pub args: Option<u32>,
    /// Offset of the `bpf_attr` of its `BPF_PROG_LOAD`.
    pub attr: u32,
}

/// The struct_ops of an object.
pub struct StructOps {
    /// Offset of the cell that has the fd of the layout prog. That prog writes into its context
    /// where the kernel's structs have each member of each of the maps and which size: two `u64`.
    pub layout: u32,
    /// The maps.
    pub maps: &'static [OpsDef],
    /// Globals that get the value of an enumerator of the kernel, or 0 if it has none: schedulers
    /// have such. The layout prog writes one `u64` for each, behind the members'.
    pub enums: &'static [EnumDef],
}

/// A global of 8 bytes that gets the value of an enumerator.
pub struct EnumDef {
    /// The number of its map.
    pub map: usize,
    /// Where it is in the map's value, in bytes.
    pub offset: u32,
}

/// What an object says of a struct_ops map.
pub struct OpsDef {
    /// The number of its map.
    pub map: usize,
    /// The kernel's type of its value: `bpf_struct_ops_` and the name of the struct.
    pub value_type: &'static CStr,
    /// Offset of the cell that has the number of that type.
    pub value_id: u32,
    /// Offset of the cell that has the number of the struct.
    pub struct_id: u32,
    /// Offset of the cell that has the fd of a module's BTF, if the struct is a module's, or 0.
    pub module: u32,
    /// Whether a link registers it.
    pub link: bool,
    /// Offset of the struct as the object has it, a multiple of 8. Each callback in it is a `u64`,
    /// the number of a prog counted from 1.
    pub value: u32,
    /// Its size, in bytes.
    pub size: u32,
    /// Those of its members that count.
    pub members: &'static [MemberDef],
}

/// What an object says of a member of a struct.
pub struct MemberDef {
    /// The member's name.
    pub name: &'static CStr,
    /// Where it is in the object's struct, in bytes.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
    /// Whether it is a callback, and otherwise a number or an array of numbers.
    pub is_callback: bool,
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
    /// `BPF_PROG_LOAD` of the layout prog.
    LoadLayout,
    /// The search for the kernel's type of this map's value.
    FindType(usize, &'static CStr),
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
                !matches!(kind_of(&O::DEF.progs[INDEX]), ProgKind::Callback),
                "callbacks go by their struct_ops"
            );
            assert!(
                kind_of(&O::DEF.progs[INDEX]) as u32 == K::KIND as u32,
                "the prog is of another kind"
            );
            assert!(
                match (O::DEF.progs[INDEX].args, K::ARGS) {
                    (Some(size), Some(args)) => size as usize == args,
                    (_, args) => args.is_none(),
                },
                "the prog takes something else, or is not to be called"
            );
        };
        Self(INDEX, PhantomData)
    }

    pub(super) const fn index(&self) -> usize {
        self.0
    }
}

pub use init_data;
