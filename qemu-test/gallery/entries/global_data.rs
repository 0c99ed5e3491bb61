// SPDX-License-Identifier: GPL-2.0

//! Sets globals before and after the load, and reads them when the module goes.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/global_data.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/global_data.lskel-big-endian.rs"
)]
mod object;

use crate::{
    hold,
    lskel::{
        LoadError,
        Shared,
        Skeleton, //
    },
    Held, //
};
use kernel::prelude::*;
use object::{
    globals,
    Bss,
    GlobalData, //
};

/// What is kept: links, and the globals, which stay while this holds them.
struct AddsUp<L> {
    _links: L,
    bss: Shared<Bss>,
}

impl<L> Drop for AddsUp<L> {
    fn drop(&mut self) {
        pr_info!(
            "global_data: total {} after {} runs\n",
            self.bss.total.get(),
            self.bss.runs.get()
        );
    }
}

pub(crate) fn load() -> Result<Held, LoadError> {
    let mut open = Skeleton::<GlobalData>::open();

    // Before the load: the initial value of a section.
    let rodata = open.globals_mut(globals::rodata)?;
    rodata.factor.set(7);
    rodata.double_it.set(1);
    open.globals_mut(globals::data)?.step.set(3);

    let loaded = open.load()?;

    // After it: the memory that the prog works on.
    let bss = loaded.globals(globals::bss)?;
    bss.offset.set(100);

    hold(AddsUp {
        _links: loaded.attach()?,
        bss,
    })
}
