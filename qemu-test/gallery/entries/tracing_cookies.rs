// SPDX-License-Identifier: GPL-2.0

//! A cookie for each prog: what `bpf_get_attach_cookie()` gives it.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/tracing_cookies.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/tracing_cookies.lskel-big-endian.rs"
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
    TracingCookies, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<TracingCookies>::open().load()?;

    hold([
        skeleton.prog(progs::cookie_fentry).attach_with_cookie(1)?,
        skeleton
            .prog(progs::cookie_fentry2)
            .attach_with_cookie(10)?,
        skeleton.prog(progs::cookie_fexit).attach_with_cookie(100)?,
        skeleton
            .prog(progs::cookie_fmod_ret)
            .attach_with_cookie(1000)?,
        skeleton
            .prog(progs::cookie_tp_btf)
            .attach_with_cookie(10_000)?,
    ])
}
