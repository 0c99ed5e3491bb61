// SPDX-License-Identifier: GPL-2.0

//! A TCP congestion control: sockets can have it, by its name, for as long as the module is loaded.
//! Connections that have it then keep it to their end.

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(target_endian = "little", path = "congestion.lskel-little-endian.rs")]
#[cfg_attr(target_endian = "big", path = "congestion.lskel-big-endian.rs")]
mod congestion;
mod lskel;

use congestion::{
    globals,
    ops,
    Bss,
    Congestion, //
};
use core::borrow::Borrow;
use kernel::prelude::*;
use lskel::{
    LoadError,
    Registered,
    Shared,
    Skeleton, //
};

module! {
    type: Keep,
    name: "congestion",
    authors: ["The bpf_preload_rs developers"],
    description: "TCP congestion control in BPF",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        keep: u32 {
            default: 70,
            description: "how much of its window a connection keeps after a loss, in percent",
        },
    },
}

struct Keep {
    bss: Shared<Bss>,
    _registered: Registered,
}

impl Keep {
    fn load() -> Result<Self, LoadError> {
        let mut skel = Skeleton::<Congestion>::open();
        let keep = *module_parameters::keep.value().borrow();

        skel.globals_mut(globals::rodata)?.keep.set(keep);
        let skel = skel.load()?;

        Ok(Self {
            bss: skel.globals(globals::bss)?,
            _registered: skel.register(ops::reno)?,
        })
    }
}

impl kernel::Module for Keep {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self::load().inspect_err(|e| pr_err!("{e}\n"))?)
    }
}

impl Drop for Keep {
    fn drop(&mut self) {
        let (connections, losses) = (self.bss.connections.get(), self.bss.losses.get());

        pr_info!("{connections} connections, {losses} losses\n");
    }
}
