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
        Open,
        Skeleton, //
    },
    Held, //
};
use object::RingBuffer;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Open<RingBuffer>>::open().load()?.attach()?;

    hold(skeleton.into_links())
}
