// SPDX-License-Identifier: GPL-2.0

//! File descriptors of the current task.
//!
//! C header: [`include/linux/fdtable.h`](srctree/include/linux/fdtable.h)

use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_err_ptr,
    fs::{
        file::FileDescriptorReservation,
        File, //
    },
    prelude::*,
    sync::aref::ARef,
    types::NotThreadSafe, //
};

/// A file descriptor that was opened for us in the current task's table, and that we close.
///
/// Tasks that share the table can close it, and put something else under its number. So nothing
/// rests on what it leads to: whoever takes something from it looks at what was taken.
///
/// # Invariants
///
/// `fd` was opened in the current task's table after the task had entered the kernel. 0 is as good
/// as any other.
pub struct OwnedFd {
    fd: u32,
    /// The number means nothing in another task's table.
    _not_send: NotThreadSafe,
}

impl OwnedFd {
    /// Takes over what a bpf command has returned: a negative number is the command's error.
    ///
    /// # Safety
    ///
    /// If `ret` is not negative, it must be an fd that has just been opened in the current task's
    /// table, or the table must be shared with the task that gave the number.
    pub unsafe fn from_ret(ret: c_int) -> Result<Self> {
        let fd = u32::try_from(ret).map_err(|_| Error::from_errno(ret))?;

        // INVARIANT: by this function's contract. In a table that is shared another task may have
        // opened it.
        Ok(Self {
            fd,
            _not_send: NotThreadSafe,
        })
    }

    /// Opens a file or folder for reading, as the current task would: a cgroup's folder, say, or
    /// `/proc/self/ns/net`.
    ///
    /// # Errors
    ///
    /// Those of open(2).
    #[inline]
    pub fn open(path: &CStr) -> Result<Self> {
        let mut fd = FileDescriptorReservation::get_unused_fd_flags(bindings::O_CLOEXEC)?;
        if fd.reserved_fd() == 0 {
            // To some commands 0 is no fd: an iterator would go through all cgroups.
            let zero = fd;
            fd = FileDescriptorReservation::get_unused_fd_flags(bindings::O_CLOEXEC)?;
            drop(zero);
        }
        let number = fd.reserved_fd();
        // SAFETY: the path ends with NUL, and the flags create nothing.
        let file =
            unsafe { bindings::filp_open(path.as_char_ptr(), bindings::O_RDONLY as c_int, 0) };
        let file = NonNull::new(from_err_ptr(file)?).ok_or(EINVAL)?;

        // SAFETY: `filp_open` gives a reference, which is ours; the file is new, so nobody is in an
        // fdget_pos section with it. `File` is a transparent wrapper.
        fd.fd_install(unsafe { ARef::from_raw(file.cast::<File>()) });
        // INVARIANT: just opened, in the current task's table, for us.
        Ok(Self {
            fd: number,
            _not_send: NotThreadSafe,
        })
    }

    /// Holds open what this is the fd of, once the fd is closed too.
    ///
    /// # Errors
    ///
    /// `EBADF` if another thread of the task has closed the fd.
    #[inline]
    pub fn keep_open(&self) -> Result<KeptOpen> {
        // SAFETY: FFI call without requirements.
        let ptr = unsafe { bindings::fget(self.fd) };

        // INVARIANT: `fget` has taken a reference, which is ours.
        Ok(KeptOpen {
            ptr: NonNull::new(ptr).ok_or(EBADF)?,
        })
    }

    /// The number, good for as long as this lives.
    pub fn as_raw(&self) -> u32 {
        self.fd
    }
}

impl Drop for OwnedFd {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the type invariants the fd is not one that the task's system call began with
        // and may use without a reference to its file. In a table that is shared system calls hold
        // references, so that it does no harm if something else has this number by now.
        unsafe { bindings::close_fd(self.fd) };
    }
}

/// An open file without an fd, for as long as this lives.
///
/// The kernel empties a prog array and cancels the timers of a map when nobody has the map open any
/// more, even if progs go on using it: a module that wants them holds the map open.
///
/// # Invariants
///
/// `ptr` points to a file of which we own one reference.
pub struct KeptOpen {
    ptr: NonNull<bindings::file>,
}

// SAFETY: by the type invariants a reference is owned, and `fput` may be called in any task.
unsafe impl Send for KeptOpen {}

// SAFETY: `&KeptOpen` gives nothing.
unsafe impl Sync for KeptOpen {}

impl KeptOpen {
    /// Whether this is the file of the object at `ptr`: bpf files lead to theirs like this.
    pub(super) fn leads_to<T>(&self, ptr: NonNull<T>) -> bool {
        // SAFETY: by the type invariants the file is there; this is set once, before it has an fd.
        let data = unsafe { (*self.ptr.as_ptr()).private_data };

        data == ptr.as_ptr().cast()
    }
}

impl Drop for KeptOpen {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the type invariants this gives back the reference that we own.
        unsafe { bindings::fput(self.ptr.as_ptr()) };
    }
}
