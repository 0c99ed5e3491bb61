// SPDX-License-Identifier: GPL-2.0

//! BPF maps, as kernel code sees them.
//!
//! C header: [`include/linux/bpf.h`](srctree/include/linux/bpf.h)

use super::{
    fd::OwnedFd,
    prog::is_kept_of, //
};
use core::{
    mem::offset_of,
    ops::Range,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    types::NotThreadSafe, //
};

/// A reference to a `struct bpf_map`.
///
/// # Invariants
///
/// `ptr` points to a map of which we own one reference.
pub struct Map {
    ptr: NonNull<bindings::bpf_map>,
}

// SAFETY: by the type invariants a reference is owned, and `bpf_map_put` may be called in any task.
unsafe impl Send for Map {}

// SAFETY: `&Map` gives reads of fields that do not change once the map is there, and access to
// memory that everyone may write to, which is volatile or under the map's own lock.
unsafe impl Sync for Map {}

impl Map {
    /// Takes a reference to the map behind `fd`, so that the fd can be closed.
    ///
    /// # Errors
    ///
    /// `EBADF` if the fd is closed by now, `EINVAL` if it is not a map's.
    pub fn get_from_fd(fd: &OwnedFd) -> Result<Self> {
        Self::get_from_number(fd.as_raw())
    }

    /// Takes a reference to the map that has this number in the current task's table.
    ///
    /// # Errors
    ///
    /// As [`Self::get_from_fd`].
    pub fn get_from_number(fd: u32) -> Result<Self> {
        // SAFETY: FFI call without requirements.
        let ptr = from_err_ptr(unsafe { bindings::bpf_map_get(fd) })?;

        // INVARIANT: `bpf_map_get` has taken a reference, which is ours.
        Ok(Self {
            ptr: NonNull::new(ptr).ok_or(EINVAL)?,
        })
    }

    /// The map itself, without a reference: good for as long as this lives.
    pub(super) fn as_ptr(&self) -> *mut bindings::bpf_map {
        self.ptr.as_ptr()
    }

    /// Its id, by which user space can ask for it.
    #[inline]
    pub fn id(&self) -> u32 {
        // SAFETY: by the type invariants the map is there; its id is set before it has an fd.
        unsafe { (*self.ptr.as_ptr()).id }
    }

    /// Takes a reference to the map behind `fd` if it has this name, of which the kernel keeps the
    /// first 15 bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::get_from_fd`]; `EBADF` also if it has another name.
    #[inline]
    pub fn get_named(fd: &OwnedFd, name: &CStr) -> Result<Self> {
        let map = Self::get_from_fd(fd)?;

        // SAFETY: by the type invariants the map is there; its name is set before it has an fd.
        if is_kept_of(unsafe { &(*map.ptr.as_ptr()).name }, name) {
            Ok(map)
        } else {
            Err(EBADF)
        }
    }

    /// What a struct_ops map can be told. [`None`] for another kind of map.
    fn struct_ops(&self) -> Option<&bindings::bpf_map_ops> {
        // SAFETY: by the type invariants the map is there; these are set once, before it has an fd.
        unsafe {
            let map = self.ptr.as_ptr();

            ((*map).map_type == bindings::bpf_map_type_BPF_MAP_TYPE_STRUCT_OPS)
                .then(|| &*(*map).ops)
        }
    }

