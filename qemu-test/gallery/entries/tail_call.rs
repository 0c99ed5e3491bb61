// SPDX-License-Identifier: GPL-2.0

//! Attaches one prog, and keeps the array open through which it calls the other: the kernel empties a prog array
//! that nobody has open.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/tail_call.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/tail_call.lskel-big-endian.rs"
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
    maps,
    progs,
    TailCall, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<TailCall>::open().load()?;
    let jump_slots = skeleton.keep_open(maps::jump_slots)?;

    hold((skeleton.prog(progs::before_jump).attach()?, jump_slots))
}
