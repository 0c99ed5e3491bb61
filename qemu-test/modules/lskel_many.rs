// SPDX-License-Identifier: GPL-2.0

//! Loads objects of 1, 100, 126 and 500 progs, one after the other with one loader, and attaches the last prog of each.
//!
//! 126 is what one of libbpf's own loader progs can have at most. The kernel's stack must not grow with any of it.
//!
//! With `progs=N` it loads one object of that many and gives it back: `make bench` sees what one more prog costs. When
//! it goes, it then tries to load again what it has kept, and what it has not.

#![deny(unsafe_code)]

mod bpf;
mod lskel;

macro_rules! objects {
    ($( $object:ident: $little:literal, $big:literal; )*) => { $(
        #[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
        #[cfg_attr(target_endian = "little", path = $little)]
        #[cfg_attr(target_endian = "big", path = $big)]
        mod $object;
    )* };
}

objects! {
    many_1: "../gallery/generated/many_1.lskel-little-endian.rs", "../gallery/generated/many_1.lskel-big-endian.rs";
    many_10: "../gallery/generated/many_10.lskel-little-endian.rs", "../gallery/generated/many_10.lskel-big-endian.rs";
    many_50: "../gallery/generated/many_50.lskel-little-endian.rs", "../gallery/generated/many_50.lskel-big-endian.rs";
    many_100: "../gallery/generated/many_100.lskel-little-endian.rs", "../gallery/generated/many_100.lskel-big-endian.rs";
    many_126: "../gallery/generated/many_126.lskel-little-endian.rs", "../gallery/generated/many_126.lskel-big-endian.rs";
    many_200: "../gallery/generated/many_200.lskel-little-endian.rs", "../gallery/generated/many_200.lskel-big-endian.rs";
    many_500: "../gallery/generated/many_500.lskel-little-endian.rs", "../gallery/generated/many_500.lskel-big-endian.rs";
}

use bpf::link::Link;
use kernel::prelude::*;
use lskel::{
    param_value,
    prog::Tracing,
    LoadError,
    Loader,
    Object,
    ProgId,
    Skeleton, //
};

module! {
    type: Many,
    name: "lskel_many",
    authors: ["The bpf_preload_rs developers"],
    description: "Loads objects of many progs, for tests",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        progs: u32 {
            default: 0,
            description: "Only load an object of this many progs, 1, 10, 50, 100 or 200, and give it back",
        },
    },
}

enum Many {
    All { _links: [Link; 4] },
    One { kept: Skeleton<many_1::Many1> },
}

/// Loads an object of so many progs, and gives it back.
fn load_only(progs: u32) -> Result {
    fn load<O: Object>() -> Result<(), LoadError> {
        Skeleton::<O>::open().load().map(drop)
    }

    let loaded = match progs {
        1 => load::<many_1::Many1>(),
        10 => load::<many_10::Many10>(),
        50 => load::<many_50::Many50>(),
        100 => load::<many_100::Many100>(),
        200 => load::<many_200::Many200>(),
        _ => return Err(EINVAL),
    };

    Ok(loaded?)
}

/// Loads the object of `last`, and attaches that.
fn load<O: Object>(loader: &Loader, last: ProgId<O, Tracing>) -> Result<Link, LoadError> {
    let skel = Skeleton::<O>::open().load_with(loader)?;

    pr_info!("{} progs\n", O::DEF.progs.len());
    skel.prog(last).attach()
}

fn load_all() -> Result<[Link; 4], LoadError> {
    let loader = Loader::new(&[
        many_1::Many1::DEF,
        many_100::Many100::DEF,
        many_126::Many126::DEF,
        many_500::Many500::DEF,
    ])?;

    Ok([
        load(&loader, many_1::progs::of_1_1)?,
        load(&loader, many_100::progs::of_100_100)?,
        load(&loader, many_126::progs::of_126_126)?,
        load(&loader, many_500::progs::of_500_500)?,
    ])
}

impl kernel::Module for Many {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        match param_value::<u32>(module_parameters::progs.value()) {
            0 => Ok(Self::All {
                _links: load_all().inspect_err(|e| pr_err!("{e}\n"))?,
            }),
            progs => {
                let mut kept = Skeleton::open();

                load_only(progs)?;
                kept.keep()?;
                Ok(Self::One { kept })
            }
        }
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        if let Self::One { kept } = self {
            for (what, skel) in [("kept", &*kept), ("not kept", &Skeleton::open())] {
                match skel.load() {
                    Ok(_) => pr_info!("{what}: loaded\n"),
                    Err(e) => pr_info!("{what}: {e}\n"),
                }
            }
        }
    }
}