    /// Gives a struct_ops map its value, in which callbacks are fds of their progs; 0 is none. One
    /// without `BPF_F_LINK` is registered by this.
    ///
    /// It has no need of an fd, whose map could have been changed for a larger one.
    ///
    /// # Errors
    ///
    /// `EBUSY` if it has a value; `EINVAL` if the value has another size, or a prog is not one for
    /// its member, or a callback is missing that has to be there; otherwise as the kernel's part
    /// has it whose struct it is.
    #[inline]
    pub fn set_struct_ops(&self, value: &[u64]) -> Result {
        let update = self.struct_ops().and_then(|ops| ops.map_update_elem);
        // SAFETY: by the type invariants the map is there; this is set once, before it has an fd.
        let value_size = unsafe { (*self.ptr.as_ptr()).value_size };

        if size_of_val(value) < value_size as usize {
            return Err(EINVAL);
        }
        // SAFETY: it is the map's own function, which only reads a key of 4 bytes and a value of
        // as many as were checked. Like the system call it is called where one may sleep.
        let ret = unsafe {
            update.ok_or(EINVAL)?(
                self.ptr.as_ptr(),
                core::ptr::from_ref(&0_u32).cast_mut().cast(),
                value.as_ptr().cast_mut().cast(),
                0,
            )
        };
        to_result(ret as c_int)
    }

    /// Unregisters a struct_ops map that has been registered without a link.
    #[inline]
    pub fn clear_struct_ops(&self) {
        if let Some(delete) = self.struct_ops().and_then(|ops| ops.map_delete_elem) {
            // SAFETY: it is the map's own function, and the key has 4 bytes. Another task can have
            // been first: then it does nothing.
            unsafe {
                delete(
                    self.ptr.as_ptr(),
                    core::ptr::from_ref(&0_u32).cast_mut().cast(),
                )
            };
        }
    }

    /// Where the first value of an array map is, and the size that the map was created with, in
    /// bytes: the memory is larger if that is no multiple of 8. It is aligned to 8 bytes, valid for
    /// as long as this lives, and BPF progs and user space may write to it at any time. [`None`]
    /// for another kind of map.
    pub fn array_value(&self) -> Option<(NonNull<c_void>, u32)> {
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

    /// Whether it is an array with values of this size, in bytes.
    pub fn has_value_of(&self, size: usize) -> bool {
        self.array_value()
            .is_some_and(|(_, value_size)| value_size as usize == size)
    }

    /// Whether progs only read it: once it is frozen as well, the verifier counts on its values.
    pub fn is_read_only_for_progs(&self) -> bool {
        // SAFETY: by the type invariants the map is there; its flags are set once, before it has an
        // fd.
        unsafe { (*self.ptr.as_ptr()).map_flags & bindings::BPF_F_RDONLY_PROG != 0 }
    }

    /// The places in a value, in bytes, that the kernel keeps for itself: references, locks, lists.
    pub fn kernel_fields(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        // SAFETY: by the type invariants the map is there; its record is set once, before it has an
        // fd.
        let record = unsafe { (*self.ptr.as_ptr()).record };
        let fields = match from_err_ptr(record) {
            Ok(record) if !record.is_null() => {
                // SAFETY: the record lives as long as the map, does not change, and has `cnt`
                // fields.
                unsafe { (*record).fields.as_slice((*record).cnt as usize) }
            }
            _ => &[],
        };

        fields
            .iter()
            .map(|field| field.offset as usize..(field.offset + field.size) as usize)
    }

    /// The integer at `offset` (in bytes, a multiple of 4) of the first value of an array map.
    ///
    /// # Errors
    ///
    /// `EINVAL` outside of the value, and for another kind of map.
    pub fn read_u32(&self, offset: usize) -> Result<u32> {
        let (value, size) = self.array_value().ok_or(EINVAL)?;

        if offset % size_of::<u32>() != 0 || !is_within(offset, size_of::<u32>(), size) {
            return Err(EINVAL);
        }
        // SAFETY: within the value and aligned, by the promise of `array_value` and the check
        // above; volatile, as others may write to it.
        Ok(unsafe { value.cast::<u32>().byte_add(offset).read_volatile() })
    }

    /// A copy of `len` bytes of the first value of an array map, from `offset` on (in bytes, a
    /// multiple of 8).
    ///
    /// # Errors
    ///
    /// `EINVAL` outside of the value, and for another kind of map; `ENOMEM`.
    pub fn read(&self, offset: usize, len: usize) -> Result<KVVec<u8>> {
        let (value, size) = self.array_value().ok_or(EINVAL)?;

        if offset % size_of::<u64>() != 0 || !is_within(offset, len, size) {
            return Err(EINVAL);
        }
        let mut copy = KVVec::with_capacity(len, GFP_KERNEL)?;

        for at in (offset..offset + len).step_by(size_of::<u64>()) {
            // SAFETY: within the memory of the value, which is a multiple of 8 bytes large, and
            // aligned, by the promise of `array_value` and the check above; volatile, as others may
            // write to it.
            let word = unsafe { value.cast::<u64>().byte_add(at).read_volatile() }.to_ne_bytes();
            let word = word.get(..offset + len - at).unwrap_or(&word);

            copy.extend_from_slice(word, GFP_KERNEL)?;
        }
        Ok(copy)
    }

    /// Puts `bytes` into the first value of an array map, from `offset` (in bytes) on. What the
    /// kernel keeps there for itself stays.
    ///
    /// It has no need of an fd, whose map could have been changed for a larger one.
    ///
    /// # Errors
    ///
    /// `EINVAL` outside of the value, and for another kind of map; `EPERM` if the map is frozen.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> Result {
        let (value, size) = self.array_value().ok_or(EINVAL)?;

        if !is_within(offset, bytes.len(), size) {
            return Err(EINVAL);
        }
        // The verifier counts on the values of a frozen map. This lock is the kernel's for
        // freezing.
        let guard = FreezeGuard::new(self);
        if guard.is_frozen() {
            return Err(EPERM);
        }
        let mut at = offset;
        let mut rest = bytes;
        let has_kernel_fields = self.kernel_fields().next().is_some();

        while let Some((&byte, behind)) = rest.split_first() {
            if let (0, false, Some((word, behind))) = (
                at % size_of::<u64>(),
                has_kernel_fields,
                rest.split_first_chunk(),
            ) {
                // SAFETY: within the value and aligned, by the promise of `array_value` and the
                // checks above; volatile, as others may read it.
                unsafe {
                    value
                        .cast::<u64>()
                        .byte_add(at)
                        .write_volatile(u64::from_ne_bytes(*word));
                }
                (at, rest) = (at + size_of::<u64>(), behind);
                continue;
            }
            if !self.kernel_fields().any(|field| field.contains(&at)) {
                // SAFETY: within the value, as above, and not the kernel's own.
                unsafe { value.cast::<u8>().byte_add(at).write_volatile(byte) };
            }
            (at, rest) = (at + 1, behind);
        }
        Ok(())
    }
}

