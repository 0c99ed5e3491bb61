// SPDX-License-Identifier: GPL-2.0

//! What is left in the list goes with the map, and the map with the link.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/linked_list.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/linked_list.lskel-big-endian.rs"
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
use object::LinkedList;

pub(crate) fn load() -> Result<Held, LoadError> {
    hold(Skeleton::<LinkedList>::open().load()?.attach()?)
}
