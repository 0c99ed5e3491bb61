// SPDX-License-Identifier: GPL-2.0

//! The kernel has two commands that attach an LSM prog. The second takes a cookie.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/lsm_deny.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/lsm_deny.lskel-big-endian.rs"
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
use kernel::prelude::*;
use object::{
    progs,
    LsmDeny, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<LsmDeny>::open().load()?;
    let ebusy = EBUSY.to_errno().unsigned_abs().into();

    hold([
        // BPF_RAW_TRACEPOINT_OPEN
        skeleton.prog(progs::keep_file).attach()?,
        // BPF_LINK_CREATE
        skeleton
            .prog(progs::keep_folder)
            .attach_with_cookie(ebusy)?,
    ])
}
