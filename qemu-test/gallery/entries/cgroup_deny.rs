// SPDX-License-Identifier: GPL-2.0

//! To a cgroup, which goes by an fd of its folder. The fd is closed once the progs are attached.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/cgroup_deny.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/cgroup_deny.lskel-big-endian.rs"
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
    CgroupDeny, //
};

/// Here cgroup2 is mounted: all processes are in its root or below. The folder of any cgroup would do.
const CGROUP: &CStr = c"/sys/fs/cgroup";

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<CgroupDeny>::open().load()?;
    let root = open_target(CGROUP)?;

    hold([
        skeleton.prog(progs::deny_sysctl).attach_cgroup(&root)?,
        skeleton.prog(progs::deny_device).attach_cgroup(&root)?,
    ])
}
