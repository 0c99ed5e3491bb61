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

use bpf::{
    link::IterLink,
    syscall::IterTarget, //
};
use kernel::prelude::*;
#[cfg(not(MODULE))]
use kernel::sync::SetOnce;
#[cfg(not(MODULE))]
use lskel::initcall::late_initcall_sync;
use lskel::{
    param_value,
    LoadError,
    Registered,
    Shared,
    Skeleton, //
};
use scheduler::{
    globals,
    maps,
    ops,
    progs,
    Bss,
    Scheduler, //
};

module! {
    type: Module,
    name: "scheduler",
    authors: ["The bpf_preload_rs developers"],
    description: "Scheduler in BPF",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        enable: u8 {
            default: cfg!(MODULE) as u8,
            description: "0: it does nothing, which is the default where it is built in",
        },
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
    _counts: IterLink,
    _registered: Registered,
}

impl Fifo {
    fn load() -> Result<Self, LoadError> {
        let mut skel = Skeleton::<Scheduler>::open();
        let slice_ms: u64 = param_value(module_parameters::slice_ms.value());

        skel.globals_mut(globals::rodata)?
            .slice
            .set(slice_ms.saturating_mul(1_000_000));
        skel.ops_mut(ops::fifo)?.timeout_ms = param_value(module_parameters::timeout_ms.value());
        let skel = skel.load()?;

        Ok(Self {
            bss: skel.globals(globals::bss)?,
            _counts: skel
                .prog(progs::fifo_counts)
                .attach_iter(IterTarget::Map(skel.map(maps::bss)))?,
            _registered: skel.register(ops::fifo)?,
        })
    }

    fn enable() -> Result<Option<Self>> {
        if param_value::<u8>(module_parameters::enable.value()) == 0 {
            return Ok(None);
        }
        Ok(Some(Self::load().inspect_err(|e| pr_err!("{e}\n"))?))
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

struct Module {
    _fifo: Option<Fifo>,
}

impl kernel::Module for Module {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self {
            // Built in, this is too early: nothing can be registered yet.
            _fifo: if cfg!(MODULE) { Fifo::enable()? } else { None },
        })
    }
}

/// Built in: the scheduler from before init on.
#[cfg(not(MODULE))]
static BUILT_IN: SetOnce<Fifo> = SetOnce::new();

#[cfg(not(MODULE))]
fn enable_built_in() -> Result {
    if let Some(fifo) = Fifo::enable()? {
        BUILT_IN.populate(fifo);
    }
    Ok(())
}
#[cfg(not(MODULE))]
late_initcall_sync!(enable_built_in);
