// SPDX-License-Identifier: GPL-2.0

//! BPF links: a prog attached to something, for as long as somebody holds the link.
//!
//! C header: [`include/linux/bpf.h`](srctree/include/linux/bpf.h)

use super::{
    fd::{
        KeptOpen,
        OwnedFd, //
    },
    prog::is_kept_of, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_err_ptr,
    prelude::*,
    sync::rcu, //
};

/// A reference to a `struct bpf_link`.
///
/// # Invariants
///
/// `ptr` points to a link of which we own one reference.
pub struct Link {
    ptr: NonNull<bindings::bpf_link>,
}

// SAFETY: by the type invariants a reference is owned, and `bpf_link_put` may be called in any
// task.
unsafe impl Send for Link {}

// SAFETY: `&Link` gives the type, which never changes, and the name of the prog, which is read
// under RCU, as `BPF_LINK_UPDATE` may put another prog in its place.
unsafe impl Sync for Link {}

impl Link {
    /// Takes a reference to the link behind `fd`, so that the fd can be closed.
    ///
    /// # Errors
    ///
    /// `EBADF` if the fd is closed by now, `EINVAL` if it is not a link's.
    pub fn get_from_fd(fd: &OwnedFd) -> Result<Self> {
        // SAFETY: FFI call without requirements.
        let ptr = from_err_ptr(unsafe { bindings::bpf_link_get_from_fd(fd.as_raw()) })?;

        // INVARIANT: `bpf_link_get_from_fd` has taken a reference, which is ours.
        Ok(Self {
            ptr: NonNull::new(ptr).ok_or(EINVAL)?,
        })
    }

    /// A `BPF_LINK_TYPE_*`.
    #[inline]
    pub fn link_type(&self) -> bindings::bpf_link_type {
        // SAFETY: by the type invariants the link is there; its type is set once, before it has an
        // fd.
        unsafe { (*self.ptr.as_ptr()).type_ }
    }

    /// Its id, by which user space can ask for it.
    #[inline]
    pub fn id(&self) -> u32 {
        // SAFETY: by the type invariants the link is there; its id is set before it has an fd.
        unsafe { (*self.ptr.as_ptr()).id }
    }

    /// Whether its prog has this name, of which the kernel keeps the first 15 bytes.
    #[inline]
    pub fn is_of(&self, prog: &CStr) -> bool {
        let _guard = rcu::read_lock();
        // SAFETY: by the type invariants the link is there. `BPF_LINK_UPDATE` may put another prog
        // into it at any time, and frees the one before after an RCU grace period; this is within
        // a read-side section.
        let name = unsafe {
            let prog = (&raw const (*self.ptr.as_ptr()).prog).read_volatile();
            if prog.is_null() {
                return false;
            }
            (*(*prog).aux).name
        };

        is_kept_of(&name, prog)
    }

    /// The link itself, without a reference: good for as long as this lives.
    pub(super) fn as_ptr(&self) -> *mut bindings::bpf_link {
        self.ptr.as_ptr()
    }
}

impl Drop for Link {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the type invariants this gives back the reference that we own.
        unsafe { bindings::bpf_link_put(self.ptr.as_ptr()) };
    }
}

/// A link of a BPF iterator: opening a file that pins it runs the iterator.
///
/// # Invariants
///
/// The link's type is `BPF_LINK_TYPE_ITER`.
pub struct IterLink(Link);

impl IterLink {
    /// The link itself, without a reference: good for as long as this lives.
    pub(super) fn as_ptr(&self) -> *mut bindings::bpf_link {
        self.0.as_ptr()
    }
}

impl TryFrom<Link> for IterLink {
    type Error = Error;

    /// # Errors
    ///
    /// `EINVAL` if it is not an iterator's.
    fn try_from(link: Link) -> Result<Self> {
        if link.link_type() != bindings::bpf_link_type_BPF_LINK_TYPE_ITER {
            return Err(EINVAL);
        }
        // INVARIANT: checked above; the type never changes.
        Ok(Self(link))
    }
}

/// A link that has registered a struct_ops map, for as long as this lives.
///
/// # Invariants
///
/// The link's type is `BPF_LINK_TYPE_STRUCT_OPS`.
pub struct StructOpsLink(Link);

impl TryFrom<Link> for StructOpsLink {
    type Error = Error;

    /// # Errors
    ///
    /// `EINVAL` if it is not one of a struct_ops map.
    fn try_from(link: Link) -> Result<Self> {
        if link.link_type() != bindings::bpf_link_type_BPF_LINK_TYPE_STRUCT_OPS {
            return Err(EINVAL);
        }
        // INVARIANT: checked above; the type never changes.
        Ok(Self(link))
    }
}

impl Drop for StructOpsLink {
    #[inline]
    fn drop(&mut self) {
        // The last reference to a link goes later, in a kernel thread: what is registered has to
        // go now.
        // SAFETY: by the type invariants the link is there, with its ops. Links of this type can
        // be detached at any time, more than once.
        unsafe {
            let link = self.0.as_ptr();

            if let Some(detach) = (*(*link).ops).detach {
                detach(link);
            }
        }
    }
}

/// A link of a BPF iterator, held by its file.
///
/// The last one to give a file back is done with it when the task returns to user mode (`fput()`):
/// until then the link is there, whoever has dropped this.
///
/// # Invariants
///
/// `ptr` points to a link of the type `BPF_LINK_TYPE_ITER`, to which `file` has a reference.
pub struct IterFile {
    ptr: NonNull<bindings::bpf_link>,
    _file: KeptOpen,
}

// SAFETY: `ptr` is only an address here, and what makes it one of a link is Send.
unsafe impl Send for IterFile {}

impl IterFile {
    /// Takes the file behind `fd`, whose link `link` is.
    ///
    /// # Errors
    ///
    /// `EBADF` if it is not: another thread of the task has closed the fd, or put something else
    /// there.
    pub fn get_from_fd(fd: &OwnedFd, link: &IterLink) -> Result<Self> {
        let file = fd.keep_open()?;

        if !file.leads_to(link.0.ptr) {
            return Err(EBADF);
        }
        // INVARIANT: checked above; the file of a link has a reference to it until it is released.
        Ok(Self {
            ptr: link.0.ptr,
            _file: file,
        })
    }

    /// The link itself, without a reference: good for as long as this lives, and then until the
    /// task that has dropped it returns to user mode, if it is not a kernel thread.
    pub(super) fn as_ptr(&self) -> *mut bindings::bpf_link {
        self.ptr.as_ptr()
    }
}
