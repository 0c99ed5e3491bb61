// SPDX-License-Identifier: GPL-2.0

//! What bpffs shows in each new mount.
//!
//! inode.c calls `bpf_preload_ops->preload()` when a BPF file system is mounted, under its own
//! mutex, and pins the links that it gets back as files of mode 0400. There is one slot for one
//! provider. How it is taken depends on the kernel: `slot.rs`.
//!
//! C files: [`kernel/bpf/inode.c`](srctree/kernel/bpf/inode.c) and
//! [`kernel/bpf/preload/bpf_preload.h`](srctree/kernel/bpf/preload/bpf_preload.h)

use super::{
    bindings::{
        bpf_preload_info,
        bpf_preload_ops, //
    },
    link::{
        IterFile,
        IterLink, //
    },
    slot, //
};
use core::ptr::{
    null_mut,
    NonNull, //
};
use kernel::{
    bindings,
    error::from_result,
    prelude::*,
    sync::atomic::{
        Acquire,
        Atomic,
        Full,
        Release, //
    }, //
};

/// How many links inode.c asks for: exactly this many.
pub const BPF_PRELOAD_LINKS: usize = super::bindings::BPF_PRELOAD_LINKS as usize;

const LINK_NAME_LEN: usize = 16;

/// The name of a pinned file.
///
/// # Invariants
///
/// 1 to 15 bytes, none of them '/' or NUL, then NULs.
#[derive(Clone, Copy)]
pub struct LinkName([c_char; LINK_NAME_LEN]);

impl LinkName {
    /// [`None`] if it is empty, longer than 15 bytes, or has a '/'.
    #[inline]
    pub const fn new(name: &CStr) -> Option<Self> {
        let bytes = name.to_bytes();
        let mut raw = [0; LINK_NAME_LEN];
        let mut i = 0;

        if bytes.is_empty() || bytes.len() >= LINK_NAME_LEN {
            return None;
        }
        while i < bytes.len() {
            if bytes[i] == b'/' {
                return None;
            }
            raw[i] = bytes[i];
            i += 1;
        }
        // INVARIANT: checked above; a `CStr` has no NUL within.
        Some(Self(raw))
    }
}

/// One file for inode.c to pin.
pub struct PreloadLink<'a> {
    /// The file's name.
    pub name: LinkName,
    /// What reading it runs. inode.c takes a reference of its own.
    pub link: Handed<'a>,
}

/// How a provider hands a link over.
pub enum Handed<'a> {
    /// The provider goes on holding it, for the mounts to come.
    Lent(&'a IterLink),
    /// It is for this mount only: when the mounting task returns to user mode, the mount's file is
    /// all that holds it.
    Given(IterFile),
}

/// A provider of preloaded links.
pub trait Preload: Send + Sync + 'static {
    /// Called once for each mount, in the task that mounts, one call at a time.
    ///
    /// # Errors
    ///
    /// The mount then comes up without files: inode.c does not look at the error.
    fn preload(&self) -> Result<[PreloadLink<'_>; BPF_PRELOAD_LINKS]>;
}

/// A provider with the ops that lead to it.
#[repr(C)]
struct Inner<P> {
    ops: bpf_preload_ops,
    provider: P,
}

/// The [`Inner`] that is registered through this code, for the callback, which is told nothing.
static REGISTERED: Atomic<*mut c_void> = Atomic::new(null_mut());

/// A provider, registered for as long as this lives.
///
/// # Examples
///
/// A module keeps it in its own struct. The links come out of a light skeleton.
///
/// ```
/// use kernel::bpf::{
///     link::IterLink,
///     preload::{
///         Handed,
///         LinkName,
///         Preload,
///         PreloadLink,
///         Registration,
///         BPF_PRELOAD_LINKS, //
///     }, //
/// };
///
/// const MAPS: LinkName = LinkName::new(c"maps.debug").unwrap();
/// const PROGS: LinkName = LinkName::new(c"progs.debug").unwrap();
///
/// struct Files {
///     maps: IterLink,
///     progs: IterLink,
/// }
///
/// impl Preload for Files {
///     fn preload(&self) -> Result<[PreloadLink<'_>; BPF_PRELOAD_LINKS]> {
///         Ok([
///             PreloadLink { name: MAPS, link: Handed::Lent(&self.maps) },
///             PreloadLink { name: PROGS, link: Handed::Lent(&self.progs) },
///         ])
///     }
/// }
///
/// fn provide(module: &'static ThisModule, files: Files) -> Result<Registration<Files>> {
///     Registration::new(module, files)
/// }
/// ```
///
/// # Invariants
///
/// `inner` comes from [`KBox::into_raw`]; `REGISTERED` points to it, and its ops are registered.
pub struct Registration<P: Preload> {
    inner: NonNull<Inner<P>>,
}

