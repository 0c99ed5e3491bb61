// SPDX-License-Identifier: GPL-2.0

//! An iterator that lists the threads of the whole system: a file, once it is pinned.

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the data promise to `lskel`")]
#[cfg_attr(target_endian = "little", path = "hello.lskel-little-endian.rs")]
#[cfg_attr(target_endian = "big", path = "hello.lskel-big-endian.rs")]
mod hello;
mod lskel;

use bpf::link::IterLink;
use hello::{
    progs,
    Hello, //
};
use kernel::prelude::*;
use lskel::{
    LoadError,
    Skeleton, //
};

module! {
    type: Module,
    name: "hello",
    description: "A BPF iterator that lists the threads of the whole system",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

/// While it is loaded, the iterator can be pinned. A file that is pinned stays after it.
struct Module {
    _link: IterLink,
}

impl Module {
    fn load() -> Result<Self, LoadError> {
        let skel = Skeleton::<Hello>::open().load()?;

        Ok(Self {
            _link: skel.prog(progs::hello).attach()?,
        })
    }
}

impl kernel::Module for Module {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self::load().inspect_err(|e| pr_err!("{e}\n"))?)
    }
}
