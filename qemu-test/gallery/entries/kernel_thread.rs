// SPDX-License-Identifier: GPL-2.0

//! Loads and attaches in a work item, which a kernel thread runs. The skeleton lives and dies there, as its fds are
//! those of that thread. The link can be handed over.
//!
//! A work item of a real module must have come to its end before the module goes. `kernel::workqueue` has nothing
//! to wait for that: what is waited for here is all but the last few instructions.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/kernel_thread.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/kernel_thread.lskel-big-endian.rs"
)]
mod object;

use crate::{
    bpf::link::Link,
    hold,
    lskel::{
        LoadError,
        Skeleton,
        Step, //
    },
    Held, //
};
use kernel::{
    prelude::*,
    sync::{
        new_mutex,
        Arc,
        Completion,
        Mutex, //
    },
    workqueue, //
};
use object::{
    progs,
    KernelThread, //
};

#[pin_data]
struct Handover {
    #[pin]
    done: Completion,
    #[pin]
    link: Mutex<Option<Result<Link, LoadError>>>,
}

pub(crate) fn load() -> Result<Held, LoadError> {
    let here = Arc::pin_init(
        pin_init!(Handover {
            done <- Completion::new(),
            link <- new_mutex!(None),
        }),
        GFP_KERNEL,
    )
    .map_err(|e| Step::Alloc.failed(e))?;
    let there = here.clone();

    workqueue::system()
        .try_spawn(GFP_KERNEL, move || {
            let result = in_thread();

            *there.link.lock() = Some(result);
            there.done.complete_all();
        })
        .map_err(|e| Step::Alloc.failed(e.into()))?;
    here.done.wait_for_completion();

    let link = here.link.lock().take();
    match link {
        Some(link) => hold(link?),
        None => Err(Step::Alloc.failed(EINVAL)),
    }
}

fn in_thread() -> Result<Link, LoadError> {
    let skeleton = Skeleton::<KernelThread>::open().load()?;

    for way in [
        skeleton.prog(progs::thread_raw_tp).attach(),
        skeleton.prog(progs::thread_kp_multi).attach(),
    ] {
        match way {
            Ok(_) => pr_err!("kernel_thread: attached\n"),
            Err(e) => pr_info!("kernel_thread: {e}\n"),
        }
    }
    skeleton.prog(progs::thread_fentry).attach()
}
