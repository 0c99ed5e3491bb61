// SPDX-License-Identifier: GPL-2.0

//! A load that fails.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/missing_kfunc.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/missing_kfunc.lskel-big-endian.rs"
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
use object::MissingKfunc;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<MissingKfunc>::open().load()?.attach()?)
}
