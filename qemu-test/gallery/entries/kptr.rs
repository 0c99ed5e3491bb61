// SPDX-License-Identifier: GPL-2.0

//! The task that is kept goes with the map, and the map with the link.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/kptr.lskel-little-endian.rs"
)]
#[cfg_attr(target_endian = "big", path = "../generated/kptr.lskel-big-endian.rs")]
mod object;

use crate::{
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use object::Kptr;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<Kptr>::open().load()?.attach()?)
}
