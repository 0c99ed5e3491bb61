// SPDX-License-Identifier: GPL-2.0

//! Memory of the calling process, for what a bpf command takes from user space and nowhere else.
//!
//! C header: [`include/linux/mm.h`](srctree/include/linux/mm.h)

use kernel::{
    bindings,
    prelude::*,
    types::NotThreadSafe,
    uaccess::{
        UserPtr,
        UserSlice, //
    }, //
};

/// Anonymous memory, mapped into the calling process for as long as this lives.
///
/// Other threads of the process can see it, change it and unmap it. That harms only the process.
///
/// # Invariants
///
/// `len` bytes at `addr` were mapped for us into the current task's memory. They are unmapped only
/// by our drop.
pub struct UserBuf {
    addr: usize,
    len: usize,
    /// The address means nothing in another task.
    _not_send: NotThreadSafe,
}

impl UserBuf {
    /// Maps `len` bytes (not 0) of zeroes, readable and writable.
    ///
    /// # Errors
    ///
    /// `EFAULT` in a kernel thread, which has no memory of its own; `EINVAL` for no bytes;
    /// `ENOMEM`, also by the task's limits.
    pub fn new(len: usize) -> Result<Self> {
        // From mman-common.h, which `kernel::bindings` does not have.
        const PROT_READ_WRITE: usize = 1 | 2;
        const MAP_PRIVATE_ANONYMOUS: usize = 2 | 0x20;

        if kernel::current!().mm().is_none() {
            return Err(EFAULT);
        }
        // SAFETY: the current task has memory; no file and address 0 are good arguments.
        let addr = unsafe {
            bindings::vm_mmap(
                core::ptr::null_mut(),
                0,
                len,
                PROT_READ_WRITE,
                MAP_PRIVATE_ANONYMOUS,
                0,
            )
        };

        // An errno, as `IS_ERR_VALUE()` knows them.
        if addr >= (bindings::MAX_ERRNO as usize).wrapping_neg() {
            return Err(Error::from_errno(addr as c_int));
        }
        // INVARIANT: just mapped.
        Ok(Self {
            addr,
            len,
            _not_send: NotThreadSafe,
        })
    }

    /// Maps memory that holds `bytes`.
    ///
    /// # Errors
    ///
    /// As [`Self::new`] and [`Self::write`].
    #[inline]
    pub fn holding(bytes: &[u8]) -> Result<Self> {
        let buf = Self::new(bytes.len())?;

        buf.write(bytes)?;
        Ok(buf)
    }

    /// Its address, as a `bpf_attr` has it.
    pub fn addr(&self) -> u64 {
        self.addr as u64
    }

    /// Its size, in bytes.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Writes `bytes` to its start. `EFAULT` if they do not fit.
    pub fn write(&self, bytes: &[u8]) -> Result {
        self.slice().writer().write_slice(bytes)
    }

    /// Reads all of it.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EFAULT` if another thread has unmapped it.
    pub fn read(&self) -> Result<KVVec<u8>> {
        let mut bytes = KVVec::new();

        self.slice().read_all(&mut bytes, GFP_KERNEL)?;
        Ok(bytes)
    }

    fn slice(&self) -> UserSlice {
        UserSlice::new(UserPtr::from_addr(self.addr), self.len)
    }
}

impl Drop for UserBuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the type invariants this task has the memory. If another thread has unmapped
        // it, what is there now is the process's own affair.
        unsafe { bindings::vm_munmap(self.addr, self.len) };
    }
}
