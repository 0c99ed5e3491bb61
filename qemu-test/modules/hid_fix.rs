// SPDX-License-Identifier: GPL-2.0

//! Registers a fix for a keyboard that is in the kernel's own source: its object is made of
//! `drivers/hid/bpf/progs/Mistel__MD770.bpf.c`, as that lies there.

#![deny(unsafe_code)]

mod bpf;
mod lskel;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    target_endian = "little",
    path = "../gallery/generated/Mistel__MD770.lskel-little-endian.rs"
)]
#[cfg_attr(
    target_endian = "big",
    path = "../gallery/generated/Mistel__MD770.lskel-big-endian.rs"
)]
mod object;

use kernel::prelude::*;
use lskel::{
    param_value,
    LoadError,
    Registered,
    Skeleton,
    Step, //
};
use object::{
    args::hid_bpf_probe_args,
    ops,
    progs,
    MistelMD770, //
};
use pin_init::init_zeroed;

module! {
    type: Fix,
    name: "hid_fix",
    authors: ["The bpf_preload_rs developers"],
    description: "A HID fix of the kernel's own source, for tests",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        hid: i32 {
            default: 0,
            description: "the device's number, with which its name in /sys/bus/hid/devices ends",
        },
        rdesc_size: u32 {
            default: 0,
            description: "how long its report descriptor is, in bytes",
        },
    },
}

struct Fix {
    _registered: Registered,
}

impl Fix {
    /// [`None`] if the fix is for another device.
    fn load() -> Result<Option<Self>, LoadError> {
        let mut skel = Skeleton::<MistelMD770>::open();

        skel.ops_mut(ops::mistel_md770)?.hid_id = param_value(module_parameters::hid.value());
        let skel = skel.load()?;

        let mut args = KBox::init(init_zeroed::<hid_bpf_probe_args>(), GFP_KERNEL)
            .map_err(|e| Step::Alloc.failed(e))?;

        args.rdesc_size = param_value(module_parameters::rdesc_size.value());
        skel.prog(progs::probe).call(&mut *args)?;
        if args.retval != 0 {
            return Ok(None);
        }
        Ok(Some(Self {
            _registered: skel.register(ops::mistel_md770)?,
        }))
    }
}

impl kernel::Module for Fix {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Self::load()
            .inspect_err(|e| pr_err!("{e}\n"))?
            .ok_or(ENODEV)
    }
}
