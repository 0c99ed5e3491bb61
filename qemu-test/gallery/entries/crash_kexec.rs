// SPDX-License-Identifier: GPL-2.0

//! Keeps a prog without attaching it. Whoever runs insmod has to have `CAP_SYS_BOOT`, or the verifier refuses it.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/crash_kexec.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/crash_kexec.lskel-big-endian.rs"
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
    CrashKexec, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<CrashKexec>::open().load()?;

    hold(skeleton.prog(progs::crash_on_error).keep_open()?)
}
