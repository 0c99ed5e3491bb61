// SPDX-License-Identifier: GPL-2.0

//! Makes a file in debugfs: who reads it has eight work items call a function at once, in threads of the kernel, and gets
//! to see how many each has met.
//!
//! As in `kernel_thread.rs`, what is waited for is all of a work item but its last few instructions.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/call_threads.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/call_threads.lskel-big-endian.rs"
)]
mod object;

use crate::{
    hold,
    lskel::{
        Function,
        LoadError,
        Shared,
        Skeleton,
        Step, //
    },
    Held, //
};
use kernel::{
    debugfs::Dir,
    fmt,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full, //
        },
        new_mutex,
        Arc,
        Completion,
        Mutex, //
    },
    workqueue, //
};
use object::{
    args::meeting,
    globals,
    progs,
    Bss,
    CallThreads, //
};

const THREADS: u32 = 8;

/// What the file has.
struct Room {
    meet: Arc<Function<meeting>>,
    bss: Shared<Bss>,
}

/// What the work items of one meeting share.
#[pin_data]
struct Meeting {
    meet: Arc<Function<meeting>>,
    inside: Atomic<u32>,
    #[pin]
    over: Completion,
}

pub(crate) fn load() -> Result<Held, LoadError> {
    let skel = Skeleton::<CallThreads>::open().load()?;
    let failed = |e| Step::Alloc.failed(e);
    let meet = skel.prog(progs::meet).function()?;
    let room = Room {
        meet: Arc::new(meet, GFP_KERNEL).map_err(|e| failed(e.into()))?,
        bss: skel.globals(globals::bss)?,
    };
    let dir = Dir::new(c"lskel_call_threads");
    let file = KBox::pin_init(
        dir.read_callback_file(c"meeting", new_mutex!(room), &hold_meeting),
        GFP_KERNEL,
    )
    .map_err(failed)?;

    hold((file, dir))
}

/// One meeting at a time.
fn hold_meeting(room: &Mutex<Room>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let room = room.lock();
    let meet = room.meet.clone();
    let meeting = Arc::pin_init(
        pin_init!(Meeting {
            meet,
            inside: Atomic::new(THREADS),
            over <- Completion::new(),
        }),
        GFP_KERNEL,
    )
    .map_err(|_| fmt::Error)?;

    room.bss.inside.set(0);
    for _ in 0..THREADS {
        let there = meeting.clone();
        let spawned = workqueue::system_unbound().try_spawn(GFP_KERNEL, move || there.take_part());

        if spawned.is_err() {
            meeting.leave();
        }
    }
    meeting.over.wait_for_completion();
    f.write_str("over\n")
}

impl Meeting {
    fn take_part(&self) {
        let mut args = meeting {
            expected: THREADS,
            ..Zeroable::zeroed()
        };

        self.meet.call(&mut args);
        pr_info!(
            "call_threads: {:?} has met {}\n",
            CStr::from_bytes_until_nul(&args.comm).unwrap_or_default(),
            args.seen
        );
        self.leave();
    }

    fn leave(&self) {
        if self.inside.fetch_sub(1, Full) == 1 {
            self.over.complete_all();
        }
    }
}
