// SPDX-License-Identifier: GPL-2.0

//! Nothing to do here: the kernel finds its symbols when it loads the progs. Without a strong one the load fails.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/ksyms.lskel-little-endian.rs"
)]
#[cfg_attr(target_endian = "big", path = "../generated/ksyms.lskel-big-endian.rs")]
mod object;

use crate::{
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use object::Ksyms;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<Ksyms>::open().load()?.attach()?)
}
