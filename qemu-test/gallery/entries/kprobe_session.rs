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
        Open,
        Skeleton, //
    },
    Held, //
};
use object::KprobeSession;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Open<KprobeSession>>::open().load()?;
    let progs = skeleton.progs();
    let functions = [c"bpf_fentry_test1", c"bpf_fentry_test2"];

    hold([
        progs.session.attach_functions(&functions, &[1, 2])?,
        progs.session_trigger.attach()?,
    ])
}
