// SPDX-License-Identifier: GPL-2.0

//! To a network namespace, which goes by an fd of its file.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/sk_lookup.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/sk_lookup.lskel-big-endian.rs"
)]
mod object;

use crate::{
    hold,
    lskel::{
        open_target,
        LoadError,
        Skeleton, //
    },
    Held, //
};
use kernel::prelude::*;
use object::{
    progs,
    SkLookup, //
};

/// The network namespace of the process that loads the module.
const NETNS: &CStr = c"/proc/self/ns/net";

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<SkLookup>::open().load()?;
    let netns = open_target(NETNS)?;

    hold(skeleton.prog(progs::choose_socket).attach_netns(&netns)?)
}
