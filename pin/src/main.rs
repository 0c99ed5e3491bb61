// SPDX-License-Identifier: GPL-2.0
//! Puts the files of bpf_preload_rs, or other iterators, into a BPF file system that is mounted already.

use std::process::ExitCode;

fn main() -> ExitCode {
    if pin::cli::run(std::env::args_os().skip(1)) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
