// SPDX-License-Identifier: GPL-2.0

//! Attaches an LSM prog when it is initialised. Built in, that is before init runs: init itself is
//! refused what the prog refuses.
//!
//! FIXME: `module!` registers at `device_initcall`, which is too early: the trampolines of BPF
//! (`init_trampolines()`), the targets of iterators and the sets of kfuncs come at `late_initcall`.
//! This wants an entry at `late_initcall_sync`.

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "rust_bpf_early.lskel-little-endian.rs"
)]
#[cfg_attr(target_endian = "big", path = "rust_bpf_early.lskel-big-endian.rs")]
mod early;
mod lskel;

use bpf::link::Link;
use early::{
    Bss,
    RustBpfEarly, //
};
use kernel::prelude::*;
use lskel::{
    LoadError,
    Open,
    Shared,
    Skeleton, //
};

module! {
    type: Early,
    name: "rust_bpf_early",
    authors: ["The bpf_preload_rs developers"],
    description: "Rust sample: an LSM prog that is attached before init",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

struct Early {
    counts: Shared<Bss>,
    _link: Link,
}

impl Early {
    fn attach() -> Result<Self, LoadError> {
        let loaded = Skeleton::<Open<RustBpfEarly>>::open().load()?;
        let counts = loaded.globals(|sections| &sections.bss)?;

        Ok(Self {
            counts,
            _link: loaded.attach()?.into_links().no_settime,
        })
    }
}

impl kernel::Module for Early {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let early = Self::attach().inspect_err(|e| pr_err!("{e}\n"))?;

        pr_info!("no program sets the clock from now on\n");
        Ok(early)
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        pr_info!("the clock: refused {} times\n", self.counts.refused.get());
    }
}
