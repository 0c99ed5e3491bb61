// SPDX-License-Identifier: GPL-2.0

//! Loads and attaches all. The inner maps are in their slots when `load()` returns.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/map_in_map.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/map_in_map.lskel-big-endian.rs"
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
use object::MapInMap;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<MapInMap>::open().load()?.attach()?)
}
