// SPDX-License-Identifier: GPL-2.0

//! One prog at the start and at the end of a function, with a number that it keeps from one to the other.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/fsession.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/fsession.lskel-big-endian.rs"
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
    Fsession, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skel = Skeleton::<Fsession>::open().load()?;

    hold(skel.prog(progs::session).attach_with_cookie(7)?)
}
