// SPDX-License-Identifier: GPL-2.0

//! The maps belong to the object itself. Those of others have fds as well.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/iter_map_elem.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/iter_map_elem.lskel-big-endian.rs"
)]
mod object;

use crate::{
    bpf::syscall::IterTarget,
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use object::{
    maps,
    progs,
    IterMapElem, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<IterMapElem>::open().load()?;

    hold([
        skeleton
            .prog(progs::list_elements)
            .attach_iter(IterTarget::Map(skeleton.map(maps::iter_hash)))?,
        skeleton
            .prog(progs::list_storages)
            .attach_iter(IterTarget::Map(skeleton.map(maps::iter_sk_storage)))?,
    ])
}
