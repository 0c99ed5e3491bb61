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
        Skeleton, //
    },
    Held, //
};
use object::{
    maps,
    MaxEntries, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let mut open = Skeleton::<MaxEntries>::open();

    open.set_max_entries(maps::sized_by_module, 3)?;
    hold(open.load()?.attach()?)
}
