// SPDX-License-Identifier: GPL-2.0

//! Drops pings that are longer than they need to be.

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
    Keyring, //@signed
    LoadError,
    Shared,
    Skeleton, //
};

module! {
    type: Module,
    name: "hello",
    description: "Drops pings that are longer than they need to be",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        keyring: i32 { //@signed
            default: 1, //@signed
            description: "Keyring of the signer: 0 builtin, 1 secondary, 2 platform, or a serial", //@signed
        }, //@signed
        ifindex: u32 {
            default: 1,
            description: "Number of the network interface; 1 is lo",
        },
        max_data: u32 {
            default: 64,
            description: "Bytes of data that a ping may have",
        },
    },
}

struct Module {
    bss: Shared<Bss>,
    _link: Link,
}

impl Module {
    fn load() -> Result<Self, LoadError> {
        let skel = Skeleton::<Hello>::open().load()?; //@unsigned
        let keyring = param_value(module_parameters::keyring.value()); //@signed
        let skel = Skeleton::<Hello>::open() //@signed
            .keyring(Keyring::from_number(keyring)) //@signed
            .must_be_signed(true) //@signed
            .load()?; //@signed
        let bss = skel.globals(globals::bss)?;
        bss.max_data
            .set(param_value(module_parameters::max_data.value()));

        Ok(Self {
            bss,
            _link: skel
                .prog(progs::drop_long_pings)
                .attach_interface(param_value(module_parameters::ifindex.value()), 0)?,
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
        pr_info!("{} pings were dropped\n", self.bss.dropped.get());
    }
}
