// SPDX-License-Identifier: GPL-2.0

//! What libbpf knows of an object, and what its gen_loader has recorded for it.

use crate::globals::Globals;
use crate::ops::{EnumGlobal, Ops};
use crate::skeleton::ByteOrder;
use serde::{Deserialize, Serialize};

/// An object that libbpf has loaded in name only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Of its machine.
    pub byte_order: ByteOrder,
    /// The maps, in libbpf's order.
    pub maps: Vec<Map>,
    /// The progs that are loaded, in libbpf's order.
    pub progs: Vec<Prog>,
    /// The struct_ops maps.
    pub ops: Vec<Ops>,
    /// The globals that are to have the value of one of the kernel's enumerators.
    pub enums: Vec<EnumGlobal>,
    /// What fills prog arrays, which gen_loader cannot do.
    pub slots: Vec<Slot>,
    /// The symbols that it can do without.
    pub weak: Vec<String>,
    /// Global variables.
    pub globals: Globals,
    /// What loads all of this: more than one if it is too much for one.
    pub recordings: Vec<Recording>,
}

/// One run of gen_loader.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The number of the first prog that it loads. It loads those up to the first of the next one.
    pub first_prog: usize,
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
    /// Which of libbpf's maps it is: libbpf counts those that are left out, too.
    pub place: usize,
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
