// SPDX-License-Identifier: GPL-2.0

//! KUnit tests: data that are none.

use super::{
    abi,
    object::{
        ObjectData,
        ObjectDef, //
    },
    LoadError,
    Skeleton,
    Step, //
};
use crate::bpf::syscall::{
    self,
    MapCreate, //
};
use kernel::{
    bindings,
    macros::kunit_tests,
    prelude::*, //
};

/// An object without maps and progs, and with a table of its own.
const fn object(data: &'static [u8]) -> ObjectDef {
    ObjectDef {
        name: c"broken",
        data: ObjectData::new(data),
        btf: None,
        ops: None,
        maps: &[],
        progs: &[],
        commands: &[],
    }
}

fn load(def: &'static ObjectDef) -> Option<LoadError> {
    // SAFETY: the tables of these tests name no address.
    unsafe { Skeleton::open_def(def, None) }.load().err()
}

/// The number that the next fd gets.
fn next_fd() -> Result<u32> {
    let map = syscall::map_create(&MapCreate {
        map_type: bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
        map_name: c"kunit",
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        map_flags: 0,
    })?;

    Ok(map.as_raw())
}

/// A table of ops that need no more than that, with its head before it.
const fn table<const LEN: usize>(ops: &[u8]) -> [u8; LEN] {
    let mut data = [0; LEN];
    let head = abi::CELLS.to_ne_bytes();
    let mut at = 0;

    while at < 4 {
        data[at] = head[at];
        // The last record.
        data[4 + at] = (LEN as u32 - 16).to_ne_bytes()[at];
        at += 1;
    }
    at = 0;
    while at < ops.len() {
        data[abi::CELLS as usize + 16 * at] = ops[at];
        at += 1;
    }
    data
}

#[kunit_tests(rust_lskel)]
mod suite {
    use super::*;

    #[test]
    fn a_table_of_nothing_is_loaded_and_leaves_no_fd() -> Result {
        static NOTHING: ObjectDef = object(&table::<56>(&[abi::END, abi::END, abi::END]));
        let before = next_fd()?;

        assert!(load(&NOTHING).is_none());
        assert_eq!(next_fd()?, before);
        Ok(())
    }

    #[test]
    fn an_op_that_is_none_is_refused_and_leaves_no_fd() -> Result {
        static BROKEN: ObjectDef = object(&table::<56>(&[0xff, abi::END, abi::END]));
        let before = next_fd()?;
        let error = load(&BROKEN).ok_or(EINVAL)?;

        assert!(matches!(error.step(), Step::WalkTable));
        assert_eq!(error.error(), EINVAL);
        assert_eq!(next_fd()?, before);
        Ok(())
    }

    #[test]
    fn data_of_the_other_byte_order_are_refused() -> Result {
        // Whichever order the machine has, this is no small number.
        static OTHER: ObjectDef = object(&[1, 0, 0, 1, 1, 0, 0, 1]);
        static NONE: ObjectDef = object(&[]);

        for def in [&OTHER, &NONE] {
            let error = load(def).ok_or(EINVAL)?;

            assert!(matches!(error.step(), Step::FillLoaderMap));
            assert_eq!(error.error(), EINVAL);
        }
        Ok(())
    }
}
