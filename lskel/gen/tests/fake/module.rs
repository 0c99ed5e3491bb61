// SPDX-License-Identifier: GPL-2.0

//! A stand-in for the kernel module: the generated code is compiled against it and its words are checked.
//! `tests/compiles.rs` puts this file beside the generated ones.

#![allow(dead_code, non_upper_case_globals)]

extern crate self as kernel;

pub mod bindings {
    pub const bpf_map_type_BPF_MAP_TYPE_HASH: u32 = 1;
    pub const bpf_map_type_BPF_MAP_TYPE_ARRAY: u32 = 2;
    pub const bpf_map_type_BPF_MAP_TYPE_PROG_ARRAY: u32 = 3;
    pub const bpf_map_type_BPF_MAP_TYPE_PERF_EVENT_ARRAY: u32 = 4;
    pub const bpf_map_type_BPF_MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;
    pub const bpf_map_type_BPF_MAP_TYPE_HASH_OF_MAPS: u32 = 13;
    pub const bpf_map_type_BPF_MAP_TYPE_STRUCT_OPS: u32 = 26;
    pub const bpf_prog_type_BPF_PROG_TYPE_SOCKET_FILTER: u32 = 1;
    pub const bpf_prog_type_BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;
    pub const bpf_prog_type_BPF_PROG_TYPE_TRACING: u32 = 26;
    pub const bpf_prog_type_BPF_PROG_TYPE_STRUCT_OPS: u32 = 27;
    pub const bpf_prog_type_BPF_PROG_TYPE_SYSCALL: u32 = 31;
    pub const bpf_attach_type_BPF_TRACE_FENTRY: u32 = 24;
    pub const bpf_attach_type_BPF_TRACE_RAW_TP: u32 = 23;
}

pub mod prelude {
    pub unsafe trait Zeroable {
        fn zeroed() -> Self
        where
            Self: Sized,
        {
            // SAFETY: by the contract of this trait.
            unsafe { std::mem::zeroed() }
        }
    }
}

#[path = "calls.lskel-little-endian.rs"]
mod calls;
#[path = "globals.lskel-little-endian.rs"]
mod globals;
#[path = "many_progs.lskel-little-endian.rs"]
mod many_progs;
#[path = "nothing.lskel-little-endian.rs"]
mod nothing;
#[path = "ops.lskel-little-endian.rs"]
mod ops;
#[path = "slots.lskel-little-endian.rs"]
mod slots;
#[path = "externs.lskel-little-endian.rs"]
mod externs;

pub mod lskel {
    #[macro_export]
    macro_rules! init_data {
        ($file:literal) => {
            include_bytes!($file)
        };
    }
    pub use init_data;

    use std::cell::UnsafeCell;
    use std::ffi::CStr;
    use std::marker::PhantomData;

    #[repr(transparent)]
    pub struct Var<T>(UnsafeCell<T>);
    #[repr(transparent)]
    pub struct Frozen<T>(UnsafeCell<T>);

    pub unsafe trait Globals {
        const FROZEN: bool;
        const GAPS: &'static [(usize, usize)];
    }

    pub unsafe trait Args {}

    // SAFETY: there are no bytes.
    unsafe impl Args for () {}

    pub struct MapId<O>(pub usize, PhantomData<O>);
    pub struct ProgId<O, K>(pub usize, PhantomData<(O, K)>);
    pub struct Section<O, T>(pub usize, PhantomData<(O, T)>);

    impl<O: Object> MapId<O> {
        pub const fn new<const INDEX: usize>() -> Self {
            const { assert!(INDEX < O::DEF.maps.len()) };
            Self(INDEX, PhantomData)
        }
    }

    impl<O: Object, K> ProgId<O, K> {
        pub const fn new<const INDEX: usize>() -> Self {
            const { assert!(INDEX < O::DEF.progs.len()) };
            Self(INDEX, PhantomData)
        }
    }

    impl<O: Object, T: Globals> Section<O, T> {
        pub const fn new<const MAP: usize>() -> Self {
            const { assert!(O::DEF.maps[MAP].frozen == T::FROZEN) };
            Self(MAP, PhantomData)
        }