/// Whether `len` bytes from `offset` on are within `size`.
fn is_within(offset: usize, len: usize, size: u32) -> bool {
    offset
        .checked_add(len)
        .is_some_and(|end| end <= size as usize)
}

/// A map that nobody can freeze for as long as this lives.
///
/// # Invariants
///
/// The map's `freeze_mutex` is locked by the current task, and was so by [`FreezeGuard::new`].
struct FreezeGuard<'a> {
    map: &'a Map,
    _not_send: NotThreadSafe,
}

impl<'a> FreezeGuard<'a> {
    fn new(map: &'a Map) -> Self {
        // SAFETY: by the type invariants of `Map` it is there, with its mutex.
        unsafe { bindings::mutex_lock(&raw mut (*map.as_ptr()).freeze_mutex) };
        // INVARIANT: just locked.
        Self {
            map,
            _not_send: NotThreadSafe,
        }
    }

    fn is_frozen(&self) -> bool {
        // SAFETY: by the type invariants the lock is held that protects it.
        unsafe { (*self.map.as_ptr()).frozen }
    }
}

impl Drop for FreezeGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the type invariants this task has locked it.
        unsafe { bindings::mutex_unlock(&raw mut (*self.map.as_ptr()).freeze_mutex) };
    }
}

impl Drop for Map {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the type invariants this gives back the reference that we own.
        unsafe { bindings::bpf_map_put(self.ptr.as_ptr()) };
    }
}
