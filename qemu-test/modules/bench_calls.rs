// SPDX-License-Identifier: GPL-2.0

//! Calls a function so many times, and gives it back: `make bench` sees what one call costs.

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/bench_calls.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/bench_calls.lskel-big-endian.rs"
)]
mod calls;
mod lskel;

use calls::{
    args::element,
    progs, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};
use lskel::{
    param_value,
    Skeleton, //
};

module! {
    type: BenchCalls,
    name: "bench_calls",
    authors: ["The bpf_preload_rs developers"],
    description: "Calls functions, for make bench",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        nothing: u32 {
            default: 0,
            description: "How often one that does nothing",
        },
        lookup: u32 {
            default: 0,
            description: "How often one that looks up an element of a hash map",
        },
    },
}

struct BenchCalls;

impl kernel::Module for BenchCalls {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let skel = Skeleton::<calls::BenchCalls>::open()
            .load()
            .inspect_err(|e| pr_err!("{e}\n"))?;
        let nothing = skel.prog(progs::nothing).function()?;
        let lookup = skel.prog(progs::lookup).function()?;
        let mut args = element {
            key: 7,
            value: 42,
            ..Zeroable::zeroed()
        };

        to_result(skel.prog(progs::update).call(&mut args)?)?;
        for _ in 0..param_value::<u32>(module_parameters::nothing.value()) {
            to_result(nothing.call(&mut ()))?;
        }
        for _ in 0..param_value::<u32>(module_parameters::lookup.value()) {
            to_result(lookup.call(&mut args))?;
        }
        Ok(Self)
    }
}
