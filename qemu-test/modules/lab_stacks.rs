// SPDX-License-Identifier: GPL-2.0

//! Writes down what leads to each allocation, for the tests that make them fail: see `lab_stacks.bpf.c`.

#![deny(unsafe_code)]

mod bpf;
mod lskel;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/lab_stacks.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/lab_stacks.lskel-big-endian.rs"
)]
mod object;

use bpf::link::Link;
use kernel::prelude::*;
use lskel::{
    LoadError,
    Skeleton, //
};
use object::LabStacks;

module! {
    type: Stacks,
    name: "lab_stacks",
    authors: ["The bpf_preload_rs developers"],
    description: "Writes down what leads to each allocation, for tests",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

struct Stacks {
    _links: KVec<Link>,
}

impl Stacks {
    fn load() -> Result<Self, LoadError> {
        Ok(Self {
            _links: Skeleton::<LabStacks>::open().load()?.attach()?,
        })
    }
}

impl kernel::Module for Stacks {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self::load().inspect_err(|e| pr_err!("{e}\n"))?)
    }
}
