// SPDX-License-Identifier: GPL-2.0

//! What [`kernel::bindings`] has for this alone.

pub(super) use kernel::bindings::{
    bpf_preload_info,
    bpf_preload_ops,
    kern_sys_bpf,
    BPF_PRELOAD_LINKS,
    LINUX_VERSION_CODE, //
};
