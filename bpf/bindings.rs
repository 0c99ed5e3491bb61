// SPDX-License-Identifier: GPL-2.0

//! What `kernel::bindings` lacks: made by bindgen from `bindings_helper.h`.

#![allow(
    missing_docs,
    non_camel_case_types,
    non_upper_case_globals,
    unreachable_pub,
    improper_ctypes,
    clippy::all,
    reason = "generated"
)]

use kernel::bindings::{
    bpf_attr,
    bpf_link,
    module, //
};

include!(env!("BPF_BINDINGS"));
