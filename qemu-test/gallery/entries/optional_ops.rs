// SPDX-License-Identifier: GPL-2.0

//! Two skeletons of one object: the first has one struct_ops map and three progs. Of the second, which was made with
//! `lskel-gen --load sometimes`, the map that the first lacks is registered.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/optional_ops.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/optional_ops.lskel-big-endian.rs"
)]
mod object;

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/asked/optional_ops.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/asked/optional_ops.lskel-big-endian.rs"
)]
mod asked;

use crate::{
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use kernel::prelude::*;

pub(crate) fn load() -> Result<Held, LoadError> {
    let first = Skeleton::<object::OptionalOps>::open().load()?;
    let second = Skeleton::<asked::OptionalOps>::open().load()?;

    pr_info!(
        "optional_ops: {} and {} progs\n",
        first.prog_ids()?.len(),
        second.prog_ids()?.len()
    );
    hold((
        first.register(object::ops::always)?,
        second.register(asked::ops::sometimes)?,
    ))
}
