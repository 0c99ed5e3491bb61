// SPDX-License-Identifier: GPL-2.0

//! BPF progs, as kernel code sees them.
//!
//! C header: [`include/linux/bpf.h`](srctree/include/linux/bpf.h)

use super::{
    fd::OwnedFd,
    map::Map,
    syscall::Keyring, //
};
use core::ptr::NonNull;
use kernel::{
    bindings,
    error::from_err_ptr,
    fmt,
    prelude::*, //
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

impl Prog {
    /// Takes a reference to the prog behind `fd`.
    ///
    /// # Errors
    ///
    /// `EBADF` if the fd is closed by now, `EINVAL` if it is not that of a prog of this type.
    pub fn get_from_fd(fd: &OwnedFd, prog_type: bindings::bpf_prog_type) -> Result<Self> {
        // SAFETY: FFI call without requirements.
        let ptr = unsafe { bindings::bpf_prog_get_type_dev(fd.as_raw(), prog_type, false) };

        // INVARIANT: `bpf_prog_get_type_dev` has taken a reference, which is ours.
        Ok(Self {
            ptr: NonNull::new(from_err_ptr(ptr)?).ok_or(EINVAL)?,
        })
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
