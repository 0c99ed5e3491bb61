// SPDX-License-Identifier: GPL-2.0

//! Loads and attaches all. The kernel's variable is found by name when the prog is loaded.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/percpu.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/percpu.lskel-big-endian.rs"
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
use object::Percpu;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<Percpu>::open().load()?.attach()?)
}
