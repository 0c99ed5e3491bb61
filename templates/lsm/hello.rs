// SPDX-License-Identifier: GPL-2.0

//! Lets no program be started whose file does not belong to root.

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the data promise to `lskel`")]
#[cfg_attr(target_endian = "little", path = "hello.lskel-little-endian.rs")]
#[cfg_attr(target_endian = "big", path = "hello.lskel-big-endian.rs")]
mod hello;
mod lskel;

use bpf::link::Link;
use hello::{
    globals,
    progs,
    Bss,
    Hello, //
};
use kernel::prelude::*;
use lskel::{
    param_value,
    LoadError,
    Shared,
    Skeleton, //
};

module! {
    type: Module,
    name: "hello",
    description: "Lets no program be started whose file does not belong to root",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        enforce: u32 {
            default: 1,
            description: "0: do not refuse them, only count",
        },
    },
}

struct Module {
    bss: Shared<Bss>,
    _link: Link,
}

impl Module {
    fn load() -> Result<Self, LoadError> {
        let mut skel = Skeleton::<Hello>::open();
        let rodata = skel.globals_mut(globals::rodata)?;
        rodata
            .enforce
            .set(param_value(module_parameters::enforce.value()));

        let skel = skel.load()?;
        Ok(Self {
            bss: skel.globals(globals::bss)?,
            _link: skel.prog(progs::only_roots).attach()?,
        })
    }
}

impl kernel::Module for Module {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self::load().inspect_err(|e| pr_err!("{e}\n"))?)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        pr_info!("{} programs were not root's\n", self.bss.refused.get());
    }
}
