// SPDX-License-Identifier: GPL-2.0

//! Loads and attaches all. A map lives as long as a prog that uses it.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/hash.lskel-little-endian.rs"
)]
#[cfg_attr(target_endian = "big", path = "../generated/hash.lskel-big-endian.rs")]
mod object;

use crate::{
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use object::Hash;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<Hash>::open().load()?.attach()?)
}
