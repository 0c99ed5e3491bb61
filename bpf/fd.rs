// SPDX-License-Identifier: GPL-2.0

//! File descriptors of the current task.
//!
//! C header: [`include/linux/fdtable.h`](srctree/include/linux/fdtable.h)

use kernel::{
    bindings,
    prelude::*,
    types::NotThreadSafe, //
};

/// A file descriptor that we have opened in the current task's table, and that we close.
///
/// # Invariants
///
/// `fd` was opened in the current task's table for us, and it is closed only by our drop. 0 is as good as
/// any other.
pub(crate) struct OwnedFd {
    fd: u32,
    /// The number means nothing in another task's table.
    _not_send: NotThreadSafe,
}

impl OwnedFd {
    /// Takes over what a bpf command has returned: a negative number is the command's error.
    ///
    /// # Safety
    ///
    /// If `ret` is not negative, it must be an fd that has just been opened in the current task's table
    /// and that nothing else will close.
    pub(crate) unsafe fn from_ret(ret: c_int) -> Result<Self> {
        let fd = u32::try_from(ret).map_err(|_| Error::from_errno(ret))?;

        // INVARIANT: by the caller's promise.
        Ok(Self {
            fd,
            _not_send: NotThreadSafe,
        })
    }

    /// The number, good for as long as this lives.
    pub(crate) fn as_raw(&self) -> u32 {
        self.fd
    }
}

impl Drop for OwnedFd {
    fn drop(&mut self) {
        // SAFETY: by the type invariants the fd is ours to close, in this task's table. Another thread
        // of the task can have closed it: then this fails, and nothing is lost.
        unsafe { bindings::close_fd(self.fd) };
    }
}
