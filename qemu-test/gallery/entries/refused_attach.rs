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
    bpf::syscall::IterTarget,
    hold,
    lskel::{
        open_target,
        LoadError,
        Open,
        Skeleton, //
    },
    Held, //
};
use kernel::prelude::*;
use object::RefusedAttach;

/// A folder, but not of cgroup2.
const NO_CGROUP: &CStr = c"/proc";

pub(crate) fn load() -> Result<Held, LoadError> {
    let skeleton = Skeleton::<Open<RefusedAttach>>::open().load()?;
    let progs = skeleton.progs();
    let no_cgroup = open_target(NO_CGROUP)?;
    let ways = [
        // Not by a module.
        progs.no_kprobe.attach(),
        progs.no_kretprobe.attach(),
        progs.no_tracepoint.attach(),
        progs.no_perf_event.attach(),
        progs.no_uprobe.attach(),
        progs.no_uretprobe.attach(),
        progs.no_uprobe_multi.attach(),
        progs.no_usdt.attach(),
        progs.no_tc.attach_interface(1, 0),
        // Too little is known of the target.
        progs.no_raw_tp.attach(),
        progs.no_kp_multi.attach(),
        progs.no_xdp.attach(),
        progs.no_tcx.attach(),
        progs.no_cgroup.attach(),
        progs.no_sk_lookup.attach(),
        progs.no_netfilter.attach(),
        // What it does not have.
        progs.no_iter.attach_with_cookie(1),
        progs.no_fentry.attach_interface(1, 0),
        progs.no_iter.attach_functions(&[c"bpf_fentry_test1"], &[]),
        progs.no_raw_tp.attach_iter(IterTarget::Process(1)),
        // One function, two cookies.
        progs
            .no_kp_multi
            .attach_functions(&[c"bpf_fentry_test1"], &[1, 2]),
        // What is not there.
        progs
            .no_kp_multi
            .attach_functions(&[c"no_such_function"], &[]),
        progs.no_xdp.attach_interface(47_000, 0),
        progs.no_tcx.attach_interface(47_000, 0),
        progs.no_cgroup.attach_cgroup(&no_cgroup),
    ];

    for way in ways {
        match way {
            Ok(_) => pr_err!("refused_attach: attached\n"),
            Err(e) => pr_info!("refused_attach: {e}\n"),
        }
    }
    hold(())
}
