// SPDX-License-Identifier: GPL-2.0

//! Does wrong things, for tests of the debug kernel: it has to see each of them.
//!
//! One write to `/dev/lab_faults` is the name of one: `leak`, `use_after_free`, `lock_inversion`, `map`.

#![allow(unsafe_code, reason = "a test: it breaks rules on purpose")]

mod bpf;

use bpf::{
    map::Map,
    syscall::{
        self,
        MapCreate, //
    }, //
};
use core::mem::forget;
use kernel::{
    bindings,
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
    new_mutex,
    prelude::*,
    sync::Mutex, //
};

module! {
    type: LabFaults,
    name: "lab_faults",
    authors: ["The bpf_preload_rs developers"],
    description: "Does wrong things, for tests of the debug kernel",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
}

#[pin_data]
struct LabFaults {
    #[pin]
    _device: MiscDeviceRegistration<Device>,
}

impl kernel::InPlaceModule for LabFaults {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _device <- MiscDeviceRegistration::register(MiscDeviceOptions { name: c"lab_faults" }),
        })
    }
}

/// Not of size 0, for which nothing is allocated.
struct Device(#[expect(dead_code)] u8);

#[vtable]
impl MiscDevice for Device {
    type Ptr = KBox<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<KBox<Self>> {
        Ok(KBox::new(Device(0), GFP_KERNEL)?)
    }

    fn write_iter(_kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let mut what = KVVec::new();
        let len = iov.copy_from_iter_vec(&mut what, GFP_KERNEL)?;

        match &what[..] {
            b"leak" => leak(),
            b"use_after_free" => use_after_free(),
            b"lock_inversion" => lock_inversion(),
            b"map" => map(),
            _ => Err(EINVAL),
        }?;
        Ok(len)
    }
}

/// Several: the address of one may by chance still be on a stack.
fn leak() -> Result {
    for byte in 0..20 {
        forget(KBox::new([byte; 100], GFP_KERNEL)?);
    }
    Ok(())
}

fn use_after_free() -> Result {
    let freed = KBox::into_raw(KBox::new([1_u8; 100], GFP_KERNEL)?);

    // SAFETY: from `into_raw` above.
    drop(unsafe { KBox::from_raw(freed) });
    // SAFETY: none, and that is the test: the memory has just been freed. It stays mapped.
    let byte = unsafe { freed.cast::<u8>().read_volatile() };
    pr_info!("read {byte} from freed memory\n");
    Ok(())
}

#[pin_data]
struct Locks {
    #[pin]
    a: Mutex<()>,
    #[pin]
    b: Mutex<()>,
}

/// Takes a, then b; later b, then a. In one task nothing waits for ever.
fn lock_inversion() -> Result {
    let locks = KBox::pin_init(
        pin_init!(Locks {
            a <- new_mutex!((), "lab_faults.a"),
            b <- new_mutex!((), "lab_faults.b"),
        }),
        GFP_KERNEL,
    )?;
    {
        let _a = locks.a.lock();
        let _b = locks.b.lock();
    }
    {
        let _b = locks.b.lock();
        let _a = locks.a.lock();
    }
    Ok(())
}

/// Leaves a map that no fd leads to.
fn map() -> Result {
    let fd = syscall::map_create(&MapCreate {
        map_type: bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
        map_name: c"left_behind",
        key_size: 4,
        value_size: 4,
        max_entries: 1,
        map_flags: 0,
    })?;

    forget(Map::get_from_fd(&fd)?);
    Ok(())
}
