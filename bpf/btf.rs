// SPDX-License-Identifier: GPL-2.0

//! BTF: what the kernel says of its types.
//!
//! C header: [`include/linux/btf.h`](srctree/include/linux/btf.h)

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::bindings;

/// The types of the kernel, or of one of its modules beside those of the kernel.
///
/// # Invariants
///
/// `ptr` points to a `struct btf` that is there for as long as `'a`.
#[derive(Clone, Copy)]
pub struct Btf<'a> {
    ptr: NonNull<bindings::btf>,
    _held: PhantomData<&'a bindings::btf>,
}

impl<'a> Btf<'a> {
    /// # Safety
    ///
    /// `ptr` must point to a `struct btf` that is there for as long as `'a`.
    pub(super) unsafe fn from_raw(ptr: NonNull<bindings::btf>) -> Self {
        // INVARIANT: by this function's contract.
        Self {
            ptr,
            _held: PhantomData,
        }
    }

    /// The struct of this number. [`None`] if there is none.
    pub fn struct_of(&self, id: u32) -> Option<Struct<'a>> {
        // SAFETY: by the type invariants the BTF is there; any number will do.
        let ty = unsafe { bindings::btf_type_by_id(self.ptr.as_ptr(), id) };
        // SAFETY: the types of a BTF stay as they are as long as it is there.
        let ty: &'a bindings::btf_type = unsafe { ty.as_ref() }?;

        // `BTF_INFO_KIND()`: all but the number of members and one flag.
        if (ty.info & !bindings::btf_max_BTF_MAX_VLEN & !KIND_FLAG) >> 24
            != bindings::BTF_KIND_STRUCT
        {
            return None;
        }
        // INVARIANT: checked above.
        Some(Struct { ty })
    }
}

/// In `info`: offsets of members have sizes of bit fields above them.
const KIND_FLAG: u32 = 1 << 31;

/// A struct.
///
/// # Invariants
///
/// `ty` is the head of a struct's type in BTF that is there for as long as `'a`.
pub struct Struct<'a> {
    ty: &'a bindings::btf_type,
}

impl Struct<'_> {
    /// In bytes.
    pub fn size(&self) -> usize {
        // SAFETY: by the type invariants it is a struct's, where this is the size.
        unsafe { self.ty.__bindgen_anon_1.size as usize }
    }

    /// Where in it each member is, in bits, in the order of their numbers.
    pub fn members(&self) -> impl Iterator<Item = usize> + '_ {
        let has_bit_fields = self.ty.info & KIND_FLAG != 0;
        let count = self.ty.info & bindings::btf_max_BTF_MAX_VLEN;
        // SAFETY: by the type invariants so many members are behind it.
        let members = unsafe {
            let first = core::ptr::from_ref(self.ty).add(1);

            core::slice::from_raw_parts(first.cast::<bindings::btf_member>(), count as usize)
        };

        members.iter().map(move |member| {
            // `BTF_MEMBER_BIT_OFFSET()`
            let mask = if has_bit_fields { 0xff_ffff } else { u32::MAX };

            (member.offset & mask) as usize
        })
    }
}
