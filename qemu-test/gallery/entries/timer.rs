// SPDX-License-Identifier: GPL-2.0

//! Keeps a map open beside the link: the kernel takes no timers in a map that nobody has open.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/timer.lskel-little-endian.rs"
)]
#[cfg_attr(target_endian = "big", path = "../generated/timer.lskel-big-endian.rs")]
mod object;

use crate::{
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use object::{
    maps,
    Timer, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Timer>::open().load()?;
    let alarms = skeleton.keep_open(maps::alarms)?;

    hold((skeleton.attach()?, alarms))
}
