// SPDX-License-Identifier: GPL-2.0

//! Loads and attaches all. The writer is in user space.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/user_ring_buffer.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/user_ring_buffer.lskel-big-endian.rs"
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
use object::UserRingBuffer;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<UserRingBuffer>::open().load()?.attach()?)
}
