// SPDX-License-Identifier: GPL-2.0

//! To an interface, which goes by its number.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/xdp.lskel-little-endian.rs"
)]
#[cfg_attr(target_endian = "big", path = "../generated/xdp.lskel-big-endian.rs")]
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
    Xdp, //
};

/// lo has this number in each network namespace.
const LOOPBACK: u32 = 1;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Xdp>::open().load()?;

    hold(
        skeleton
            .prog(progs::xdp_drop)
            .attach_interface(LOOPBACK, 0)?,
    )
}
