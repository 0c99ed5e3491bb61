// SPDX-License-Identifier: GPL-2.0

//! The progs keep the maps, and the links the progs.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/dynptr.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/dynptr.lskel-big-endian.rs"
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
use object::Dynptr;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<Dynptr>::open().load()?.attach()?)
}