// SAFETY: what is owned is a `P`, which is Send.
unsafe impl<P: Preload> Send for Registration<P> {}

// SAFETY: `&Registration` gives access to nothing.
unsafe impl<P: Preload> Sync for Registration<P> {}

impl<P: Preload> Registration<P> {
    /// Registers `provider` for the life of `module`.
    ///
    /// In a module's init this comes last: a mount may use the provider from here on, and holds a
    /// reference to the module while it does.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is a provider, which is left as it is; `ENOMEM`.
    pub fn new(module: &'static ThisModule, provider: P) -> Result<Self> {
        let inner = KBox::into_raw(KBox::new(
            Inner {
                ops: slot::ops(preload_callback::<P>, module),
                provider,
            },
            GFP_KERNEL,
        )?);

        // The callback's own pointer first: the slot is what lets mounts in.
        if REGISTERED.cmpxchg(null_mut(), inner.cast(), Full).is_ok() {
            // SAFETY: `inner` was made above, and is freed after `unregister`, or if this fails.
            if unsafe { slot::register(&raw mut (*inner).ops) }.is_ok() {
                // INVARIANT: registered above; it is not NULL, as it comes from a box.
                return Ok(Self {
                    inner: NonNull::new(inner).ok_or(EINVAL)?,
                });
            }
            REGISTERED.store(null_mut(), Release);
        }
        // SAFETY: from `KBox::into_raw` above, and nothing that was let in leads to it.
        drop(unsafe { KBox::from_raw(inner) });
        Err(EBUSY)
    }
}

impl<P: Preload> Drop for Registration<P> {
    fn drop(&mut self) {
        // SAFETY: by the type invariants `inner` is there, and its ops are registered.
        if !unsafe { slot::unregister(&raw mut (*self.inner.as_ptr()).ops) } {
            pr_warn!("preload: dropped before its module: what it holds is lost\n");
            return;
        }
        REGISTERED.store(null_mut(), Release);
        // SAFETY: by the type invariants it comes from `KBox::into_raw`; no mount is under way and
        // none can come in.
        drop(unsafe { KBox::from_raw(self.inner.as_ptr()) });
    }
}

/// Whether the current task is a kernel thread.
fn is_kernel_thread() -> bool {
    let task = kernel::current!().as_ptr();
    // SAFETY: the current task is there; only it changes this flag, when it starts.
    let flags = unsafe { (*task).flags };

    flags & bindings::PF_KTHREAD != 0
}

/// `bpf_preload_ops::preload`: fills `info`, all of it or nothing.
///
/// # Safety
///
/// Called by inode.c only: `info` points to [`BPF_PRELOAD_LINKS`] entries, and the
/// `Registration<P>` that has registered this function stays until inode.c has taken its own
/// references to the links.
unsafe extern "C" fn preload_callback<P: Preload>(info: *mut bpf_preload_info) -> c_int {
    let _call = slot::Call::enter();
    let inner = REGISTERED.load(Acquire).cast::<Inner<P>>();

    from_result(|| {
        if inner.is_null() {
            return Err(ENOENT);
        }
        // SAFETY: this function is in the ops of an `Inner<P>` only, which by this function's
        // contract stays registered, and only one can be registered.
        let provider = unsafe { &(*inner).provider };
        let files = provider.preload()?;

        // A kernel thread gives files back at any time: see `fput()`.
        if files
            .iter()
            .any(|file| matches!(file.link, Handed::Given(_)))
            && is_kernel_thread()
        {
            return Err(EPERM);
        }
        // SAFETY: by this function's contract.
        let info = unsafe { &mut *info.cast::<[bpf_preload_info; BPF_PRELOAD_LINKS]>() };

        for (info, file) in info.iter_mut().zip(files) {
            info.link_name = file.name.0;
            info.link = match file.link {
                // The provider is not freed before inode.c has taken its references.
                Handed::Lent(link) => link.as_ptr(),
                // Dropped here, it stays until this task returns to user mode: inode.c has taken
                // its references long before.
                Handed::Given(link) => link.as_ptr(),
            };
        }
        Ok(0)
    })
}
