// SPDX-License-Identifier: GPL-2.0
//! A HID fix of the kernel's own source, for a device that this process plays.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::Write;

use anyhow::{ensure, Context, Result};
use rustix::io::Errno;
use scenarios::MODULE_DIR;

use crate::bpf::{self, Ids};
use crate::kernel::{eventually, expect_fds, fds, has_function, insmod, insmod_with, rmmod};
use crate::ktap::Skip;

const DEVICES: &str = "/sys/bus/hid/devices";
/// What the kernel's fix is for: a descriptor of this size, in which the byte is 0.
const SIZE: usize = 203;
const WRONG: usize = 201;
/// What it makes of it: one bit for each key.
const VARIABLE: u8 = 2;

/// The report descriptor of a keyboard with that fault. What does nothing makes it as long as it has to be.
fn descriptor() -> Vec<u8> {
    let page = [0x05, 0x07];
    let begin = [0x05, 0x01, 0x09, 0x06, 0xa1, 0x01];
    // Eight bits, 0 or 1, for the keys from 0xe0 on.
    let end = [
        0x75, 1, 0x95, 8, 0x15, 0, 0x25, 1, 0x19, 0xe0, 0x29, 0xe7, 0x81, 0, 0xc0,
    ];
    let mut bytes = begin.to_vec();
    while bytes.len() + end.len() < SIZE {
        bytes.extend(page);
    }
    bytes.extend(end);
    bytes
}

/// A device, for as long as the file is open.
struct Device {
    _uhid: File,
    name: String,
}

impl Device {
    /// With this report descriptor.
    fn new(descriptor: &[u8]) -> Result<Self> {
        const UHID_CREATE2: u32 = 11;
        const BUS_USB: u16 = 3;
        let had = names()?;
        let mut uhid = File::options()
            .read(true)
            .write(true)
            .open("/dev/uhid")
            .context("opening /dev/uhid")?;
        // struct uhid_event: name, phys and uniq are text.
        let mut event = UHID_CREATE2.to_ne_bytes().to_vec();
        event.resize(4 + 128 + 64 + 64, 0);
        event[4..8].copy_from_slice(b"test");
        event.extend((descriptor.len() as u16).to_ne_bytes());
        event.extend(BUS_USB.to_ne_bytes());
        for number in [0x04d9_u32, 0x0339, 0, 0] {
            event.extend(number.to_ne_bytes());
        }
        event.extend(descriptor);
        uhid.write_all(&event).context("making a device")?;
        let mut name = None;
        eventually(|| {
            name = names()?.into_iter().find(|name| !had.contains(name));
            ensure!(name.is_some(), "expected a device, seen none");
            Ok(())
        })?;
        Ok(Device {
            _uhid: uhid,
            name: name.unwrap_or_default(),
        })
    }

    /// The parameters of hid_fix.ko.
    fn params(&self, size: usize) -> Result<CString> {
        let (_, number) = self.name.rsplit_once('.').context("a name with a number")?;
        let number = u32::from_str_radix(number, 16)?;
        Ok(CString::new(format!("hid={number} rdesc_size={size}"))?)
    }

    /// Compares the report descriptor that the kernel goes by.
    fn expect(&self, descriptor: &[u8], when: &str) -> Result<()> {
        let seen = fs::read(format!("{DEVICES}/{}/report_descriptor", self.name))?;
        ensure!(
            seen == descriptor,
            "{when}: expected {descriptor:02x?}, seen {seen:02x?}"
        );
        Ok(())
    }
}

/// The HID devices.
fn names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(DEVICES)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

pub fn a_hid_fix_of_the_kernels_own_changes_a_device_until_rmmod() -> Result<()> {
    if !has_function("hid_bpf_get_data")? {
        return Err(Skip("this kernel is configured without CONFIG_HID_BPF".into()).into());
    }
    for module in ["hid", "hid-generic", "uhid"] {
        insmod(&format!("{MODULE_DIR}/{module}.ko"))?
            .with_context(|| format!("loading {module}.ko"))?;
    }
    let (ids, had) = (Ids::now(), fds()?);
    let hid_fix = format!("{MODULE_DIR}/hid_fix.ko");
    let wrong = descriptor();
    let mut right = wrong.clone();
    ensure!(
        (wrong.len(), wrong[WRONG]) == (SIZE, 0),
        "the descriptor is not the one that is fixed: {wrong:02x?}"
    );
    right[WRONG] = VARIABLE;

    let device = Device::new(&wrong)?;
    eventually(|| device.expect(&wrong, "before insmod"))?;
    // The object's own prog looks at the size.
    let seen = insmod_with(&hid_fix, &device.params(SIZE - 1)?)?;
    ensure!(
        seen == Err(Errno::NODEV),
        "for another device: expected ENODEV, seen {seen:?}"
    );
    device.expect(&wrong, "without the fix")?;

    insmod_with(&hid_fix, &device.params(SIZE)?)??;
    eventually(|| device.expect(&right, "after insmod"))?;
    rmmod("hid_fix")?;
    eventually(|| device.expect(&wrong, "after rmmod"))?;

    // A device that goes before its fix does.
    insmod_with(&hid_fix, &device.params(SIZE)?)??;
    eventually(|| device.expect(&right, "the second time"))?;
    let params = device.params(SIZE)?;
    drop(device);
    eventually(|| {
        let seen = names()?;
        ensure!(seen.is_empty(), "expected no device, seen {seen:?}");
        Ok(())
    })?;
    rmmod("hid_fix")?;
    let seen = insmod_with(&hid_fix, &params)?;
    ensure!(
        seen == Err(Errno::INVAL),
        "without a device: expected EINVAL, seen {seen:?}"
    );
    expect_fds(&had, "all of it")?;
    eventually(|| bpf::expect_nothing_since(&ids, "rmmod"))
}
