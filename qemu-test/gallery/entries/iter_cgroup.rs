// SPDX-License-Identifier: GPL-2.0

//! A cgroup is named by the fd of its folder, which is closed once the iterator is attached.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/iter_cgroup.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/iter_cgroup.lskel-big-endian.rs"
)]
mod object;

use crate::{
    bpf::syscall::IterTarget,
    hold,
    lskel::{
        open_target,
        LoadError,
        Skeleton, //
    },
    Held, //
};
use kernel::{
    bindings,
    prelude::*, //
};
use object::{
    progs,
    IterCgroup, //
};

/// A folder of cgroup2.
const CGROUP: &CStr = c"/sys/fs/cgroup";

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<IterCgroup>::open().load()?;
    let folder = open_target(CGROUP)?;

    hold([
        // Without a folder it is the root of cgroup2.
        skeleton
            .prog(progs::all_cgroups)
            .attach_iter(IterTarget::Cgroup(
                None,
                bindings::bpf_cgroup_iter_order_BPF_CGROUP_ITER_DESCENDANTS_PRE,
            ))?,
        skeleton
            .prog(progs::one_cgroup)
            .attach_iter(IterTarget::Cgroup(
                Some(&folder),
                bindings::bpf_cgroup_iter_order_BPF_CGROUP_ITER_SELF_ONLY,
            ))?,
    ])
}
