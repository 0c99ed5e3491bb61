// SPDX-License-Identifier: GPL-2.0

//! A module around one of the `cases/`, which breaks a rule: the compiler has to refuse it with the error that the
//! case begins with. `scripts/must-not-compile` tries each.

#![deny(unsafe_code)]
#![allow(unreachable_pub, dead_code, unused_imports)]

const __LOG_PREFIX: &[u8] = b"case\0";

pub mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[path = "generated/calls.lskel-little-endian.rs"]
mod calls;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[path = "../modules/features.lskel-little-endian.rs"]
mod features;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[path = "generated/globals.lskel-little-endian.rs"]
mod globals;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[path = "generated/iter_map_elem.lskel-little-endian.rs"]
mod iter_map_elem;
pub mod lskel;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[path = "generated/signed/globals.lskel-little-endian.rs"]
mod signed;

mod case {
    use crate::{
        bpf::{
            fd::OwnedFd,
            link::{
                IterLink,
                Link, //
            },
            preload::{
                Handed,
                LinkName,
                PreloadLink, //
            },
            syscall::{
                self,
                LinkTarget,
                NetfilterHook, //
            }, //
        },
        calls,
        features::{
            self,
            Features, //
        },
        globals,
        iter_map_elem,
        lskel::*,
        signed, //
    };
    use kernel::prelude::*;

    fn open() -> Skeleton<Features> {
        Skeleton::open()
    }

    fn needs_send(_: impl Send) {}

    include!(env!("CASE"));
}
