// SPDX-License-Identifier: GPL-2.0

//! Loads all, attaches all, keeps the link.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/strings.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/strings.lskel-big-endian.rs"
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
use object::Strings;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<Strings>::open().load()?.attach()?)
}
