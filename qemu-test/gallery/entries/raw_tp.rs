// SPDX-License-Identifier: GPL-2.0

//! The same prog twice. The kernel takes the tracepoint's name from the memory of the process that calls insmod: a
//! kernel thread cannot attach such a prog.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/raw_tp.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/raw_tp.lskel-big-endian.rs"
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
use object::RawTp;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Open<RawTp>>::open().load()?;
    let progs = skeleton.progs();
    hold([
        progs.raw_tp_finish.attach_with_cookie(1)?,
        progs.raw_tp_finish.attach_with_cookie(2)?,
        progs.raw_tp_trigger.attach()?,
    ])
}
