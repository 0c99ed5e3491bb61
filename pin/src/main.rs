// SPDX-License-Identifier: GPL-2.0
//! Puts the files of bpf_preload_rs into a BPF file system that is mounted already.

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
Usage: bpf-preload-pin [DIR]

Pins maps.debug and progs.debug of the provider that is loaded, and links.debug, in DIR, a folder of a mounted
BPF file system [default: /sys/fs/bpf]. A file that is there already stays as it is. For links.debug the module
bpf_preload_links is loaded for a moment, unless it is there.

Exit status: 0 the files are there, 1 they are not: one line says why.";

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let dir = match &args[..] {
        [] => Path::new("/sys/fs/bpf"),
        [arg] if arg == "-h" || arg == "--help" => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        [dir] if !dir.as_encoded_bytes().starts_with(b"-") => Path::new(dir),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    match pin::pin(dir) {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bpf-preload-pin: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
