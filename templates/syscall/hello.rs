// SPDX-License-Identifier: GPL-2.0

//! Counts the programs that are started, and finds the one that was started most.

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the data promise to `lskel`")]
#[cfg_attr(target_endian = "little", path = "hello.lskel-little-endian.rs")]
#[cfg_attr(target_endian = "big", path = "hello.lskel-big-endian.rs")]
mod hello;
mod lskel;

use bpf::link::Link;
use hello::{
    args::most,
    progs,
    Hello, //
};
use kernel::prelude::*;
use lskel::{
    param_value, //@signed
    Function,
    Keyring, //@signed
    LoadError,
    Skeleton, //
};

module! {
    type: Module,
    name: "hello",
    description: "Counts the programs that are started, and finds the one that was started most",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: { //@signed
        keyring: i32 { //@signed
            default: 1, //@signed
            description: "Keyring of the signer: 0 builtin, 1 secondary, 2 platform, or a serial", //@signed
        }, //@signed
    }, //@signed
}

struct Module {
    /// The prog, which can be called for as long as this is there.
    find_most: Function<most>,
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

        Ok(Self {
            find_most: skel.prog(progs::find_most).function()?,
            _link: skel.prog(progs::count_program).attach()?,
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
        let mut most = most::zeroed();
        let names = self.find_most.call(&mut most);
        let name = CStr::from_bytes_until_nul(&most.name).unwrap_or_default();

        pr_info!(
            "{names} programs; most often, {} times, {}\n",
            most.count,
            name.to_str().unwrap_or_default()
        );
    }
}
