// SPDX-License-Identifier: GPL-2.0

//! Keeps a map open beside the link: the kernel takes no work in a map that nobody has open.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/workqueue.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/workqueue.lskel-big-endian.rs"
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
    Workqueue, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Workqueue>::open().load()?;
    let jobs = skeleton.keep_open(maps::jobs)?;

    hold((skeleton.attach()?, jobs))
}
