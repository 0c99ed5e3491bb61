// SPDX-License-Identifier: GPL-2.0

//! A load that fails once it has opened the BTF of a module.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/module_btf.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/module_btf.lskel-big-endian.rs"
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
use object::ModuleBtf;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<ModuleBtf>::open().load()?.attach()?)
}
