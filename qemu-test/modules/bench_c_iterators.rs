// SPDX-License-Identifier: GPL-2.0

//! The two iterators of the kernel's own provider, loaded by this runtime: for `make bench`, which so
//! compares loaders, and not what is loaded.
//!
//! C file: [`kernel/bpf/preload/bpf_preload_kern.c`](srctree/kernel/bpf/preload/bpf_preload_kern.c)

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/c_iterators.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/c_iterators.lskel-big-endian.rs"
)]
mod c_iterators;
mod lskel;

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
use c_iterators::{
    progs,
    CIterators, //
};
use kernel::prelude::*;
use lskel::{
    LoadError,
    Skeleton, //
};

module! {
    type: CIteratorsByLskel,
    name: "bench_c_iterators",
    authors: ["The bpf_preload_rs developers"],
    description: "The kernel's own BPF iterators by this project's runtime, to compare costs",
    license: "GPL",
    alias: ["bpf_preload"],
    imports_ns: ["BPF_INTERNAL"],
}

const MAPS_DEBUG: LinkName = LinkName::new(c"maps.debug").unwrap();
const PROGS_DEBUG: LinkName = LinkName::new(c"progs.debug").unwrap();

struct Links {
    maps: IterLink,
    progs: IterLink,
}

impl Links {
    fn load() -> Result<Self, LoadError> {
        let skel = Skeleton::<CIterators>::open().load()?;

        Ok(Self {
            maps: skel.prog(progs::dump_bpf_map).attach()?,
            progs: skel.prog(progs::dump_bpf_prog).attach()?,
        })
    }
}

impl Preload for Links {
    fn preload(&self) -> Result<[PreloadLink<'_>; BPF_PRELOAD_LINKS]> {
        Ok([
            PreloadLink {
                name: MAPS_DEBUG,
                link: Handed::Lent(&self.maps),
            },
            PreloadLink {
                name: PROGS_DEBUG,
                link: Handed::Lent(&self.progs),
            },
        ])
    }
}

struct CIteratorsByLskel {
    _registration: Registration<Links>,
}

impl kernel::Module for CIteratorsByLskel {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let links = Links::load().inspect_err(|e| pr_err!("{e}\n"))?;

        Ok(Self {
            _registration: Registration::new(module, links)?,
        })
    }
}
