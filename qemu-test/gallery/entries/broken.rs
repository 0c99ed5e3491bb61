// SPDX-License-Identifier: GPL-2.0

//! A load that fails.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/broken.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/broken.lskel-big-endian.rs"
)]
mod object;

use crate::{
    hold,
    lskel::{
        param_value,
        LoadError,
        Skeleton, //
    },
    module_parameters,
    Held, //
};
use object::Broken;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Broken>::open()
        .log_level(param_value(module_parameters::log_level.value()))
        .load()?;

    hold(skeleton.attach()?)
}
