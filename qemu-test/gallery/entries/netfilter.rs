// SPDX-License-Identifier: GPL-2.0

//! To a hook of netfilter, at a priority of its own among those who are there.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/netfilter.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/netfilter.lskel-big-endian.rs"
)]
mod object;

use crate::{
    bpf::syscall::NetfilterHook,
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use object::{
    progs,
    Netfilter, //
};

// From `linux/netfilter.h`; not every `kernel::bindings` has them.
const NFPROTO_IPV4: u32 = 2;
const NF_INET_LOCAL_IN: u32 = 1;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Netfilter>::open().load()?;

    hold(
        skeleton
            .prog(progs::nf_drop)
            .attach_netfilter(NetfilterHook {
                pf: NFPROTO_IPV4,
                hooknum: NF_INET_LOCAL_IN,
                priority: -128,
                flags: 0,
            })?,
    )
}
