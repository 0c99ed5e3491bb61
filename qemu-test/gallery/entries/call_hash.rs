// SPDX-License-Identifier: GPL-2.0

//! Takes three progs as functions, which outlive the skeleton, and calls them. What a call returns is the prog's, and
//! here an errno if it is negative; that a prog cannot be called is an error of another type.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/call_hash.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/call_hash.lskel-big-endian.rs"
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
use kernel::{
    error::to_result,
    prelude::*, //
};
use object::{
    args::element,
    progs,
    CallHash, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skel = Skeleton::<CallHash>::open().load()?;
    let update = skel.prog(progs::hash_update).function()?;
    let lookup = skel.prog(progs::hash_lookup).function()?;
    let delete = skel.prog(progs::hash_delete).function()?;

    if let Err(e) = skel.prog(progs::hash_untyped).call(&mut ()) {
        pr_info!("call_hash: {e}\n");
    }
    // From here on there is no fd.
    drop(skel);

    // There is room for three.
    for key in 1..=4 {
        let mut args = element {
            key,
            value: u64::from(key * key),
            ..Zeroable::zeroed()
        };

        if let Err(e) = to_result(update.call(&mut args)) {
            pr_info!("call_hash: no room for {key}: {e:?}\n");
        }
    }
    for key in [2, 2] {
        let mut args = element {
            key,
            ..Zeroable::zeroed()
        };

        match to_result(lookup.call(&mut args)) {
            Ok(()) => pr_info!("call_hash: {key} is there: {}\n", args.value),
            Err(e) => pr_info!("call_hash: {key} is not there: {e:?}\n"),
        }
        delete.call(&mut args);
    }
    hold((update, lookup, delete))
}
