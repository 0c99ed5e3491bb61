// SPDX-License-Identifier: GPL-2.0

//! BTF: what the kernel says of its own types.
//!
//! C header: [`include/linux/btf.h`](srctree/include/linux/btf.h)

use core::ptr::NonNull;
use kernel::{
    bindings,
    prelude::*, //
};

/// A struct of the kernel.
///
/// # Invariants
///
/// `ty` is the head of a struct's type in a `struct btf` of which a reference is never given back.
pub struct Struct {
    ty: NonNull<bindings::btf_type>,
}

impl Struct {
    /// Finds the one of this name.
    ///
    /// It is for structs of the kernel itself, whose types never go. If a module has it, its types
    /// stay too, when it has gone: the kernel exports nothing to give them back.
    ///
    /// # Errors
    ///
    /// `ENOENT` if there is none; `EINVAL` if the kernel has no BTF.
    pub fn find(name: &CStr) -> Result<Self> {
        let mut btf = core::ptr::null_mut();
        // SAFETY: the name ends with NUL, and `btf` takes an address.
        let id = unsafe {
            bindings::bpf_find_btf_id(name.as_char_ptr(), bindings::BTF_KIND_STRUCT, &mut btf)
        };
        let id = u32::try_from(id).map_err(|_| Error::from_errno(id))?;
        // SAFETY: after success `btf` is what the number was found in, with a reference for us.
        let ty = unsafe { bindings::btf_type_by_id(btf, id) };

        // INVARIANT: of this kind it was found, and the reference is not given back.
        Ok(Self {
            ty: NonNull::new(ty.cast_mut()).ok_or(EINVAL)?,
        })
    }

    /// In bytes.
    pub fn size(&self) -> usize {
        // SAFETY: by the type invariants it is there and does not change; of a struct this is its
        // size.
        unsafe { self.ty.as_ref().__bindgen_anon_1.size as usize }
    }

    /// Where in it each member is, in bits, in the order of their numbers.
    pub fn members(&self) -> impl Iterator<Item = u32> + '_ {
        // SAFETY: by the type invariants it is there and does not change.
        let info = unsafe { self.ty.as_ref().info };
        let has_bit_fields = info >> 31 != 0;
        let count = info & bindings::btf_max_BTF_MAX_VLEN;
        // SAFETY: behind the head of a struct are so many members.
        let members = unsafe {
            let first = self.ty.add(1).cast::<bindings::btf_member>();

            core::slice::from_raw_parts(first.as_ptr(), count as usize)
        };

        members.iter().map(move |member| {
            // `BTF_MEMBER_BIT_OFFSET()`: the rest is the size of a bit field.
            if has_bit_fields {
                member.offset & 0xff_ffff
            } else {
                member.offset
            }
        })
    }
}
