// SPDX-License-Identifier: GPL-2.0

//! Loads and attaches all. Functions are no progs: they come with those that call them.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/global_functions.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/global_functions.lskel-big-endian.rs"
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
use object::GlobalFunctions;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<GlobalFunctions>::open().load()?.attach()?)
}
