// SPDX-License-Identifier: GPL-2.0

//! The module itself: one that stays, and what its callbacks find.
//!
//! C header: [`include/linux/module.h`](srctree/include/linux/module.h)

use core::{
    marker::PhantomData,
    ptr::null_mut, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full, //
        },
        rcu,
        Arc,
        ArcBorrow, //
    }, //
};

/// Has a module stay loaded from now on, until the machine goes down: `rmmod` says that it is in
/// use. It takes a reference that nobody gives back.
///
/// Only `rmmod -f`, where a kernel has it (`CONFIG_MODULE_FORCE_UNLOAD`), still takes it away. If
/// the module's init fails after this, it goes all the same.
///
/// # Errors
///
/// `EBUSY` if the module is being unloaded.
#[inline]
pub fn stay_loaded(module: &'static ThisModule) -> Result {
    // SAFETY: a `ThisModule` is that of a module that is there, or NULL, of what is built in.
    if unsafe { bindings::try_module_get(module.as_ptr()) } {
        Ok(())
    } else {
        Err(EBUSY)
    }
}

/// A `static` in which callbacks that get no argument of the module's own, those of a device's file
/// say, find what the module has made.
///
/// # Examples
///
/// ```ignore
/// static STATE: Slot<State> = Slot::new();
///
/// let filled = STATE.fill(state)?;
/// // In a callback, for as long as `filled` lives:
/// let state = STATE.get().ok_or(ENODEV)?;
/// ```
///
/// # Invariants
///
/// `value` is NULL, or comes from `Arc::into_raw`, and the reference lives at least until a grace
/// period of RCU after it was taken out.
pub struct Slot<T> {
    value: Atomic<*mut c_void>,
    _value: PhantomData<Arc<T>>,
}

// SAFETY: a `&Slot` takes in and gives out values that may be used by all tasks at the same time.
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

impl<T: Send + Sync + 'static> Slot<T> {
    /// One with nothing in it.
    #[allow(clippy::new_without_default, reason = "for a static")]
    pub const fn new() -> Self {
        // INVARIANT: NULL.
        Self {
            value: Atomic::new(null_mut()),
            _value: PhantomData,
        }
    }

    /// Puts a value there, for as long as what this gives lives.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is one.
    #[inline]
    pub fn fill(&'static self, value: Arc<T>) -> Result<Filled<T>> {
        let value = Arc::into_raw(value).cast_mut();

        // INVARIANT: from `Arc::into_raw`; only the drop of what this gives takes it out.
        if self.value.cmpxchg(null_mut(), value.cast(), Full).is_ok() {
            return Ok(Filled { slot: self });
        }
        // SAFETY: from above, and nobody else has it.
        drop(unsafe { Arc::from_raw(value) });
        Err(EBUSY)
    }

    /// What is there now.
    #[inline]
    pub fn get(&self) -> Option<Arc<T>> {
        let _guard = rcu::read_lock();
        let value = self.value.load(Acquire).cast::<T>();

        if value.is_null() {
            return None;
        }
        // SAFETY: by the type invariants it is there, with a reference, until the end of the
        // read-side section at least.
        Some(unsafe { ArcBorrow::from_raw(value) }.into())
    }
}

/// A [`Slot`] with something in it, until this is dropped.
///
/// # Invariants
///
/// The slot has a value, which only the drop of this takes out.
pub struct Filled<T: Send + Sync + 'static> {
    slot: &'static Slot<T>,
}

impl<T: Send + Sync + 'static> Drop for Filled<T> {
    #[inline]
    fn drop(&mut self) {
        let value = self.slot.value.xchg(null_mut(), Full).cast::<T>();

        // SAFETY: FFI call without requirements but that the task may sleep, which is so where one
        // is dropped.
        unsafe { bindings::synchronize_rcu() };
        // SAFETY: by the type invariants it comes from `Arc::into_raw`, and a grace period has
        // passed since it was taken out.
        drop(unsafe { Arc::from_raw(value) });
    }
}
