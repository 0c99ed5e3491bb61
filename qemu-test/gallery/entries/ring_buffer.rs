// SPDX-License-Identifier: GPL-2.0

//! Loads and attaches all. The reader is in user space.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/ring_buffer.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/ring_buffer.lskel-big-endian.rs"
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
use object::RingBuffer;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<RingBuffer>::open().load()?.attach()?)
}
