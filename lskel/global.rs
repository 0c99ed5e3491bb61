// SPDX-License-Identifier: GPL-2.0

//! Global variables of BPF progs.
//!
//! Each section of globals (`.rodata`, `.data`, `.bss`, …) is one struct. Before an object is
//! loaded, its initial value is a window into the loader's data. Afterwards it is the memory of a
//! map, which progs and kernel code share.

use super::{
    fields::Fields,
    skeleton::Object, //
};
use crate::bpf::{
    fd::OwnedFd,
    map::Map, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::Deref,
    ptr::NonNull, //
};
use kernel::prelude::*;

/// A variable that BPF progs may read and write at any time: each access is one volatile access.
#[repr(transparent)]
pub struct Var<T>(UnsafeCell<T>);

// SAFETY: each access is volatile and of a plain integer, whatever bytes it has; C's progs share it
// likewise.
unsafe impl<T: Integer> Sync for Var<T> {}

impl<T: Integer> Var<T> {
    /// What it holds now.
    pub fn get(&self) -> T {
        // SAFETY: the cell is there and aligned, and any bytes are an integer.
        unsafe { self.0.get().read_volatile() }
    }

    /// Makes it hold `value`. What the kernel has frozen (`.rodata` of a loaded object) is not to
    /// be changed: the verifier has counted on it.
    pub fn set(&self, value: T) {
        // SAFETY: the cell is there and aligned.
        unsafe { self.0.get().write_volatile(value) };
    }
}

/// The integers of C: for them any bytes are a value.
pub trait Integer: Copy {}

macro_rules! integers {
    ($($Int:ty),*) => { $( impl Integer for $Int {} )* };
}
integers!(u8, u16, u32, u64, i8, i16, i32, i64);

/// A struct of globals.
///
/// # Safety
///
/// `#[repr(C)]`, made of [`Var`]s, of arrays and of other such structs, and without padding. Its
/// alignment is 8 bytes at most.
pub unsafe trait Globals: Sync {}

/// Where the globals of one section are: generated.
pub struct Section<O: Object, T> {
    pub(super) offset: usize,
    map: fn(&<O::Maps as Fields>::Of<OwnedFd>) -> &OwnedFd,
    _globals: PhantomData<T>,
}

impl<O: Object, T: Globals> Section<O, T> {
    /// The section whose initial value is at `offset` (in bytes) of the object's data, and whose
    /// map is `map`.
    ///
    /// # Safety
    ///
    /// At that offset, a multiple of 8, there is the initial value that the loader prog gives to
    /// this map: `size_of::<T>()` bytes that serve no other purpose, of which it takes as many as
    /// the map's value has.
    pub const unsafe fn new(
        offset: usize,
        map: fn(&<O::Maps as Fields>::Of<OwnedFd>) -> &OwnedFd,
    ) -> Self {
        Self {
            offset,
            map,
            _globals: PhantomData,
        }
    }

    /// The globals within a copy of the object's data. [`None`] if it is too short.
    pub(super) fn within<'a>(&self, data: &'a mut [u8]) -> Option<&'a mut T> {
        let end = self.offset.checked_add(size_of::<T>())?;
        let bytes = data.get_mut(self.offset..end)?;
        let globals = bytes.as_mut_ptr().cast::<T>();

        if !globals.is_aligned() {
            return None;
        }
        // SAFETY: as long as a `T`, aligned, and by the contract of `Globals` any bytes are one.
        Some(unsafe { &mut *globals })
    }

    /// The globals of a loaded object.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the map is not the array that it should be.
    pub(super) fn of(&self, maps: &<O::Maps as Fields>::Of<OwnedFd>) -> Result<Shared<T>> {
        let map = Map::get_from_fd((self.map)(maps))?;
        let (value, value_size) = map.array_value().ok_or(EINVAL)?;

        // C ends a section with its last variable, Rust a struct with padding to its alignment: 8
        // at most.
        if (value_size as usize).next_multiple_of(align_of::<T>()) != size_of::<T>() {
            return Err(EINVAL);
        }
        // INVARIANT: by the promise of `array_value` and the check above.
        Ok(Shared {
            value: value.cast(),
            _map: map,
        })
    }
}

/// The globals of a loaded object, which its progs use at the same time.
///
/// # Invariants
///
/// `value` points to the value of `_map`, whose memory is that of a `T`.
pub struct Shared<T> {
    value: NonNull<T>,
    _map: Map,
}

// SAFETY: it is a reference to the map, which is Send, and gives only a `&T`, which is Sync.
unsafe impl<T: Globals> Send for Shared<T> {}

// SAFETY: `&Shared` gives only a `&T`, which is Sync by the contract of `Globals`.
unsafe impl<T: Globals> Sync for Shared<T> {}

impl<T: Globals> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: by the type invariants it is there for as long as the map's reference is held; by
        // the contract of `Globals` it can be shared with whoever writes to it.
        unsafe { self.value.as_ref() }
    }
}
