// SPDX-License-Identifier: GPL-2.0

//! An arena is a map like any other, as long as it has no variables of its own.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/arena.lskel-little-endian.rs"
)]
#[cfg_attr(target_endian = "big", path = "../generated/arena.lskel-big-endian.rs")]
mod object;

use crate::{
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use object::Arena;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<Arena>::open().load()?.attach()?)
}
