// SPDX-License-Identifier: GPL-2.0

//! Structs with one field for each map, or prog, of an object.
//!
//! The same names stand for what an object says of its maps, for the descriptors that its loader
//! prog fills and for the fds that come out of it, so the struct is generic in what each field
//! holds.

/// A family of structs with the same fields and one type in all of them.
///
/// # Safety
///
/// `Of<T>` is `#[repr(C)]` and has fields of type `T` only, in the same order for every `T`.
pub unsafe trait Fields {
    /// The struct that holds a `T` in each field.
    type Of<T>;

    /// The struct with what `f` makes of each field, in order. At the first error the rest is
    /// dropped.
    fn try_map<A, B, E>(
        this: Self::Of<A>,
        f: impl FnMut(A) -> Result<B, E>,
    ) -> Result<Self::Of<B>, E>;

    /// The struct with what stands in the same field of both.
    fn zip<A, B>(a: Self::Of<A>, b: Self::Of<B>) -> Self::Of<(A, B)>;

    /// The struct with a reference to each field.
    fn as_ref<A>(this: &Self::Of<A>) -> Self::Of<&A>;

    /// The struct with what `f` makes of each field, in order.
    fn map<A, B>(this: Self::Of<A>, mut f: impl FnMut(A) -> B) -> Self::Of<B> {
        match Self::try_map(this, |a| Ok::<B, core::convert::Infallible>(f(a))) {
            Ok(of) => of,
            Err(never) => match never {},
        }
    }
}

/// Makes a struct `Name<T>` that has a `T` in each of the fields named, with [`Fields`] for
/// `Name<()>`.
///
/// Without fields it has one called `none`, an empty array.
///
/// # Examples
///
/// ```
/// use kernel::lskel::{
///     fields,
///     Fields, //
/// };
///
/// fields! {
///     struct Progs {
///         dump_bpf_map,
///         dump_bpf_prog,
///     }
/// }
///
/// let fds = Progs { dump_bpf_map: 3, dump_bpf_prog: 4 };
/// let next = Progs::<()>::map(fds, |fd| fd + 1);
///
/// assert_eq!((next.dump_bpf_map, next.dump_bpf_prog), (4, 5));
/// ```
macro_rules! lskel_fields {
    ($(#[$attr:meta])* $vis:vis struct $Name:ident {}) => {
        $crate::lskel::fields! { @struct $(#[$attr])* $vis struct $Name { none: [T; 0] } }

        // SAFETY: `#[repr(C)]`, and there is no field.
        unsafe impl $crate::lskel::Fields for $Name<()> {
            type Of<T> = $Name<T>;

            fn try_map<A, B, E>(
                _: $Name<A>,
                _: impl FnMut(A) -> Result<B, E>,
            ) -> Result<$Name<B>, E> {
                Ok($Name { none: [] })
            }

            fn zip<A, B>(_: $Name<A>, _: $Name<B>) -> $Name<(A, B)> {
                $Name { none: [] }
            }

            fn as_ref<A>(_: &$Name<A>) -> $Name<&A> {
                $Name { none: [] }
            }
        }
    };
    (
        $(#[$attr:meta])*
        $vis:vis struct $Name:ident { $( $(#[$field_attr:meta])* $field:ident ),+ $(,)? }
    ) => {
        $crate::lskel::fields! {
            @struct $(#[$attr])* $vis struct $Name { $( $(#[$field_attr])* $field: T ),+ }
        }

        // SAFETY: `#[repr(C)]`, and each field is a `T`.
        unsafe impl $crate::lskel::Fields for $Name<()> {
            type Of<T> = $Name<T>;

            fn try_map<A, B, E>(
                this: $Name<A>,
                mut f: impl FnMut(A) -> Result<B, E>,
            ) -> Result<$Name<B>, E> {
                Ok($Name { $( $field: f(this.$field)? ),+ })
            }

            fn zip<A, B>(a: $Name<A>, b: $Name<B>) -> $Name<(A, B)> {
                $Name { $( $field: (a.$field, b.$field) ),+ }
            }

            fn as_ref<A>(this: &$Name<A>) -> $Name<&A> {
                $Name { $( $field: &this.$field ),+ }
            }
        }
    };
    (
        @struct
        $(#[$attr:meta])*
        $vis:vis struct $Name:ident { $( $(#[$field_attr:meta])* $field:ident: $Type:ty ),+ }
    ) => {
        $(#[$attr])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        $vis struct $Name<T> {
            $( $(#[$field_attr])* $vis $field: $Type ),+
        }
    };
}
pub use lskel_fields as fields;
