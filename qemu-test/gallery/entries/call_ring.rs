// SPDX-License-Identifier: GPL-2.0

//! Sends two records.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/call_ring.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/call_ring.lskel-big-endian.rs"
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
    args::message,
    progs,
    CallRing, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skel = Skeleton::<CallRing>::open().load()?;
    let send = skel.prog(progs::ring_send).function()?;

    for text in [&b"one"[..], b"and another"] {
        let mut args = message {
            len: text.len() as u32,
            ..Zeroable::zeroed()
        };

        args.text
            .iter_mut()
            .zip(text)
            .for_each(|(to, from)| *to = *from);
        send.call(&mut args);
    }
    // There are not so many bytes.
    let ret = send.call(&mut message {
        len: 61,
        ..Zeroable::zeroed()
    });
    pr_info!("call_ring: a record of 61 bytes: {ret}\n");
    hold(send)
}
