// SPDX-License-Identifier: GPL-2.0

//! To a cgroup, which goes by an fd of its folder. The fd is closed once the prog is attached.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/cgroup_connect.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/cgroup_connect.lskel-big-endian.rs"
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
    CgroupConnect, //
};

/// Here cgroup2 is mounted: all processes are in its root or below. The folder of any cgroup would do.
const CGROUP: &CStr = c"/sys/fs/cgroup";

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<CgroupConnect>::open().load()?;
    let root = open_target(CGROUP)?;

    hold(skeleton.prog(progs::redirect).attach_cgroup(&root)?)
}
