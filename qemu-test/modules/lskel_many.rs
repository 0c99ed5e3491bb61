// SPDX-License-Identifier: GPL-2.0

//! Loads objects of 1, 100, 126 and 500 progs, one after the other with one loader, and attaches the last prog of each.
//!
//! 126 is what one of libbpf's own loader progs can have at most. The kernel's stack must not grow with any of it.

#![deny(unsafe_code)]

pub mod bpf;
pub mod lskel;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/many_1.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/many_1.lskel-big-endian.rs"
)]
mod many_1;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/many_100.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/many_100.lskel-big-endian.rs"
)]
mod many_100;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/many_126.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/many_126.lskel-big-endian.rs"
)]
mod many_126;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/many_500.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/many_500.lskel-big-endian.rs"
)]
mod many_500;

use bpf::link::Link;
use kernel::prelude::*;
use lskel::{
    prog::Tracing,
    LoadError,
    Loader,
    Object,
    ProgId,
    Skeleton, //
};

module! {
    type: Many,
    name: "lskel_many",
    authors: ["The bpf_preload_rs developers"],
    description: "Loads objects of many progs, for tests",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

struct Many {
    _links: [Link; 4],
}

impl Many {
    fn load() -> Result<Self, LoadError> {
        let loader = Loader::new(&[
            many_1::Many1::DEF,
            many_100::Many100::DEF,
            many_126::Many126::DEF,
            many_500::Many500::DEF,
        ])?;

        Ok(Self {
            _links: [
                load(&loader, many_1::progs::of_1_1)?,
                load(&loader, many_100::progs::of_100_100)?,
                load(&loader, many_126::progs::of_126_126)?,
                load(&loader, many_500::progs::of_500_500)?,
            ],
        })
    }
}

/// Loads the object of `last`, and attaches that.
fn load<O: Object>(loader: &Loader, last: ProgId<O, Tracing>) -> Result<Link, LoadError> {
    let skel = Skeleton::<O>::open().load_with(loader)?;

    pr_info!("{} progs\n", O::DEF.progs.len());
    skel.prog(last).attach()
}

impl kernel::Module for Many {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self::load().inspect_err(|e| pr_err!("{e}\n"))?)
    }
}
