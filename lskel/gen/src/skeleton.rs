// SPDX-License-Identifier: GPL-2.0

//! What libbpf makes of an object.

use crate::globals::Globals;
use serde::{Deserialize, Serialize};

/// A light skeleton: what an object has, and the two blobs that load it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skeleton {
    /// The maps, in the loader's order.
    pub maps: Vec<Map>,
    /// The progs that are loaded, in the loader's order.
    pub progs: Vec<Prog>,
    /// What fills prog arrays, which the loader prog does not.
    pub slots: Vec<Slot>,
    /// Global variables.
    pub globals: Globals,
    /// What the loader prog works on.
    pub data: Vec<u8>,
    /// The loader prog.
    pub insns: Vec<u8>,
}

/// A map of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
}

/// A prog of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    pub load_attr: u32,
    /// What it needs of the kernel's BTF and symbols, and where in the data the loader prog puts what it finds.
    pub lookups: Vec<(String, u32)>,
}

/// A prog in a prog array.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// The map's number.
    pub map: usize,
    /// Its key.
    pub index: u32,
    /// The prog's number.
    pub prog: usize,
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
