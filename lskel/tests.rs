// SPDX-License-Identifier: GPL-2.0

//! KUnit tests: blobs that are none.

use super::{
    fields,
    LoadError,
    MapDef,
    Object,
    Open,
    ProgDef,
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

fields! {
    struct Nothing {}
}

/// An object of `DATA` bytes of data, with two instructions made of `BYTE`.
enum Broken<const DATA: usize, const BYTE: u8> {}

// SAFETY: no loader prog comes of these: the verifier refuses the instructions.
unsafe impl<const DATA: usize, const BYTE: u8> Object for Broken<DATA, BYTE> {
    type Maps = Nothing<()>;
    type Progs = Nothing<()>;
    type Sections = ();

    const NAME: &'static CStr = c"broken";
    const DATA: &'static [u8] = &[0; DATA];
    const INSNS: &'static [u8] = &[BYTE; 16];
    const MAPS: Nothing<MapDef> = Nothing { none: [] };
    const PROGS: Nothing<ProgDef> = Nothing { none: [] };
    const SECTIONS: () = ();
}

fn load<const DATA: usize, const BYTE: u8>() -> Option<LoadError> {
    Skeleton::<Open<Broken<DATA, BYTE>>>::open().load().err()
}

/// The number that the next fd gets.
fn next_fd() -> Result<u32> {
    let map = syscall::map_create(&MapCreate {
        map_type: bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
        map_name: c"kunit",
        key_size: 4,
        value_size: 8,
        max_entries: 1,
    })?;

    Ok(map.as_raw())
}

#[kunit_tests(rust_lskel)]
mod suite {
    use super::*;

    #[test]
    fn a_blob_that_is_no_loader_is_refused_and_leaves_no_fd() -> Result {
        let before = next_fd()?;
        let error = load::<8, 0xff>().ok_or(EINVAL)?;

        assert!(matches!(error.step(), Step::LoadLoaderProg));
        assert_eq!(error.error(), EINVAL);
        assert_eq!(next_fd()?, before);
        Ok(())
    }

    #[test]
    fn a_blob_without_data_is_refused() -> Result {
        let error = load::<0, 0>().ok_or(EINVAL)?;

        assert!(matches!(error.step(), Step::CreateLoaderMap));
        assert_eq!(error.error(), EINVAL);
        Ok(())
    }
}
