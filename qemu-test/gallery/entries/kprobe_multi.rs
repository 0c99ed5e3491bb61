// SPDX-License-Identifier: GPL-2.0

//! Attaches by a list of functions, with a cookie for each, and by the name in a section.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/kprobe_multi.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/kprobe_multi.lskel-big-endian.rs"
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
    KprobeMulti, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<KprobeMulti>::open().load()?;
    let functions = [c"bpf_fentry_test1", c"bpf_fentry_test2"];

    hold([
        skeleton
            .prog(progs::count)
            .attach_functions(&functions, &[1, 2])?,
        skeleton.prog(progs::count_return).attach()?,
        skeleton.prog(progs::trigger).attach()?,
    ])
}
