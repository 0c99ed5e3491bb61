// SPDX-License-Identifier: GPL-2.0

//! An iterator that is told nothing when it is attached.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/iter_link.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/iter_link.lskel-big-endian.rs"
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
use object::IterLink;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Open<IterLink>>::open().load()?;
    let progs = skeleton.progs();
    hold(progs.list_links.attach()?)
}
