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
        Skeleton, //
    },
    Held, //
};
use object::{
    progs,
    IterLink, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<IterLink>::open().load()?;

    hold(skeleton.prog(progs::list_links).attach()?)
}
