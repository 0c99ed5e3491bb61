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
    all(target_endian = "little", not(iterators_signed)),
    path = "iterators/links.lskel-little-endian.rs"
)]
#[cfg_attr(
    all(target_endian = "big", not(iterators_signed)),
    path = "iterators/links.lskel-big-endian.rs"
)]
#[cfg_attr(
    all(target_endian = "little", iterators_signed),
    path = "iterators/signed/links.lskel-little-endian.rs"
)]
#[cfg_attr(
    all(target_endian = "big", iterators_signed),
    path = "iterators/signed/links.lskel-big-endian.rs"
)]
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
    Keyring,
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
        require_signed: u32 {
            default: 0,
            description: "1: progs are loaded only with a signature that the kernel has verified",
        },
        keyring: i32 {
            default: 1,
            description: "Keyring of that key: 0 builtin, 1 secondary, 2 platform, or a serial",
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
            .keyring(Keyring::from_number(param_value(
                module_parameters::keyring.value(),
            )))
            .must_be_signed(
                cfg!(CONFIG_BPF_PRELOAD_RS_REQUIRE_SIGNED)
                    || param_value::<u32>(module_parameters::require_signed.value()) != 0,
            )
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
