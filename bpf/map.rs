// SPDX-License-Identifier: GPL-2.0

//! BPF maps, as kernel code sees them.
//!
//! C header: [`include/linux/bpf.h`](srctree/include/linux/bpf.h)

use super::fd::OwnedFd;
use core::{
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*, //
};

/// A reference to a `struct bpf_map`.
///
/// # Invariants
///
/// `ptr` points to a map of which we own one reference.
pub(crate) struct Map {
    ptr: NonNull<bindings::bpf_map>,
}

// SAFETY: by the type invariants a reference is owned, and `bpf_map_put` may be called in any task.
unsafe impl Send for Map {}

// SAFETY: `&Map` gives only reads of fields that do not change once the map is there, and the
// address of memory that everyone may write to.
unsafe impl Sync for Map {}

impl Map {
    /// Takes a reference to the map behind `fd`, so that the fd can be closed.
    ///
    /// # Errors
    ///
    /// `EBADF` if the fd is closed by now, `EINVAL` if it is not a map's.
    pub(crate) fn get_from_fd(fd: &OwnedFd) -> Result<Self> {
        // SAFETY: FFI call without requirements.
        let ptr = from_err_ptr(unsafe { bindings::bpf_map_get(fd.as_raw()) })?;

        // INVARIANT: `bpf_map_get` has taken a reference, which is ours.
        Ok(Self {
            ptr: NonNull::new(ptr).ok_or(EINVAL)?,
        })
    }

    /// Where the first value of an array map is, and the size that the map was created with, in
    /// bytes: the memory is larger if that is no multiple of 8. It is aligned to 8 bytes, valid for
    /// as long as this lives, and BPF progs and user space may write to it at any time. [`None`]
    /// for another kind of map.
    pub(crate) fn array_value(&self) -> Option<(NonNull<c_void>, u32)> {
        // SAFETY: by the type invariants the map is there; these are set once, before it has an fd.
        let (map_type, value_size) = unsafe {
            let map = self.ptr.as_ptr();
            ((*map).map_type, (*map).value_size)
        };

        if map_type != bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY {
            return None;
        }
        // SAFETY: a map of this type is the head of a `bpf_array`, whose last field is where its
        // values begin; it has at least one, as the kernel refuses arrays without elements.
        let value = unsafe {
            self.ptr
                .cast::<c_void>()
                .byte_add(offset_of!(bindings::bpf_array, __bindgen_anon_1))
        };

        Some((value, value_size))
    }

    /// The first value of an array map, byte by byte as it is now.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` for another kind of map.
    pub(crate) fn copy_array_value(&self) -> Result<KVVec<u8>> {
        let (value, size) = self.array_value().ok_or(EINVAL)?;
        let mut bytes = KVVec::with_capacity(size as usize, GFP_KERNEL)?;

        for at in 0..size as usize {
            // SAFETY: within the value, by the promise of `array_value`; volatile, as others may
            // write to it.
            let byte = unsafe { value.cast::<u8>().add(at).read_volatile() };
            bytes.push(byte, GFP_KERNEL)?;
        }
        Ok(bytes)
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: by the type invariants this gives back the reference that we own.
        unsafe { bindings::bpf_map_put(self.ptr.as_ptr()) };
    }
}
