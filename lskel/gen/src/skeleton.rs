// SPDX-License-Identifier: GPL-2.0

//! A light skeleton: what the text stage writes down.

use crate::globals::Globals;
use crate::ops;
use serde::{Deserialize, Serialize};

/// An object's data, as `lskel/abi.rs` has it, and what is where in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Skeleton {
    /// The maps, in the order of their cells.
    pub maps: Vec<Map>,
    /// The progs that are loaded, in the order of their cells, which follow those of the maps.
    pub progs: Vec<Prog>,
    /// Where the `bpf_attr` of the load of its BTF is in the data.
    pub btf: Option<u32>,
    /// What the records that can fail are for, by number of the record.
    pub commands: Vec<Command>,
    /// Where the cell of the layout prog is, if the object has struct_ops.
    pub layout: Option<u32>,
    /// The struct_ops maps.
    pub ops: Vec<Ops>,
    /// The globals that get the value of an enumerator.
    pub enums: Vec<ops::EnumGlobal>,
    /// Global variables.
    pub globals: Globals,
    /// What the loader prog works on, without the slack behind it.
    pub data: Vec<u8>,
    /// libbpf's own loader, if it was asked for.
    pub libbpf: Option<Libbpf>,
}

/// A map of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    /// Its name in the kernel.
    pub name: String,
    /// Whether libbpf made it of a section of globals.
    pub internal: bool,
    /// A `BPF_MAP_TYPE_*`.
    pub map_type: u32,
    /// In bytes.
    pub key_size: u32,
    /// In bytes.
    pub value_size: u32,
    /// Number of elements.
    pub max_entries: u32,
    /// Where the `bpf_attr` of its creation is in the data.
    pub attr: u32,
    /// Where its cell is.
    pub cell: u32,
    /// Where its initial value is, if it is a section of globals: a multiple of 8. It has `value_size` bytes, and
    /// zeroes up to a multiple of 8.
    pub value: Option<u32>,
    /// Whether it is frozen once it has its value.
    pub frozen: bool,
}

/// A prog of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Prog {
    /// Its function.
    pub name: String,
    /// Its section, without the `?`.
    pub section: String,
    /// A `BPF_PROG_TYPE_*`.
    pub prog_type: u32,
    /// A `BPF_*` attach type.
    pub expected_attach_type: u32,
    /// Where the `bpf_attr` of its load is in the data.
    pub attr: u32,
}

/// A struct_ops map of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Ops {
    /// What the object says of it.
    pub of: ops::Ops,
    /// Where the cells are that have the numbers of the kernel's types: of its value and of the struct.
    pub value_id: u32,
    /// As above.
    pub struct_id: u32,
    /// Where the cell is that has an fd if the struct is a module's.
    pub module: u32,
    /// Where its value is: a multiple of 8.
    pub value: u32,
}

/// What a record is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The number of the record.
    pub record: u32,
    /// What it does.
    pub what: What,
}

/// What can fail.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The load of the object's BTF.
    LoadBtf,
    /// The creation of this map, or of a map like those that go into it.
    CreateMap(usize),
    /// A map is put into this map of maps.
    UpdateMap(usize),
    /// The load of the layout prog.
    LoadLayout,
    /// The kernel's type of this map's value is looked up.
    FindType {
        /// The map.
        map: usize,
        /// The type's name.
        name: String,
    },
    /// The freezing of this map.
    FreezeMap(usize),
    /// Something is looked up in the kernel.
    Find {
        /// The first prog that needs it.
        prog: usize,
        /// Its name.
        name: String,
    },
    /// The load of this prog.
    LoadProg(usize),
    /// A prog is put into a prog array.
    PutProg {
        /// The array.
        map: usize,
        /// The prog.
        prog: usize,
    },
}

/// The loader prog that libbpf writes for an object, and its data, as they come.
#[derive(Debug, Clone, PartialEq)]
pub struct Libbpf {
    /// What it works on.
    pub data: Vec<u8>,
    /// The loader prog.
    pub insns: Vec<u8>,
}

/// The order of bytes in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ByteOrder {
    /// The least significant first.
    Little,
    /// The most significant first.
    Big,
}

impl ByteOrder {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Little, Self::Big];

    /// That of the machine that this runs on.
    pub const NATIVE: Self = if cfg!(target_endian = "big") {
        Self::Big
    } else {
        Self::Little
    };

    /// The bytes of a number.
    pub fn u32(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    /// The bytes of a number.
    pub fn u64(self, number: u64) -> [u8; 8] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    /// The number at an offset, if there are so many bytes.
    pub fn read_u32(self, bytes: &[u8], at: u32) -> Option<u32> {
        let word = *bytes.get(at as usize..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(word),
            Self::Big => u32::from_be_bytes(word),
        })
    }

    /// As in "little endian".
    pub fn words(self) -> &'static str {
        match self {
            Self::Little => "little endian",
            Self::Big => "big endian",
        }
    }

    /// clang's target.
    pub fn target(self) -> &'static str {
        match self {
            Self::Little => "bpfel",
            Self::Big => "bpfeb",
        }
    }
}

impl std::fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Little => "little-endian",
            Self::Big => "big-endian",
        })
    }
}
