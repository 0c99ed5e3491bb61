// SPDX-License-Identifier: GPL-2.0

//! Nothing to do here: the kernel fills in its offsets and sizes when it loads the progs.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/core_fields.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/core_fields.lskel-big-endian.rs"
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
use object::CoreFields;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<CoreFields>::open().load()?.attach()?)
}
