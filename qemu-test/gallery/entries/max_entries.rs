// SPDX-License-Identifier: GPL-2.0

//! Sets the size of a map before the load.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/max_entries.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/max_entries.lskel-big-endian.rs"
)]
mod object;

use crate::{
    hold,
    lskel::{
        LoadError,
        Open,
        Skeleton, //
    },
    Held, //
};
use object::MaxEntries;

pub(crate) fn load() -> Result<Held, LoadError> {
    let mut open = Skeleton::<Open<MaxEntries>>::open();

    open.max_entries_mut().sized_by_module = 3;
    hold(open.load()?.attach()?.into_links())
}
