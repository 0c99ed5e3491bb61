// SPDX-License-Identifier: GPL-2.0

//! What the errors say when a prog cannot be attached, or not like that. They go to dmesg here; the module is loaded
//! all the same.

#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../generated/refused_attach.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../generated/refused_attach.lskel-big-endian.rs"
)]
mod object;

use crate::{
    bpf::link::Link,
    hold,
    lskel::{
        open_target,
        LoadError,
        Skeleton, //
    },
    Held, //
};
use kernel::prelude::*;
use object::{
    progs,
    RefusedAttach, //
};

/// A folder, but not of cgroup2.
const NO_CGROUP: &CStr = c"/proc";

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<RefusedAttach>::open().load()?;
    let no_cgroup = open_target(NO_CGROUP)?;

    // Not by a module.
    say(skeleton.prog(progs::no_kprobe).into_any().attach());
    say(skeleton.prog(progs::no_kretprobe).into_any().attach());
    say(skeleton.prog(progs::no_tracepoint).into_any().attach());
    say(skeleton.prog(progs::no_perf_event).into_any().attach());
    say(skeleton.prog(progs::no_uprobe).into_any().attach());
    say(skeleton.prog(progs::no_uretprobe).into_any().attach());
    say(skeleton.prog(progs::no_uprobe_multi).into_any().attach());
    say(skeleton.prog(progs::no_usdt).into_any().attach());
    say(skeleton.prog(progs::no_tc).into_any().attach());
    // Too little is known of the target.
    say(skeleton.prog(progs::no_raw_tp).attach());
    say(skeleton.prog(progs::no_kp_multi).attach());
    say(skeleton.prog(progs::no_xdp).into_any().attach());
    say(skeleton.prog(progs::no_tcx).into_any().attach());
    say(skeleton.prog(progs::no_cgroup).into_any().attach());
    say(skeleton.prog(progs::no_sk_lookup).into_any().attach());
    say(skeleton.prog(progs::no_netfilter).into_any().attach());
    // One function, two cookies.
    say(skeleton
        .prog(progs::no_kp_multi)
        .attach_functions(&[c"bpf_fentry_test1"], &[1, 2]));
    // What is not there.
    say(skeleton
        .prog(progs::no_kp_multi)
        .attach_functions(&[c"no_such_function"], &[]));
    say(skeleton.prog(progs::no_xdp).attach_interface(47_000, 0));
    say(skeleton.prog(progs::no_tcx).attach_interface(47_000, 0));
    say(skeleton.prog(progs::no_cgroup).attach_cgroup(&no_cgroup));

    hold(())
}

/// Not in an array of results: the kernel's stack is small.
fn say(way: Result<Link, LoadError>) {
    match way {
        Ok(_) => pr_err!("refused_attach: attached\n"),
        Err(e) => pr_info!("refused_attach: {e}\n"),
    }
}
