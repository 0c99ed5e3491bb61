// SPDX-License-Identifier: GPL-2.0

//! Loading before init.
//!
//! C header: [`include/linux/init.h`](srctree/include/linux/init.h)

/// Has a function called once at the end of the kernel's boot, before any program of user space:
/// in a kernel thread, at `late_initcall_sync`. By then everything is registered that loading and
/// attaching take, which is not so when a `module!` that is built in is initialised.
///
/// For what is built in only. The argument is the path of a `fn() -> Result`. The kernel drops an
/// error: the function says what is to be said.
///
/// # Examples
///
/// ```ignore
/// late_initcall_sync!(attach);
/// ```
#[macro_export]
macro_rules! late_initcall_sync {
    ($function:path) => {
        #[allow(
            unsafe_code,
            reason = "sections of the kernel's image, as `module!` has them"
        )]
        mod late_initcall_sync {
            use super::*;

            #[link_section = ".init.text"]
            extern "C" fn entry() -> ::kernel::ffi::c_int {
                ::kernel::error::from_result(|| $function().map(|()| 0))
            }

            #[cfg(CONFIG_HAVE_ARCH_PREL32_RELOCATIONS)]
            ::core::arch::global_asm!(
                ".section \".initcall7s.init\", \"a\"",
                ".long {entry} - .",
                ".previous",
                entry = sym entry,
            );

            #[cfg(not(CONFIG_HAVE_ARCH_PREL32_RELOCATIONS))]
            #[link_section = ".initcall7s.init"]
            #[used]
            static ENTRY: extern "C" fn() -> ::kernel::ffi::c_int = entry;
        }
    };
}
pub use late_initcall_sync;
