// SPDX-License-Identifier: GPL-2.0

//! Loads all, attaches all, keeps the links.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/open_coded_iter.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/open_coded_iter.lskel-big-endian.rs"
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
use object::OpenCodedIter;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<OpenCodedIter>::open().load()?.attach()?)
}
