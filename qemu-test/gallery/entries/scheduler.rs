// SPDX-License-Identifier: GPL-2.0

//! Registers a scheduler, gives it up, and registers it once more. Another one beside it is refused.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/scheduler.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/scheduler.lskel-big-endian.rs"
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
    ops,
    Scheduler, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let mut skel = Skeleton::<Scheduler>::open();

    // A task that is left waiting for so long is a reason to throw it out.
    skel.ops_mut(ops::first)?.timeout_ms = 5000;

    let skel = skel.load()?;

    drop(skel.register(ops::first)?);
    let registered = skel.register(ops::first)?;

    if let Err(e) = skel.register(ops::second) {
        pr_info!("scheduler: {e}\n");
    }
    hold(registered)
}
