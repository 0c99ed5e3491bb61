// SPDX-License-Identifier: GPL-2.0

//! Refuses connections to one TCP or UDP port.

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
    description: "Refuses connections to one TCP or UDP port",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        port: u16 {
            default: 25,
            description: "The port to which nothing may connect",
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
            .port
            .set(param_value(module_parameters::port.value()));

        let skel = skel.load()?;
        // All processes are in this cgroup or below. The folder of any cgroup would do.
        let cgroup = lskel::open_target(c"/sys/fs/cgroup")?;
        Ok(Self {
            bss: skel.globals(globals::bss)?,
            _link: skel.prog(progs::refuse_port).attach_cgroup(&cgroup)?,
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
        pr_info!("{} connections were refused\n", self.bss.refused.get());
    }
}
