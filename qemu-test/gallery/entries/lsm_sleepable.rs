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
        Skeleton, //
    },
    Held, //
};
use object::{
    progs,
    LsmSleepable, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<LsmSleepable>::open().load()?;

    hold(skeleton.prog(progs::locked).attach()?)
}
