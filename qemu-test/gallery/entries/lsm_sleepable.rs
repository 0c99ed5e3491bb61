// SPDX-License-Identifier: GPL-2.0

//! Attached like any LSM prog.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/lsm_sleepable.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/lsm_sleepable.lskel-big-endian.rs"
)]
mod object;

use crate::{
    hold,
    lskel::{
        LoadError,
        Open,
        Skeleton, //
    },
    Held, //
};
use object::LsmSleepable;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Open<LsmSleepable>>::open().load()?;
    let progs = skeleton.progs();
    hold(progs.locked.attach()?)
}
