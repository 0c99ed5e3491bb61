// SPDX-License-Identifier: GPL-2.0
//! The program's arguments, and what it says.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::Wanted;
use anyhow::{Context, Result};

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

/// Does what the arguments say, which are those after the program's name; whether it could.
pub fn run(args: impl Iterator<Item = OsString>) -> bool {
    let args: Vec<_> = args.collect();
    if matches!(&args[..], [arg] if arg == "-h" || arg == "--help") {
        println!("{USAGE}");
        return true;
    }
    let said = match Args::read(args.into_iter()) {
        Ok(Some(args)) if args.iterators.is_empty() => crate::pin(&args.dir),
        Ok(Some(args)) => crate::pin_iterators(&args.dir, &args.iterators),
        Ok(None) => {
            eprintln!("{USAGE}");
            return false;
        }
        Err(error) => Err(error),
    };
    match said {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            true
        }
        Err(error) => {
            eprintln!("bpf-preload-pin: error: {error:#}");
            false
        }
    }
}
