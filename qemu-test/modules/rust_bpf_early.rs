// SPDX-License-Identifier: GPL-2.0

//! Attaches an LSM prog when it is loaded. Built in, that is before init runs: init itself is
//! refused what the prog refuses.

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
    globals,
    progs,
    Bss,
    RustBpfEarly, //
};
use kernel::prelude::*;
#[cfg(not(MODULE))]
use kernel::sync::SetOnce;
#[cfg(not(MODULE))]
use lskel::initcall::late_initcall_sync;
use lskel::{
    LoadError,
    Shared,
    Skeleton, //
};

module! {
    type: Sample,
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
    fn load() -> Result<Self, LoadError> {
        let loaded = Skeleton::<RustBpfEarly>::open().load()?;
        let counts = loaded.globals(globals::bss)?;

        Ok(Self {
            counts,
            _link: loaded.prog(progs::no_settime).attach()?,
        })
    }

    fn attach() -> Result<Self> {
        let early = Self::load().inspect_err(|e| pr_err!("{e}\n"))?;

        pr_info!("no program sets the clock from now on\n");
        Ok(early)
    }
}

impl Drop for Early {
    fn drop(&mut self) {
        pr_info!("the clock: refused {} times\n", self.counts.refused.get());
    }
}

/// As a module: attached when it is loaded, until it goes.
struct Sample {
    _early: Option<Early>,
}

impl kernel::Module for Sample {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self {
            // Built in, this is too early: nothing can be attached yet.
            _early: if cfg!(MODULE) {
                Some(Early::attach()?)
            } else {
                None
            },
        })
    }
}

/// Built in: attached for good.
#[cfg(not(MODULE))]
static BUILT_IN: SetOnce<Early> = SetOnce::new();

#[cfg(not(MODULE))]
fn attach_built_in() -> Result {
    BUILT_IN.populate(Early::attach()?);
    Ok(())
}
#[cfg(not(MODULE))]
late_initcall_sync!(attach_built_in);
