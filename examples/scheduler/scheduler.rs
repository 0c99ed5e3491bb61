// SPDX-License-Identifier: GPL-2.0

//! A scheduler: all ordinary tasks are its own for as long as the module is loaded, or until it
//! fails and the kernel throws it out.

#![deny(unsafe_code)]

mod bpf;
mod lskel;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(target_endian = "little", path = "scheduler.lskel-little-endian.rs")]
#[cfg_attr(target_endian = "big", path = "scheduler.lskel-big-endian.rs")]
mod scheduler;

use core::borrow::Borrow;
use kernel::prelude::*;
use lskel::{
    LoadError,
    Registered,
    Shared,
    Skeleton, //
};
use scheduler::{
    globals,
    ops,
    Bss,
    Scheduler, //
};

module! {
    type: Fifo,
    name: "scheduler",
    authors: ["The bpf_preload_rs developers"],
    description: "Scheduler in BPF",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        slice_ms: u64 {
            default: 20,
            description: "how long a turn is for a task that is not nice",
        },
        timeout_ms: u32 {
            default: 5000,
            description: "how long a task may wait until the kernel throws the scheduler out",
        },
    },
}

struct Fifo {
    bss: Shared<Bss>,
    _registered: Registered,
}

impl Fifo {
    fn load() -> Result<Self, LoadError> {
        let mut skel = Skeleton::<Scheduler>::open();
        let slice_ms: u64 = *module_parameters::slice_ms.value().borrow();

        skel.globals_mut(globals::rodata)?
            .slice
            .set(slice_ms.saturating_mul(1_000_000));
        skel.ops_mut(ops::fifo)?.timeout_ms = *module_parameters::timeout_ms.value().borrow();
        let skel = skel.load()?;

        Ok(Self {
            bss: skel.globals(globals::bss)?,
            _registered: skel.register(ops::fifo)?,
        })
    }
}

impl kernel::Module for Fifo {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self::load().inspect_err(|e| pr_err!("{e}\n"))?)
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // It is still registered, or the kernel has thrown it out.
        if self.bss.exit_kind.get() != 0 {
            let reason = self.bss.exit_reason.each_ref().map(|byte| byte.get());
            let reason = CStr::from_bytes_until_nul(&reason).unwrap_or_default();

            pr_warn!("the kernel has thrown it out: {reason}\n");
        }
        pr_info!("{} turns\n", self.bss.turns.get());
    }
}
