// SPDX-License-Identifier: GPL-2.0

//! Progs that are called, as functions are: those of `SEC("syscall")`.

use crate::bpf::{
    fd::OwnedFd,
    prog::Prog, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    prelude::*, //
};

/// What a prog takes when it is called: a struct that it reads and writes.
///
/// # Safety
///
/// Any bytes are a value of it, it has no padding, and its alignment is 8 bytes or more, if it has
/// any bytes.
pub unsafe trait Args {}

// SAFETY: there are no bytes.
unsafe impl Args for () {}

/// A prog that is called, for as long as this lives: without the skeleton and without an fd.
///
/// Any task may call it where one may sleep, and several at the same time.
///
/// # Invariants
///
/// `prog` is a `BPF_PROG_TYPE_SYSCALL` prog, whose context is no larger than an `A`.
pub struct Function<A> {
    prog: Prog,
    _args: PhantomData<fn(&mut A)>,
}

impl<A: Args> Function<A> {
    /// # Errors
    ///
    /// `EBADF` or `EINVAL` if it is not the prog that it should be; `E2BIG` if it uses more than
    /// there is in an `A`.
    #[inline]
    pub(super) fn of(fd: &OwnedFd, name: &CStr) -> Result<Self> {
        let prog = Prog::get_from_fd(fd, bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL)?;

        // Another task with this fd table can have put another prog in its place.
        if !prog.is_named(name) {
            return Err(EBADF);
        }
        if prog.context_size() as usize > size_of::<A>() {
            return Err(E2BIG);
        }
        // INVARIANT: checked above; both are set before a prog has an fd.
        Ok(Self {
            prog,
            _args: PhantomData,
        })
    }

    /// Calls it. Returns what the prog returns; that it runs cannot fail.
    #[inline]
    pub fn call(&self, args: &mut A) -> i32 {
        // SAFETY: by the type invariants it is such a prog, and uses no more than `args`, which by
        // the contract of `Args` may have any bytes afterwards. By that of `Object` no byte of it
        // is an address to the kernel.
        unsafe { self.prog.run(core::ptr::from_mut(args).cast()) as i32 }
    }
}
