// SPDX-License-Identifier: GPL-2.0

//! UDP sockets as a file: an iterator, for `bpf-preload-pin --iter udp_sockets`.
//!
//! The module holds the iterator's link while it is loaded; a file that pins it holds it from then
//! on.

#![deny(unsafe_code)]

mod bpf;
mod lskel;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(target_endian = "little", path = "sockets.lskel-little-endian.rs")]
#[cfg_attr(target_endian = "big", path = "sockets.lskel-big-endian.rs")]
mod sockets;

use bpf::link::IterLink;
use kernel::prelude::*;
use lskel::{
    LoadError,
    Skeleton, //
};
use sockets::{
    progs,
    Sockets, //
};

module! {
    type: UdpSockets,
    name: "sockets",
    authors: ["The bpf_preload_rs developers"],
    description: "BPF iterator over UDP sockets, for a file in bpffs",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

struct UdpSockets {
    _link: IterLink,
}

impl UdpSockets {
    fn load() -> Result<Self, LoadError> {
        let skel = Skeleton::<Sockets>::open().load()?;

        Ok(Self {
            _link: skel.prog(progs::udp_sockets).attach()?,
        })
    }
}

impl kernel::Module for UdpSockets {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self::load().inspect_err(|e| pr_err!("{e}\n"))?)
    }
}
