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
        Open,
        Skeleton, //
    },
    Held, //
};
use object::TracingCookies;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Open<TracingCookies>>::open().load()?;
    let progs = skeleton.progs();
    hold([
        progs.cookie_fentry.attach_with_cookie(1)?,
        progs.cookie_fentry2.attach_with_cookie(10)?,
        progs.cookie_fexit.attach_with_cookie(100)?,
        progs.cookie_fmod_ret.attach_with_cookie(1000)?,
        progs.cookie_tp_btf.attach_with_cookie(10_000)?,
    ])
}
