// SPDX-License-Identifier: GPL-2.0

//! Loads all, attaches all, keeps the link. On a machine whose JIT cannot throw the load fails.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/exceptions.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/exceptions.lskel-big-endian.rs"
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
use object::Exceptions;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<Exceptions>::open().load()?.attach()?)
}
