// SPDX-License-Identifier: GPL-2.0

//! What is known of an object: `lskel-gen` writes it down, and nothing here changes it.

use super::prog::{
    kind_of,
    Kind, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    prelude::*, //
};

/// A BPF object as `lskel-gen` emits it.
///
/// # Safety
///
/// The data of `DEF` are in the machine's byte order and as [`abi`](super::abi) has them: each
/// address that their table passes to the kernel is that of something within them, as large as the
/// command takes it for. `DEF` says of each map and prog what it is, and where in the data its parts
/// are.
pub unsafe trait Object: Sized + 'static {
    /// All that there is to it.
    const DEF: &'static ObjectDef;
}

/// What an object is made of. Offsets are in bytes, from the start of its data.
pub struct ObjectDef {
    /// Its name.
    pub name: &'static CStr,
    /// What the loader prog works on.
    pub data: &'static [u8],
    /// Offset of the `bpf_attr` of `BPF_BTF_LOAD`, if it has BTF.
    pub btf: Option<u32>,
    /// Its maps.
    pub maps: &'static [MapDef],
    /// Its progs.
    pub progs: &'static [ProgDef],
    /// What its table does, for the records that can fail: each with the number of its first record,
    /// in ascending order.
    pub commands: &'static [(u32, Command)],
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
