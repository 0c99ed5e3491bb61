// SPDX-License-Identifier: GPL-2.0

//! Loads and attaches all.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/lru_hash.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/lru_hash.lskel-big-endian.rs"
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
use object::LruHash;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<LruHash>::open().load()?.attach()?)
}
