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
    param_value, //@signed
    Keyring, //@signed
    LoadError,
    Skeleton, //
};

module! {
    type: Module,
    name: "hello",
    description: "A BPF iterator that lists the threads of the whole system",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: { //@signed
        keyring: i32 { //@signed
            default: 1, //@signed
            description: "Keyring of the signer: 0 builtin, 1 secondary, 2 platform, or a serial", //@signed
        }, //@signed
    }, //@signed
}

/// While it is loaded, the iterator can be pinned. A file that is pinned stays after it.
struct Module {
    _link: IterLink,
}

impl Module {
    fn load() -> Result<Self, LoadError> {
        let skel = Skeleton::<Hello>::open().load()?; //@unsigned
        let keyring = param_value(module_parameters::keyring.value()); //@signed
        let skel = Skeleton::<Hello>::open() //@signed
            .keyring(Keyring::from_number(keyring)) //@signed
            .must_be_signed(true) //@signed
            .load()?; //@signed

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
