// SPDX-License-Identifier: GPL-2.0

//! Iterators that are told nothing when they are attached.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/iter_socket.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/iter_socket.lskel-big-endian.rs"
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
    IterSocket, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<IterSocket>::open().load()?;

    hold([
        skeleton.prog(progs::list_tcp).attach()?,
        skeleton.prog(progs::list_udp).attach()?,
    ])
}
