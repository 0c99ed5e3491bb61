// SPDX-License-Identifier: GPL-2.0

//! Calls each of its progs, and says what they give. With the skeleton there, a prog can be called without being
//! taken as a function first.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/call_maps.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/call_maps.lskel-big-endian.rs"
)]
mod object;

use crate::{
    hold,
    lskel::{
        prog::Syscall,
        LoadError,
        ProgId,
        Skeleton, //
    },
    Held, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};
use object::{
    args::number,
    progs,
    CallMaps, //
};

type Takes = ProgId<CallMaps, Syscall<number>>;

pub(crate) fn load() -> Result<Held, LoadError> {
    let skel = Skeleton::<CallMaps>::open().load()?;
    let call = |prog: Takes, key, value| -> Result<Result<u32>, LoadError> {
        let mut args = number { key, value };
        let ret = skel.prog(prog).call(&mut args)?;

        Ok(to_result(ret).map(|()| args.value))
    };

    for (key, value) in [(1, 30), (1, 12), (4, 1)] {
        let seen = call(progs::array_add, key, value)?;
        pr_info!("call_maps: {value} more in {key} of the array: {seen:?}\n");
    }
    for value in [20, 3] {
        let seen = call(progs::percpu_add, 0, value)?;
        pr_info!("call_maps: {value} more on this CPU: {seen:?}\n");
    }
    // There is room for four; the first is looked up each time.
    for key in 1..=20 {
        let _ = call(progs::lru_update, key, 10 * key)?;
        let _ = call(progs::lru_lookup, 1, 0)?;
    }
    for key in [1, 2, 20] {
        let seen = call(progs::lru_lookup, key, 0)?;
        pr_info!("call_maps: {key} of the LRU map: {seen:?}\n");
    }
    // There is room for three.
    for value in 1..=4 {
        let [queue, stack] =
            [progs::queue_push, progs::stack_push].map(|push| call(push, 0, value));
        pr_info!(
            "call_maps: {value} into queue and stack: {:?}, {:?}\n",
            queue?,
            stack?
        );
    }
    for (what, prog) in [
        ("queue peek", progs::queue_peek),
        ("queue pop", progs::queue_pop),
        ("queue pop", progs::queue_pop),
        ("stack peek", progs::stack_peek),
        ("stack pop", progs::stack_pop),
        ("stack pop", progs::stack_pop),
        ("stack pop", progs::stack_pop),
        ("stack pop", progs::stack_pop),
    ] {
        pr_info!("call_maps: {what}: {:?}\n", call(prog, 0, 0)?);
    }
    hold(())
}
