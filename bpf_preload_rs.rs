// SPDX-License-Identifier: GPL-2.0

//! BPF iterators for introspection in bpffs, in Rust.
//!
//! Each BPF file system that is mounted while this is loaded gets two files: `maps.debug` and
//! `progs.debug` list the BPF maps and progs of the whole system. `bpf-preload-pin` adds
//! `links.debug`.
//!
//! C file: [`kernel/bpf/preload/bpf_preload_kern.c`](srctree/kernel/bpf/preload/bpf_preload_kern.c)

#![deny(unsafe_code)]

mod bpf;
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
mod lskel;

use bpf::{
    link::IterLink,
    preload::{
        const_link_name,
        Pin,
        Preload,
        Registration,
        BPF_PRELOAD_LINKS, //
    }, //
};
use core::borrow::Borrow;
use iterators::Iterators;
use kernel::{
    prelude::*,
    sync::SetOnce, //
};
use lskel::{
    LoadError,
    Open,
    Skeleton,
    Step, //
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

/// The links behind the files.
struct Links {
    maps: IterLink,
    progs: IterLink,
    /// inode.c takes two links: `bpf-preload-pin` finds this one by its id and pins it as
    /// `links.debug`.
    _links: IterLink,
}

impl Links {
    fn load() -> Result<Self, LoadError> {
        let links = Skeleton::<Open<Iterators>>::open()
            .log_level(module_parameters::log_level.value())
            .load()?
            .attach()?
            .into_links();

        Ok(Self {
            maps: IterLink::try_from(links.dump_bpf_map)
                .map_err(LoadError::at(Step::TakeLink(c"dump_bpf_map")))?,
            progs: IterLink::try_from(links.dump_bpf_prog)
                .map_err(LoadError::at(Step::TakeLink(c"dump_bpf_prog")))?,
            _links: IterLink::try_from(links.dump_bpf_link)
                .map_err(LoadError::at(Step::TakeLink(c"dump_bpf_link")))?,
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
    fn preload(&self) -> Result<[Pin<'_>; BPF_PRELOAD_LINKS]> {
        let links = self.ensure_loaded()?;

        Ok([
            Pin {
                name: const_link_name!(c"maps.debug"),
                link: &links.maps,
            },
            Pin {
                name: const_link_name!(c"progs.debug"),
                link: &links.progs,
            },
        ])
    }
}
