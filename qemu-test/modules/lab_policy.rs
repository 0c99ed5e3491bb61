// SPDX-License-Identifier: GPL-2.0

//! Refuses progs without a verified signature, for as long as it is loaded: see `lab_policy.bpf.c`.

#![deny(unsafe_code)]

mod bpf;
mod lskel;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/lab_policy.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/lab_policy.lskel-big-endian.rs"
)]
mod object;

use bpf::link::Link;
use kernel::prelude::*;
use lskel::{
    LoadError,
    Skeleton, //
};
use object::LabPolicy;

module! {
    type: Policy,
    name: "lab_policy",
    authors: ["The bpf_preload_rs developers"],
    description: "Refuses progs without a verified signature, for tests",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

struct Policy {
    _links: KVec<Link>,
}

impl Policy {
    fn load() -> Result<Self, LoadError> {
        Ok(Self {
            _links: Skeleton::<LabPolicy>::open().load()?.attach()?,
        })
    }
}

impl kernel::Module for Policy {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self::load().inspect_err(|e| pr_err!("{e}\n"))?)
    }
}
