// SPDX-License-Identifier: GPL-2.0

//! Global variables of BPF progs.
//!
//! Each section of globals (`.rodata`, `.data`, `.bss`, …) is one struct. Before an object is
//! loaded, its initial value is a window into the object's data. Afterwards it is the memory of a
//! map, which progs and kernel code share.

use super::object::{
    MapDef,
    Object, //
};
use crate::bpf::{
    fd::OwnedFd,
    map::Map, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{
        Deref,
        Range, //
    },
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

    /// Makes it hold `value`.
    pub fn set(&self, value: T) {
        // SAFETY: the cell is there and aligned.
        unsafe { self.0.get().write_volatile(value) };
    }
}

/// A variable that the kernel freezes when the object is loaded, as the verifier counts on its
/// value: it can be set before that, when one has it for oneself, and only be read after it.
#[repr(transparent)]
pub struct Frozen<T>(Var<T>);

impl<T: Integer> Frozen<T> {
    /// What it holds.
    pub fn get(&self) -> T {
        self.0.get()
    }

    /// Makes it hold `value`.
    pub fn set(&mut self, value: T) {
        self.0.set(value);
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
/// `#[repr(C)]`, made of [`Var`]s or, if it is `FROZEN`, of [`Frozen`]s, of arrays and of other
/// such structs, and without padding. Its alignment is 8 bytes at most. No field that can be
/// reached lies in one of the `GAPS`.
pub unsafe trait Globals: Sync {
    /// Whether there are only [`Frozen`] variables in it.
    const FROZEN: bool;
    /// What is left out, from byte to byte: the kernel may keep something of its own there.
    const GAPS: &'static [(usize, usize)];
}

/// Names a section of globals of `O`.
pub struct Section<O, T> {
    index: usize,
    _globals: PhantomData<(O, T)>,
}

impl<O: Object, T: Globals> Section<O, T> {
    /// The one whose map is at this place in the object's list.
    pub const fn new<const MAP: usize>() -> Self {
        const {
            assert!(MAP < O::DEF.maps.len(), "the object has no such map");
            let def = &O::DEF.maps[MAP];

            assert!(
                T::FROZEN || !def.frozen,
                "what the kernel freezes is not to be changed"
            );
            assert!(
                is_size_of::<T>(def.value_size as usize),
                "the map's value has another size"
            );
        }
        Self {
            index: MAP,
            _globals: PhantomData,
        }
    }

    /// The section's map.
    pub(super) fn map(&self) -> (usize, Option<&'static MapDef>) {
        (self.index, O::DEF.maps.get(self.index))
    }
}

/// C ends a section with its last variable, Rust a struct with padding to its alignment: 8 at most.
const fn is_size_of<T>(value_size: usize) -> bool {
    value_size.next_multiple_of(align_of::<T>()) == size_of::<T>()
}

/// The globals in the initial value of their map, within a copy of the object's data. [`None`] if
/// they are not there.
pub(super) fn within<'a, T: Globals>(def: &MapDef, data: &'a mut [u8]) -> Option<&'a mut T> {
    let globals = data
        .get_mut(def.value? as usize..)?
        .get_mut(..size_of::<T>())?
        .as_mut_ptr()
        .cast::<T>();

    if !globals.is_aligned() {
        return None;
    }
    // SAFETY: as long as a `T`, aligned, and by the contract of `Globals` any bytes are one.
    Some(unsafe { &mut *globals })
}

/// The globals of a loaded object, which its progs use at the same time.
///
/// # Invariants
///
/// `value` points to the value of `_map`, whose memory is that of a `T`: where the kernel keeps
/// something of its own is one of its `GAPS`, and if progs cannot write to it, it is `FROZEN`.
pub struct Shared<T> {
    value: NonNull<T>,
    _map: Map,
}

impl<T: Globals> Shared<T> {
    /// # Errors
    ///
    /// `EBADF` if it is not the map that it should be.
    pub(super) fn of(fd: &OwnedFd) -> Result<Self> {
        let map = Map::get_from_fd(fd)?;
        let (value, value_size) = map.array_value().ok_or(EBADF)?;
        let is_left_out = |field: Range<usize>| {
            T::GAPS
                .iter()
                .any(|&(start, end)| start <= field.start && field.end <= end)
        };

        // Another task with this fd table can have put another map in its place.
        if !is_size_of::<T>(value_size as usize)
            || map.is_read_only_for_progs() && !T::FROZEN
            || !map.kernel_fields().all(is_left_out)
        {
            return Err(EBADF);
        }
        // INVARIANT: by the promise of `array_value` and the checks above.
        Ok(Self {
            value: value.cast(),
            _map: map,
        })
    }
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
