// SPDX-License-Identifier: GPL-2.0

//! Looks for the task that loads the module, and for one that is not there.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/call_kfunc.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/call_kfunc.lskel-big-endian.rs"
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
    args::found,
    progs,
    CallKfunc, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skel = Skeleton::<CallKfunc>::open().load()?;
    let find_task = skel.prog(progs::find_task).function()?;

    for pid in [current!().pid(), -1] {
        let mut args = found {
            pid,
            ..Zeroable::zeroed()
        };
        let ret = find_task.call(&mut args);
        let comm = CStr::from_bytes_until_nul(&args.comm).unwrap_or_default();

        pr_info!("call_kfunc: {pid} is of {}, {comm:?}: {ret}\n", args.tgid);
    }
    hold(find_task)
}
