// SPDX-License-Identifier: GPL-2.0

//! To an interface, which goes by its number.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/tcx.lskel-little-endian.rs"
)]
#[cfg_attr(target_endian = "big", path = "../generated/tcx.lskel-big-endian.rs")]
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
    Tcx, //
};

/// lo has this number in each network namespace.
const LOOPBACK: u32 = 1;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Tcx>::open().load()?;

    hold([
        skeleton
            .prog(progs::tcx_change)
            .attach_interface(LOOPBACK, 0)?,
        skeleton
            .prog(progs::tcx_drop)
            .attach_interface(LOOPBACK, 0)?,
    ])
}
