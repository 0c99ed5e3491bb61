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
        Skeleton, //
    },
    Held, //
};
use object::{
    progs,
    RawTp, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<RawTp>::open().load()?;

    hold([
        skeleton.prog(progs::raw_tp_finish).attach_with_cookie(1)?,
        skeleton.prog(progs::raw_tp_finish).attach_with_cookie(2)?,
        skeleton.prog(progs::raw_tp_trigger).attach()?,
    ])
}
