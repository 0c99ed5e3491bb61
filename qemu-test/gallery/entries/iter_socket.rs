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
        Open,
        Skeleton, //
    },
    Held, //
};
use object::IterSocket;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Open<IterSocket>>::open().load()?;
    let progs = skeleton.progs();
    hold([progs.list_tcp.attach()?, progs.list_udp.attach()?])
}
