// SPDX-License-Identifier: GPL-2.0

//! Loads light skeletons that user space hands in, for tests: it trusts them as it would its own.
//!
//! One write to `/dev/lskel_blob` is one object: four `u32` (number of maps, number of progs, size of the
//! data, size of the instructions, both in bytes), `max_entries` of each map (0: as the object says), the data,
//! the instructions. The write fails with the errno of the load; dmesg names the step. What was loaded is
//! taken out again before the write returns.

#![allow(
    unsafe_code,
    reason = "a test: what user space hands in is taken at its word"
)]

pub mod bpf;
pub mod lskel;

use bpf::fd::OwnedFd;
use kernel::{
    fs::{
        File,
        Kiocb, //
    },
    iov::IovIterSource,
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    prelude::*, //
};
use lskel::{
    abi::{
        bpf_loader_ctx,
        bpf_map_desc,
        bpf_prog_desc,
        BPF_SKEL_KERNEL, //
    },
    loader::load_and_run, //
};

module! {
    type: LskelBlob,
    name: "lskel_blob",
    authors: ["The bpf_preload_rs developers"],
    description: "Loads light skeletons from user space, for tests",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

#[pin_data]
struct LskelBlob {
    #[pin]
    _device: MiscDeviceRegistration<Device>,
}

impl kernel::InPlaceModule for LskelBlob {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"lskel_blob" }),
        })
    }
}

struct Device;

#[vtable]
impl MiscDevice for Device {
    type Ptr = KBox<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        Ok(KBox::new(Device, GFP_KERNEL)?)
    }

    fn write_iter(_kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let mut request = KVVec::new();
        let len = iov.copy_from_iter_vec(&mut request, GFP_KERNEL)?;

        load(&request)?;
        Ok(len)
    }
}

/// Cuts a `u32` off the front.
fn take_u32(bytes: &mut &[u8]) -> Result<u32> {
    let (head, rest) = bytes.split_first_chunk::<4>().ok_or(EINVAL)?;

    *bytes = rest;
    Ok(u32::from_ne_bytes(*head))
}

/// A `u32` of a context.
fn ctx_u32(ctx: &[u64], offset: usize) -> Result<i32> {
    let word = ctx.get(offset / 8).ok_or(EINVAL)?.to_ne_bytes();
    let half = word
        .get(offset % 8..)
        .and_then(|half| half.first_chunk::<4>())
        .ok_or(EINVAL)?;

    Ok(i32::from_ne_bytes(*half))
}

fn load(mut request: &[u8]) -> Result {
    let maps = take_u32(&mut request)? as usize;
    let progs = take_u32(&mut request)? as usize;
    let data_len = take_u32(&mut request)? as usize;
    let insns_len = take_u32(&mut request)? as usize;
    // Both counts are of 32 bits: nothing of this can wrap in 64.
    let progs_at = size_of::<bpf_loader_ctx>() + maps * size_of::<bpf_map_desc>();
    let size = progs_at + progs * size_of::<bpf_prog_desc>();

    if size > usize::from(u16::MAX) {
        return Err(E2BIG);
    }
    let mut ctx = KVVec::<u64>::from_elem(0, size.div_ceil(8), GFP_KERNEL)?;

    // In the words of the ABI: sz and flags, then three that stay 0, then two words a map, then half of one
    // a prog.
    let halves = |low: u32, high: u32| {
        let mut word = [0; 8];
        word[..4].copy_from_slice(&low.to_ne_bytes());
        word[4..].copy_from_slice(&high.to_ne_bytes());
        u64::from_ne_bytes(word)
    };
    *ctx.get_mut(0).ok_or(EINVAL)? = halves(size as u32, BPF_SKEL_KERNEL);
    for map in 0..maps {
        *ctx.get_mut(3 + 2 * map).ok_or(EINVAL)? = halves(0, take_u32(&mut request)?);
    }
    let (data, request) = request.split_at_checked(data_len).ok_or(EINVAL)?;
    let insns = request.get(..insns_len).ok_or(EINVAL)?;

    // SAFETY: the context has `size` bytes and is made of integers; the rest is this module's purpose.
    unsafe {
        load_and_run(
            data,
            insns,
            ctx.as_mut_ptr(),
            size as u32,
            &mut KVVec::new(),
        )
    }
    .inspect_err(|e| pr_err!("{e}\n"))?;

    // Each fd is closed, also when one is missing.
    let mut missing = 0;
    let mut close = |at| -> Result {
        match ctx_u32(&ctx, at)? {
            // SAFETY: the loader prog has opened it, and nothing else knows of it.
            fd @ 1.. => drop(unsafe { OwnedFd::from_ret(fd) }),
            _ => missing += 1,
        }
        Ok(())
    };
    for map in 0..maps {
        close(size_of::<bpf_loader_ctx>() + map * size_of::<bpf_map_desc>())?;
    }
    for prog in 0..progs {
        close(progs_at + prog * size_of::<bpf_prog_desc>())?;
    }
    if missing > 0 {
        pr_err!(
            "the loader prog gave no fd for {missing} of {} maps and progs\n",
            maps + progs
        );
        return Err(EBADF);
    }
    Ok(())
}