        /// The first bytes of the initial value.
        pub fn start<const N: usize>(&self) -> [u8; N] {
            let offset = O::DEF.maps[self.0].value.unwrap() as usize;
            assert!(offset + size_of::<T>() <= O::DEF.data.len());
            O::DEF.data[offset..offset + N].try_into().unwrap()
        }
    }

    pub struct MapDef {
        pub name: &'static CStr,
        pub map_type: u32,
        pub key_size: u32,
        pub value_size: u32,
        pub max_entries: u32,
        pub attr: u32,
        pub value: Option<u32>,
        pub frozen: bool,
    }

    pub struct ProgDef {
        pub name: &'static CStr,
        pub section: &'static CStr,
        pub prog_type: u32,
        pub expected_attach_type: u32,
        pub args: Option<u32>,
        pub attr: u32,
    }

    pub enum Command {
        LoadBtf,
        CreateMap(usize),
        UpdateMap(usize),
        FreezeMap(usize),
        Find(usize, &'static CStr),
        LoadProg(usize),
        PutProg(usize, usize),
        LoadLayout,
        FindType(usize, &'static CStr),
    }

    pub struct StructOps {
        pub layout: u32,
        pub maps: &'static [OpsDef],
        pub enums: &'static [EnumDef],
    }

    pub struct EnumDef {
        pub map: usize,
        pub offset: u32,
    }

    pub struct OpsDef {
        pub map: usize,
        pub value_type: &'static CStr,
        pub value_id: u32,
        pub struct_id: u32,
        pub module: u32,
        pub link: bool,
        pub value: u32,
        pub size: u32,
        pub members: &'static [MemberDef],
    }

    pub struct MemberDef {
        pub name: &'static CStr,
        pub offset: u32,
        pub size: u32,
        pub is_callback: bool,
    }

    pub struct Callback(pub u64);
    pub unsafe trait Ops {}
    pub struct OpsId<O, T>(pub usize, PhantomData<(O, T)>);

    impl<O: Object, T: Ops> OpsId<O, T> {
        pub const fn new<const INDEX: usize>() -> Self {
            const {
                let Some(ops) = &O::DEF.ops else { panic!() };
                assert!(ops.maps[INDEX].size as usize == size_of::<T>());
            }
            Self(INDEX, PhantomData)
        }

        /// What is in the map.
        pub fn read(&self) -> T {
            let at = O::DEF.ops.as_ref().unwrap().maps[self.0].value as usize;
            let bytes = O::DEF.data[at..at + size_of::<T>()].as_ptr();
            // SAFETY: as long as a `T`, of which any bytes are one.
            unsafe { bytes.cast::<T>().read_unaligned() }
        }
    }

    pub struct ObjectDef {
        pub name: &'static CStr,
        pub data: &'static [u8],
        pub btf: Option<u32>,
        pub maps: &'static [MapDef],
        pub progs: &'static [ProgDef],
        pub ops: Option<StructOps>,
        pub commands: &'static [(u32, Command)],
    }

    pub unsafe trait Object: Sized + 'static {
        const DEF: &'static ObjectDef;
    }

    pub trait Unsigned: Object {}

