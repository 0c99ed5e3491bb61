// SPDX-License-Identifier: GPL-2.0

//! Fills a map, and has it swept twice.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/call_each.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/call_each.lskel-big-endian.rs"
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
    args::{
        element,
        sweep, //
    },
    progs,
    CallEach, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skel = Skeleton::<CallEach>::open().load()?;
    let add = skel.prog(progs::each_add).function()?;
    let sweep_out = skel.prog(progs::each_sweep).function()?;

    for key in 1..=10 {
        add.call(&mut element {
            key,
            value: u64::from(100 * key),
            ..Zeroable::zeroed()
        });
    }
    for limit in [700, 200] {
        let mut args = sweep {
            limit,
            ..Zeroable::zeroed()
        };
        let visited = sweep_out.call(&mut args);

        pr_info!(
            "call_each: of {visited} {} are over {limit}; the others have {}\n",
            args.taken_out,
            args.sum
        );
    }
    hold((add, sweep_out))
}
