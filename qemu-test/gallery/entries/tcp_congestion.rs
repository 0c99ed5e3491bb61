// SPDX-License-Identifier: GPL-2.0

//! Registers two congestion controls, with a name of its own for the first; the others are refused, and say why. They
//! are gone when the module is, whatever connections have them.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/tcp_congestion.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/tcp_congestion.lskel-big-endian.rs"
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
    TcpCongestion, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let mut skel = Skeleton::<TcpCongestion>::open();

    // No kernel has this member.
    if let Err(e) = skel.load() {
        pr_info!("tcp_congestion: {e}\n");
    }
    let linked = skel.ops_mut(ops::linked)?;

    linked.no_such_callback.leave_out();
    linked.name = *b"gallery\0\0\0\0\0\0\0\0\0";
    // Nor this one.
    linked.no_such_number = 1;
    if let Err(e) = skel.load() {
        pr_info!("tcp_congestion: {e}\n");
    }
    skel.ops_mut(ops::linked)?.no_such_number = 0;

    let skel = skel.load()?;
    let registered = (skel.register(ops::linked)?, skel.register(ops::plain)?);

    for refused in [
        skel.register(ops::same_name),
        skel.register(ops::without_undo),
        // It is registered already.
        skel.register(ops::linked),
        skel.register(ops::plain),
    ] {
        if let Err(e) = refused {
            pr_info!("tcp_congestion: {e}\n");
        }
    }
    hold(registered)
}
