// SPDX-License-Identifier: GPL-2.0

//! One more BPF iterator for introspection in bpffs: `links.debug`.
//!
//! inode.c takes two files from a provider, and most systems can do without a third one. So it is a
//! module of its own, for a moment: `bpf-preload-pin` loads it, pins its link and removes it. The
//! file holds the link from then on.

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "iterators/links.lskel-little-endian.rs"
)]
#[cfg_attr(target_endian = "big", path = "iterators/links.lskel-big-endian.rs")]
mod links;
mod lskel;

use bpf::link::IterLink;
use kernel::prelude::*;
use links::{
    progs,
    Links, //
};
use lskel::{
    param_value,
    LoadError,
    Skeleton, //
};

module! {
    type: BpfPreloadLinks,
    name: "bpf_preload_links",
    authors: ["The bpf_preload_rs developers"],
    description: "BPF iterator for links.debug in bpffs",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        log_level: u32 {
            default: 1,
            description: "Level of the kernel's log of a load that fails, which goes to dmesg",
        },
    },
}

struct BpfPreloadLinks {
    _link: IterLink,
}

impl BpfPreloadLinks {
    fn load() -> Result<Self, LoadError> {
        let skel = Skeleton::<Links>::open()
            .log_level(param_value(module_parameters::log_level.value()))
            .load()?;

        Ok(Self {
            _link: skel.prog(progs::dump_bpf_link).attach()?,
        })
    }
}

impl kernel::Module for BpfPreloadLinks {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self::load().inspect_err(|e| pr_err!("links: {e}\n"))?)
    }
}
