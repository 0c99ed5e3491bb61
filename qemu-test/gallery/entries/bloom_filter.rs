// SPDX-License-Identifier: GPL-2.0

//! The plainest way: load all, attach all to what their sections name, keep the links.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/bloom_filter.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/bloom_filter.lskel-big-endian.rs"
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
use object::BloomFilter;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<BloomFilter>::open().load()?.attach()?)
}
