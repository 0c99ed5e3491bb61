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
    Keyring, //@signed
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
        keyring: i32 { //@signed
            default: 1, //@signed
            description: "Keyring of the signer: 0 builtin, 1 secondary, 2 platform, or a serial", //@signed
        }, //@signed
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
        let skel = Skeleton::<Hello>::open().load()?; //@unsigned
        let keyring = param_value(module_parameters::keyring.value()); //@signed
        let skel = Skeleton::<Hello>::open() //@signed
            .keyring(Keyring::from_number(keyring)) //@signed
            .must_be_signed(true) //@signed
            .load()?; //@signed
        let bss = skel.globals(globals::bss)?;
        bss.enforce
            .set(param_value(module_parameters::enforce.value()));

        Ok(Self {
            bss,
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
