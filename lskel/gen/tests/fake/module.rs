// SPDX-License-Identifier: GPL-2.0

//! A stand-in for the kernel module: the generated code is compiled against it and its words are checked.
//! `tests/compiles.rs` puts this file beside the generated ones.

#![allow(dead_code, unused_imports, unused_macros)]

extern crate self as kernel;

pub mod prelude {
    pub use core::ffi::CStr;
}

#[path = "globals.lskel-little-endian.rs"]
mod globals;
#[path = "many_progs.lskel-little-endian.rs"]
mod many_progs;
#[path = "nothing.lskel-little-endian.rs"]
mod nothing;
#[path = "slots.lskel-little-endian.rs"]
mod slots;
#[path = "externs.lskel-little-endian.rs"]
mod externs;

pub mod lskel {
    #[path = "fields.rs"]
    mod real;
    pub(crate) use real::{fields, Fields};

    use std::cell::UnsafeCell;
    use std::ffi::CStr;
    use std::marker::PhantomData;

    #[repr(transparent)]
    pub(crate) struct Var<T>(UnsafeCell<T>);

    pub(crate) unsafe trait Globals {}

    type Field<O> = fn(&<<O as Object>::Maps as Fields>::Of<usize>) -> &usize;

    pub(crate) struct Section<O: Object, T> {
        pub offset: usize,
        pub map: Field<O>,
        globals: PhantomData<T>,
    }

    impl<O: Object, T: Globals> Section<O, T> {
        pub(crate) const unsafe fn new(offset: usize, map: Field<O>) -> Self {
            Self { offset, map, globals: PhantomData }
        }

        /// The first bytes of the initial value.
        pub(crate) fn start<const N: usize>(&self) -> [u8; N] {
            assert!(self.offset + size_of::<T>() <= O::DATA.len().next_multiple_of(8));
            O::DATA[self.offset..self.offset + N].try_into().unwrap()
        }
    }

    #[derive(Clone, Copy)]
    pub(crate) struct MapDef {
        pub name: &'static CStr,
        pub map_type: u32,
        pub key_size: u32,
        pub value_size: u32,
        pub max_entries: u32,
    }

    #[derive(Clone, Copy)]
    pub(crate) struct ProgDef {
        pub name: &'static CStr,
        pub section: &'static CStr,
        pub prog_type: u32,
        pub expected_attach_type: u32,
        pub attr: u32,
    }

    pub(crate) unsafe trait Object: Sized {
        type Maps: Fields;
        type Progs: Fields;
        type Sections: 'static;
        const NAME: &'static CStr;
        const DATA: &'static [u8];
        const MAPS: <Self::Maps as Fields>::Of<MapDef>;
        const PROGS: <Self::Progs as Fields>::Of<ProgDef>;
        const SECTIONS: Self::Sections;
    }
}

use lskel::{Fields, Object};

/// Counts fields.
fn count<F: Fields, T>(fields: F::Of<T>) -> usize {
    let mut count = 0;
    F::map(fields, |_| count += 1);
    count
}

/// What must be true of every object.
fn check<O: Object>(name: &str, maps: usize, progs: usize) {
    assert_eq!(O::NAME.to_str(), Ok(name));
    assert_eq!(O::DATA.len() % 8, 0);
    assert_eq!(count::<O::Maps, _>(O::MAPS), maps);
    assert_eq!(count::<O::Progs, _>(O::PROGS), progs);
}

fn main() {
    check::<globals::GlobalsObject>("globals", 5, 1);
    check::<many_progs::ManyProgs>("many_progs", 1, 40);
    check::<nothing::Nothing>("nothing", 0, 1);
    check::<slots::Slots>("slots", 6, 2);
    check::<externs::Externs>("externs", 2, 1);

    let sections = &globals::GlobalsObject::SECTIONS;
    assert_eq!(sections.rodata.start(), [7, 0, 0, 0, 1]);
    assert_eq!(sections.data.start(), [3, 0, 0, 0, 0x65, 0, 0, 0, 1]);
    assert_eq!(&sections.data_read_mostly.start(), b"four\0");
    assert_eq!(sections.bss.start(), [0; 48]);
    let maps = globals::Maps { rodata: 0, data: 1, data_guarded: 2, data_read_mostly: 3, bss: 4 };
    assert_eq!(*(sections.data_read_mostly.map)(&maps), 3);

    assert_eq!(slots::Slots::MAPS.jumps.map_type, 3);
    assert_eq!(slots::Slots::PROGS.second.section, c"raw_tp");
    // A `bpf_attr` of a load has the prog's name from byte 48 on.
    let load = slots::Slots::PROGS.second.attr as usize;
    assert_eq!(&slots::Slots::DATA[load + 48..load + 55], b"second\0");
}
