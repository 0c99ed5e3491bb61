// SPDX-License-Identifier: GPL-2.0

//! Loads all, attaches all, keeps the links.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/for_each_elem.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/for_each_elem.lskel-big-endian.rs"
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
use object::ForEachElem;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<ForEachElem>::open().load()?.attach()?)
}
