// SPDX-License-Identifier: GPL-2.0

//! Loads `features.bpf.c` and uses each thing that a light skeleton offers: globals, `max_entries`, a prog
//! array with a prog in it, progs that are attached one by one. When it is unloaded it says what the progs
//! did.
//!
//! What is unsafe about a light skeleton is in the generated file, so nothing is here.

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(target_endian = "little", path = "features.lskel-little-endian.rs")]
#[cfg_attr(target_endian = "big", path = "features.lskel-big-endian.rs")]
mod features;
mod lskel;

use bpf::link::Link;
use features::{
    globals,
    maps,
    progs,
    Bss,
    Features, //
};
use kernel::{
    fmt,
    prelude::*, //
};
use lskel::{
    LoadError,
    Shared,
    Skeleton, //
};

module! {
    type: LskelFeatures,
    name: "lskel_features",
    authors: ["The bpf_preload_rs developers"],
    description: "Uses each thing that a light skeleton offers, for tests",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

struct LskelFeatures {
    /// The progs' globals, which they and this module use at the same time.
    bss: Shared<Bss>,
    /// What is attached stays so for as long as these live.
    _links: [Link; 9],
}

impl kernel::Module for LskelFeatures {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let mut open = Skeleton::<Features>::open();

        // Before the load: the verifier takes what is in .rodata for constants.
        let rodata = open.globals_mut(globals::rodata)?;
        rodata.answer.set(42);
        rodata.loader_pid.set(kernel::current!().pid() as u32);
        open.globals_mut(globals::data)?.step.set(5);
        open.set_max_entries(maps::sized, 77)?;

        let loaded = open.load().inspect_err(say)?;

        // After it: .data and .bss are the memory that the progs work on.
        let bss = loaded.globals(globals::bss)?;
        bss.from_module.set(1234);

        // Runs for the commands that attach the others. The kernel empties a prog array when its last fd is
        // closed, at the end of this function.
        let _jump = loaded.prog(progs::jump).attach().inspect_err(say)?;
        let links = [
            loaded.prog(progs::use_globals).attach().inspect_err(say)?,
            loaded
                .prog(progs::call_subprogs)
                .attach()
                .inspect_err(say)?,
            loaded.prog(progs::use_ksyms).attach().inspect_err(say)?,
            loaded
                .prog(progs::ask_for_fields)
                .attach()
                .inspect_err(say)?,
            loaded.prog(progs::count_fentry).attach().inspect_err(say)?,
            loaded.prog(progs::count_fexit).attach().inspect_err(say)?,
            loaded
                .prog(progs::count_fmod_ret)
                .attach()
                .inspect_err(say)?,
            loaded.prog(progs::count_tp_btf).attach().inspect_err(say)?,
            loaded.prog(progs::count_lsm).attach().inspect_err(say)?,
        ];

        Ok(Self { bss, _links: links })
    }
}

/// Says which step failed: an errno alone does not.
fn say(error: &LoadError) {
    pr_err!("features: {error}\n");
}

impl Drop for LskelFeatures {
    fn drop(&mut self) {
        pr_info!("seen:{}\n", Seen(&self.bss));
    }
}

/// What the progs left in their globals, as ` name=value`.
struct Seen<'a>(&'a Bss);

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bss = self.0;

        for (name, var) in [
            ("answer", &bss.seen_answer),
            ("from_module", &bss.seen_from_module),
            ("sum_of_steps", &bss.sum_of_steps),
            ("subprogs", &bss.subprogs),
            ("jumps", &bss.jumps),
            ("no_jumps", &bss.no_jumps),
            ("weak_present", &bss.weak_present),
            ("weak_absent", &bss.weak_absent),
            ("elements", &bss.elements),
            ("core_fields", &bss.core_fields),
            ("no_core_fields", &bss.no_core_fields),
            ("fentry", &bss.fentry),
            ("fexit", &bss.fexit),
            ("fmod_ret", &bss.fmod_ret),
            ("tp_btf", &bss.tp_btf),
            ("new_pid", &bss.new_pid),
            ("lsm", &bss.lsm),
        ] {
            write!(f, " {name}={}", var.get())?;
        }
        Ok(())
    }
}
