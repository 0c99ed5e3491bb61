// SPDX-License-Identifier: GPL-2.0

//! BPF progs, as kernel code sees them.
//!
//! C header: [`include/linux/bpf.h`](srctree/include/linux/bpf.h)

use super::{
    bindings::bpf_prog_run_sleepable,
    btf::Btf,
    fd::OwnedFd,
    map::Map,
    syscall::Keyring, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_err_ptr,
    fmt,
    prelude::*,
    task::might_sleep, //
};

/// What the kernel says of the signature of a prog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has none.
    Unsigned,
    /// It is that of a key in this keyring.
    Verified(Keyring),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("unsigned"),
            Self::Verified(Keyring::Builtin) => f.write_str("verified, builtin keyring"),
            Self::Verified(Keyring::Secondary) => f.write_str("verified, secondary keyring"),
            Self::Verified(Keyring::Platform) => f.write_str("verified, platform keyring"),
            Self::Verified(Keyring::Serial(serial)) => write!(f, "verified, keyring {serial}"),
        }
    }
}

/// A reference to a `struct bpf_prog`.
///
/// # Invariants
///
/// `ptr` points to a prog of which we own one reference.
pub struct Prog {
    ptr: NonNull<bindings::bpf_prog>,
}

// SAFETY: by the type invariants a reference is owned, and `bpf_prog_put` may be called in any
// task.
unsafe impl Send for Prog {}

// SAFETY: `&Prog` gives reads of what does not change once the prog has an fd, or is locked, and
// runs of the prog, which any tasks may do at the same time.
unsafe impl Sync for Prog {}

impl Prog {
    /// Takes a reference to the prog behind `fd`.
    ///
    /// # Errors
    ///
    /// `EBADF` if the fd is closed by now, `EINVAL` if it is not that of a prog of this type.
    #[inline]
    pub fn get_from_fd(fd: &OwnedFd, prog_type: bindings::bpf_prog_type) -> Result<Self> {
        Self::get_from_number(fd.as_raw(), prog_type)
    }

    /// Takes a reference to the prog that has this number in the current task's table.
    ///
    /// # Errors
    ///
    /// As [`Self::get_from_fd`].
    #[inline]
    pub fn get_from_number(fd: u32, prog_type: bindings::bpf_prog_type) -> Result<Self> {
        // SAFETY: FFI call without requirements.
        let ptr = unsafe { bindings::bpf_prog_get_type_dev(fd, prog_type, false) };

        // INVARIANT: `bpf_prog_get_type_dev` has taken a reference, which is ours.
        Ok(Self {
            ptr: NonNull::new(from_err_ptr(ptr)?).ok_or(EINVAL)?,
        })
    }

    /// Its id, by which user space can ask for it.
    #[inline]
    pub fn id(&self) -> u32 {
        // SAFETY: by the type invariants the prog is there, with its `aux`, whose id is set before
        // it has an fd.
        unsafe { (*(*self.ptr.as_ptr()).aux).id }
    }

    /// Whether it has this name, of which the kernel keeps the first 15 bytes.
    #[inline]
    pub fn is_named(&self, name: &CStr) -> bool {
        // SAFETY: by the type invariants the prog is there, with its `aux`, whose name is set
        // before it has an fd.
        is_kept_of(unsafe { &(*(*self.ptr.as_ptr()).aux).name }, name)
    }

    /// The types that what it is attached to is among, if it was loaded for such a thing.
    pub fn attach_btf(&self) -> Option<Btf<'_>> {
        // SAFETY: by the type invariants the prog is there, with its `aux`, where this is set
        // before it has an fd.
        let btf = unsafe { (*(*self.ptr.as_ptr()).aux).attach_btf };

        // SAFETY: the prog has a reference to it.
        NonNull::new(btf).map(|btf| unsafe { Btf::from_raw(btf) })
    }

    /// How many bytes of its context it uses: as many have to be there when it is run.
    pub fn context_size(&self) -> u32 {
        // SAFETY: by the type invariants the prog is there, with its `aux`, where the verifier has
        // put this.
        unsafe { (*(*self.ptr.as_ptr()).aux).max_ctx_offset }
    }

    /// The type of the function that it is, by its number in the prog's own BTF. [`None`] if the
    /// prog has no BTF.
    pub fn function_type(&self) -> Option<u32> {
        // SAFETY: by the type invariants the prog is there, with its `aux`, where the list of its
        // functions is set before it has an fd; the first of so many is the prog itself.
        unsafe {
            let aux = (*self.ptr.as_ptr()).aux;

            match (*aux).func_info_cnt {
                0 => None,
                _ => (*aux).func_info.as_ref().map(|first| first.type_id),
            }
        }
    }

    /// Runs it, and returns what it returns. It may sleep.
    ///
    /// # Safety
    ///
    /// It must be a `BPF_PROG_TYPE_SYSCALL` prog. `ctx` must be valid for reads and writes of
    /// [`Self::context_size`] bytes, which are initialised, and aligned to 8.
    #[inline]
    pub unsafe fn run(&self, ctx: *mut c_void) -> u32 {
        might_sleep();
        // SAFETY: by the type invariants the prog is there. Those of this type are sleepable, and
        // the verifier keeps them within so much of the context.
        unsafe { bpf_prog_run_sleepable(self.ptr.as_ptr(), ctx) }
    }

    /// What the kernel has found of its signature.
    pub fn verdict(&self) -> Verdict {
        // SAFETY: by the type invariants the prog is there, with its `aux`; this is set before it
        // has an fd.
        let sig = unsafe { (*(*self.ptr.as_ptr()).aux).sig };

        if u32::from(sig.verdict) != bindings::bpf_sig_verdict_BPF_SIG_VERIFIED {
            return Verdict::Unsigned;
        }
        Verdict::Verified(match sig.keyring_type.into() {
            bindings::bpf_sig_keyring_BPF_SIG_KEYRING_BUILTIN => Keyring::Builtin,
            bindings::bpf_sig_keyring_BPF_SIG_KEYRING_SECONDARY => Keyring::Secondary,
            bindings::bpf_sig_keyring_BPF_SIG_KEYRING_PLATFORM => Keyring::Platform,
            _ => Keyring::Serial(sig.keyring_serial),
        })
    }

    /// Whether `map` is the first map that it uses.
    pub fn uses_first(&self, map: &Map) -> bool {
        // SAFETY: by the type invariants the prog is there, with its `aux`. The mutex protects the
        // list, which `BPF_PROG_BIND_MAP` replaces.
        unsafe {
            let aux = (*self.ptr.as_ptr()).aux;
            let mutex = &raw mut (*aux).used_maps_mutex;

            bindings::mutex_lock(mutex);
            let first = match (*aux).used_map_cnt {
                0 => None,
                _ => Some(*(*aux).used_maps),
            };
            bindings::mutex_unlock(mutex);
            first == Some(map.as_ptr())
        }
    }
}

impl Drop for Prog {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: by the type invariants this gives back the reference that we own.
        unsafe { bindings::bpf_prog_put(self.ptr.as_ptr()) };
    }
}

/// Whether this is what the kernel keeps of a name: its first bytes, and NUL.
#[inline]
pub(super) fn is_kept_of(kept: &[c_char], name: &CStr) -> bool {
    let known = name.to_bytes().iter().take(kept.len() - 1);

    known
        .copied()
        .eq(kept.iter().copied().take_while(|&c| c != 0))
}
