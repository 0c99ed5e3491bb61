// SPDX-License-Identifier: GPL-2.0

//! BPF iterators for introspection in bpffs, in Rust.
//!
//! Each BPF file system that is mounted while this is loaded gets two files: `maps.debug` and
//! `progs.debug` list the BPF maps and progs of the whole system. `bpf_preload_links` has one more
//! iterator.
//!
//! C file: [`kernel/bpf/preload/bpf_preload_kern.c`](srctree/kernel/bpf/preload/bpf_preload_kern.c)

#![deny(unsafe_code)]

pub mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "iterators/iterators.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "iterators/iterators.lskel-big-endian.rs"
)]
mod iterators;
pub mod lskel;

use bpf::{
    link::IterLink,
    preload::{
        Handed,
        LinkName,
        Preload,
        PreloadLink,
        Registration,
        BPF_PRELOAD_LINKS, //
    }, //
};
use core::borrow::Borrow;
use iterators::{
    progs,
    Iterators, //
};
use kernel::{
    prelude::*,
    sync::SetOnce, //
};
use lskel::{
    LoadError,
    Skeleton, //
};

module! {
    type: BpfPreloadRs,
    name: "bpf_preload_rs",
    authors: ["The bpf_preload_rs developers"],
    description: "BPF iterators for introspection in bpffs",
    license: "GPL",
    alias: ["bpf_preload"],
    imports_ns: ["BPF_INTERNAL"],
    params: {
        enable: u32 {
            default: 1,
            description: "0: nothing is preloaded and bpffs stays as it is, for rescue",
        },
        log_level: u32 {
            default: 1,
            description: "Level of the kernel's log of a load that fails, which goes to dmesg",
        },
    },
}

/// Newer kernels hand the value of a parameter out, older ones lend it.
fn is_zero(value: impl Borrow<u32>) -> bool {
    *value.borrow() == 0
}

struct BpfPreloadRs {
    _registration: Option<Registration<DebugFiles>>,
}

impl kernel::Module for BpfPreloadRs {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let files = DebugFiles(SetOnce::new());

        if is_zero(module_parameters::enable.value()) {
            pr_info!("switched off by enable=0\n");
            return Ok(Self {
                _registration: None,
            });
        }
        // Built in, this runs before the iterators' targets are registered: the first mount loads.
        if cfg!(MODULE) {
            files.ensure_loaded()?;
        }
        let registration = Registration::new(module, files).inspect_err(|e| match *e {
            EBUSY => pr_err!("bpf_preload_ops are taken, is bpf_preload loaded? {e:?}\n"),
            _ => pr_err!("failed to register: {e:?}\n"),
        })?;

        pr_info!("maps.debug and progs.debug are in every bpffs mounted from now on\n");
        Ok(Self {
            _registration: Some(registration),
        })
    }
}

const MAPS_DEBUG: LinkName = LinkName::new(c"maps.debug").unwrap();
const PROGS_DEBUG: LinkName = LinkName::new(c"progs.debug").unwrap();

/// The links behind the files.
struct Links {
    maps: IterLink,
    progs: IterLink,
}

impl Links {
    fn load() -> Result<Self, LoadError> {
        let skel = Skeleton::<Iterators>::open()
            .log_level(module_parameters::log_level.value())
            .load()?;

        Ok(Self {
            maps: skel.prog(progs::dump_bpf_map).attach()?,
            progs: skel.prog(progs::dump_bpf_prog).attach()?,
        })
    }
}

/// `maps.debug` and `progs.debug`, once their progs are loaded.
struct DebugFiles(SetOnce<Links>);

impl DebugFiles {
    /// Loads the progs, unless that is done. One call at a time.
    fn ensure_loaded(&self) -> Result<&Links> {
        if let Some(links) = self.0.as_ref() {
            return Ok(links);
        }
        self.0
            .populate(Links::load().inspect_err(|e| pr_err!("iterators: {e}\n"))?);
        self.0.as_ref().ok_or(EAGAIN)
    }
}

impl Preload for DebugFiles {
    fn preload(&self) -> Result<[PreloadLink<'_>; BPF_PRELOAD_LINKS]> {
        let links = self.ensure_loaded()?;

        Ok([
            PreloadLink {
                name: MAPS_DEBUG,
                link: Handed::Lent(&links.maps),
            },
            PreloadLink {
                name: PROGS_DEBUG,
                link: Handed::Lent(&links.progs),
            },
        ])
    }
}
