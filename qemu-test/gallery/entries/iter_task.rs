// SPDX-License-Identifier: GPL-2.0

//! Three of them are told to go through the task that loads the module.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/iter_task.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/iter_task.lskel-big-endian.rs"
)]
mod object;

use crate::{
    bpf::syscall::IterTarget,
    hold,
    lskel::{
        LoadError,
        Skeleton, //
    },
    Held, //
};
use object::{
    progs,
    IterTask, //
};

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<IterTask>::open().load()?;
    let task = kernel::current!();
    let (pid, tid) = (task.group_leader().pid() as u32, task.pid() as u32);

    hold([
        skeleton.prog(progs::all_tasks).attach()?,
        skeleton
            .prog(progs::one_process)
            .attach_iter(IterTarget::Process(pid))?,
        skeleton
            .prog(progs::one_thread)
            .attach_iter(IterTarget::Thread(tid))?,
        skeleton
            .prog(progs::open_files)
            .attach_iter(IterTarget::Process(pid))?,
    ])
}
