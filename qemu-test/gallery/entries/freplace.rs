// SPDX-License-Identifier: GPL-2.0

//! A function of a prog, and a prog as a whole, have others in their places for as long as links say so. The second is
//! one of another skeleton.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/freplace.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/freplace.lskel-big-endian.rs"
)]
mod object;

use crate::{
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use kernel::prelude::*;
use object::{
    args::question,
    progs,
    Freplace, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skel = Skeleton::<Freplace>::open().load()?;
    let ask = skel.prog(progs::ask).function()?;
    let answer = || {
        let mut args = question {
            number: 20,
            answer: 0,
        };

        ask.call(&mut args);
        args.answer
    };

    pr_info!("freplace: {}\n", answer());
    let function = skel.prog(progs::twice).attach()?;
    pr_info!("freplace: {}\n", answer());
    // The kernel does this once.
    if let Err(e) = skel.prog(progs::twice).attach() {
        pr_info!("freplace: {e}\n");
    }

    // The same object once more stands for another one.
    let other = Skeleton::<Freplace>::open().load()?;
    let counts = skel.prog(progs::counts);
    let prog = counts.attach_to(&other.prog(progs::counted).into_any())?;

    for target in [
        // It has another one in its place.
        other.prog(progs::counted).into_any(),
        // It takes something else.
        other.prog(progs::ask).into_any(),
    ] {
        if let Err(e) = counts.attach_to(&target) {
            pr_info!("freplace: {e}\n");
        }
    }
    let tracepoint = other.prog(progs::counted).attach()?;

    let trigger = skel.prog(progs::finish).attach()?;

    hold((function, prog, tracepoint, trigger))
}
