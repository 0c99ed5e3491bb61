// SPDX-License-Identifier: GPL-2.0
//! Puts the files of bpf_preload_rs, or other iterators, into a BPF file system that is mounted already.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use pin::Wanted;

const USAGE: &str = "\
Usage: bpf-preload-pin [DIR]
       bpf-preload-pin --iter PROG[=FILE]... [DIR]

Pins maps.debug and progs.debug of the provider that is loaded, and links.debug, in DIR, a folder of a mounted
BPF file system [default: /sys/fs/bpf]. A file that is there already stays as it is. For links.debug the module
bpf_preload_links is loaded for a moment, unless it is there.

With --iter, pins in place of these the iterator of any module that is loaded, by the name of its BPF prog; FILE is
that name if it is not said. Where several have the name, the id of one's link does as well: --iter ID=FILE.

Exit status: 0 the files are there, 1 they are not: one line says why.";

/// What the arguments ask for. [`None`] for what makes no sense.
struct Args {
    dir: PathBuf,
    iterators: Vec<Wanted>,
}

impl Args {
    fn read(mut args: impl Iterator<Item = OsString>) -> Result<Option<Self>> {
        let mut dir = None;
        let mut iterators = Vec::new();
        while let Some(arg) = args.next() {
            if arg == "--iter" {
                let Some(wanted) = args.next() else {
                    return Ok(None);
                };
                let wanted = wanted.to_string_lossy();
                iterators.push(wanted.parse().context("--iter")?);
            } else if dir.is_some() || arg.as_encoded_bytes().starts_with(b"-") {
                return Ok(None);
            } else {
                dir = Some(arg.into());
            }
        }
        Ok(Some(Args {
            dir: dir.unwrap_or_else(|| "/sys/fs/bpf".into()),
            iterators,
        }))
    }
}

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if matches!(&args[..], [arg] if arg == "-h" || arg == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let said = match Args::read(args.into_iter()) {
        Ok(Some(args)) if args.iterators.is_empty() => pin::pin(&args.dir),
        Ok(Some(args)) => pin::pin_iterators(&args.dir, &args.iterators),
        Ok(None) => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
        Err(error) => Err(error),
    };
    match said {
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