    pub mod prog {
        pub enum Tracing {}
        pub enum RawTracepoint {}
        pub enum Opaque {}
        pub enum Other {}
        pub struct Syscall<A>(std::marker::PhantomData<A>);
    }
}

use lskel::{prog, Args, Command, Globals, Object, ProgId};
use prelude::Zeroable;

/// What must be true of every object.
fn check<O: Object>(name: &str, maps: usize, progs: usize) {
    assert_eq!(O::DEF.name.to_str(), Ok(name));
    assert_eq!(O::DEF.data.len() % 8, 0);
    assert_eq!(O::DEF.maps.len(), maps);
    assert_eq!(O::DEF.progs.len(), progs);
    assert!(O::DEF.commands.is_sorted_by_key(|(record, _)| *record));
}

/// The bytes that a prog takes.
fn takes<A: Args>(_: &ProgId<calls::Calls, prog::Syscall<A>>) -> usize {
    assert!(align_of::<A>() == 8 || size_of::<A>() == 0);
    size_of::<A>()
}

fn check_calls() {
    use calls::{arg_types, args, progs};

    let args = args::element {
        key: 1,
        points: [arg_types::point { tag: 2, x: -3, ..Zeroable::zeroed() }; 2],
        name: 0xffff_8000_0000_0000,
        ..Zeroable::zeroed()
    };
    assert_eq!((args.r#type, args.points[1].x, size_of_val(&args)), (0, -3, 40));
    assert_eq!(takes(&progs::set), 40);
    assert_eq!(takes(&progs::get), 40);
    assert_eq!(takes(&progs::twice), 8);
    assert_eq!(takes(&progs::nothing), 0);
    let _: [ProgId<calls::Calls, prog::Opaque>; 4] =
        [progs::no_struct, progs::by_address, progs::by_fd, progs::by_jump];
}

fn check_ops() {
    let linked = ops::ops::linked.read();
    assert_eq!((linked.first.0, linked.second.0), (1, 2));
    assert_eq!((linked.mode, linked.numbers, &linked.name), (2, [1, 2, 3], b"linked\0\0\0\0"));
    let plain = ops::ops::plain.read();
    assert_eq!((plain.second.0, &plain.name), (2, b"plain\0\0\0\0\0"));

    let def = ops::OpsObject::DEF;
    let maps = def.ops.as_ref().unwrap().maps;
    let links: Vec<_> = maps.iter().map(|map| (def.maps[map.map].name.to_str().unwrap(), map.link)).collect();
    assert_eq!(links, [("plain", false), ("linked", true)]);
    // The kernel's name.
    assert!(maps.iter().all(|map| map.value_type == c"bpf_struct_ops_some_ops"));
    let enums: Vec<_> = def.ops.as_ref().unwrap().enums.iter().map(|of| (of.map, of.offset)).collect();
    assert_eq!(enums, [(ops::maps::rodata.0, 0), (ops::maps::rodata.0, 8)]);
    let has = |name| maps[0].members.iter().any(|member| member.name == name);
    // A callback is there where a map has it.
    assert!(has(c"second") && has(c"mode") && !has(c"first") && !has(c"owner") && !has(c"inner") && !has(c"bits"));
}

fn main() {
    check_calls();
    check_ops();
    check::<ops::OpsObject>("ops", 3, 2);
    check::<calls::Calls>("calls", 2, 8);
    check::<globals::GlobalsObject>("globals", 5, 1);
    check::<many_progs::ManyProgs>("many_progs", 1, 40);
    check::<nothing::Nothing>("nothing", 0, 1);
    check::<slots::Slots>("slots", 6, 2);
    check::<externs::Externs>("externs", 2, 1);

    use globals::globals as sections;
    assert_eq!(sections::rodata.start(), [7, 0, 0, 0, 1]);
    assert_eq!(sections::data.start(), [3, 0, 0, 0, 0x65, 0, 0, 0, 1]);
    assert_eq!(&sections::data_read_mostly.start(), b"four\0");
    assert_eq!(sections::bss.start(), [0; 48]);
    assert_eq!(globals::maps::data_read_mostly.0, 3);
    // What only the module before the load may change, and what it may not change at all.
    assert!(globals::Rodata::FROZEN && !globals::Bss::FROZEN);
    assert!(globals::DataGuarded::GAPS.len() > 0);

    let def = slots::Slots::DEF;
    let puts: Vec<_> = def
        .commands
        .iter()
        .filter_map(|(_, command)| match *command {
            Command::PutProg(map, prog) => Some((map, prog)),
            _ => None,
        })
        .collect();
    assert_eq!(puts, [(3, 0), (3, 1)]);
    let jumps = &def.maps[slots::maps::jumps.0];
    assert_eq!((jumps.map_type, jumps.frozen), (3, false));
    let second = &def.progs[slots::progs::second.0];
    assert_eq!(second.section, c"raw_tp");
    // A `bpf_attr` of a load has the prog's name from byte 48 on, one of a map's creation max_entries from 12 on.
    let load = second.attr as usize;
    assert_eq!(&def.data[load + 48..load + 55], b"second\0");
    let create = jumps.attr as usize;
    assert_eq!(def.data[create + 12..create + 16], jumps.max_entries.to_le_bytes());
}
