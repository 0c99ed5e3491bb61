// SPDX-License-Identifier: GPL-2.0

//! Nothing to do here: the kernel finds its functions when it loads the progs.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/kfuncs.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/kfuncs.lskel-big-endian.rs"
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
use object::Kfuncs;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<Kfuncs>::open().load()?.attach()?)
}
