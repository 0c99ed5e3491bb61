// SPDX-License-Identifier: GPL-2.0

//! A list of functions, with a cookie for each, as for kprobe.multi.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/kprobe_session.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/kprobe_session.lskel-big-endian.rs"
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
    KprobeSession, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<KprobeSession>::open().load()?;
    let functions = [c"bpf_fentry_test1", c"bpf_fentry_test2"];

    hold([
        skeleton
            .prog(progs::session)
            .attach_functions(&functions, &[1, 2])?,
        skeleton.prog(progs::session_trigger).attach()?,
    ])
}
