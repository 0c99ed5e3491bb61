// SPDX-License-Identifier: GPL-2.0

//! What libbpf would read of the machine that it runs on, and gets from here instead: nothing of the build
//! host's kernel may get into a skeleton.
//!
//! The linker sends libbpf's calls here (`--wrap`, see `build.rs`).

use std::ffi::{c_char, c_int, c_void, CStr};
use std::sync::OnceLock;

/// The machine as libbpf is to see it.
#[derive(Debug, Default)]
pub struct Host {
    /// In the format of `/proc/kallsyms`.
    kallsyms: Vec<u8>,
    /// As in "7.3.4".
    release: String,
}

/// The CPUs that there may be: more than any machine has. libbpf makes as many entries in a perf event array
/// of which the object says no size.
const CPUS: &CStr = c"0-8191\n";

static HOST: OnceLock<Host> = OnceLock::new();

/// Defines the machine, once: a kernel that has these symbols, all at address 0, and is of this release.
///
/// The addresses are looked up by the loader prog, so that 0 is replaced at load.
pub fn set(ksyms: &[String], release: &str) {
    let line = |name: &String| format!("0 D {name}\n").into_bytes();
    let _ = HOST.set(Host {
        kallsyms: ksyms.iter().flat_map(line).collect(),
        release: release.to_owned(),
    });
}

fn host() -> &'static Host {
    HOST.get_or_init(Host::default)
}

extern "C" {
    /// The C library's own.
    fn __real_fopen64(path: *const c_char, mode: *const c_char) -> *mut libc::FILE;
    /// The C library's own. It takes `mode` as a variable argument.
    fn __real_open64(path: *const c_char, flags: c_int, ...) -> c_int;
    /// zlib's own.
    fn __real_gzopen64(path: *const c_char, mode: *const c_char) -> *mut c_void;
}

/// Gives our list for `/proc/kallsyms`, and no other file of `/proc`.
///
/// # Safety
///
/// As for `fopen()`.
#[no_mangle]
unsafe extern "C" fn __wrap_fopen64(path: *const c_char, mode: *const c_char) -> *mut libc::FILE {
    // SAFETY: by this function's contract.
    let name = unsafe { CStr::from_ptr(path) }.to_bytes();
    if name == b"/proc/kallsyms" {
        let text = &host().kallsyms;
        if text.is_empty() {
            // fmemopen() takes no empty buffer.
            // SAFETY: strings with a NUL.
            return unsafe { __real_fopen64(c"/dev/null".as_ptr(), mode) };
        }
        // SAFETY: the buffer is static, and only read, as libbpf asks for.
        return unsafe { libc::fmemopen(text.as_ptr().cast_mut().cast(), text.len(), mode) };
    }
    if name.starts_with(b"/proc/") {
        return std::ptr::null_mut();
    }
    // SAFETY: by this function's contract.
    unsafe { __real_fopen64(path, mode) }
}

/// Gives our number of CPUs.
///
/// # Safety
///
/// As for `open()`, of which this is the variant with three arguments. Where this builds, a variable argument
/// of this type is passed as any other.
#[no_mangle]
unsafe extern "C" fn __wrap_open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    // SAFETY: by this function's contract.
    if unsafe { CStr::from_ptr(path) } != c"/sys/devices/system/cpu/possible" {
        // SAFETY: by this function's contract.
        return unsafe { __real_open64(path, flags, mode) };
    }
    // SAFETY: a string with a NUL.
    let fd = unsafe { libc::memfd_create(c"cpus".as_ptr(), libc::MFD_CLOEXEC) };
    let text = CPUS.to_bytes();
    // SAFETY: a buffer and its size. A bad fd is refused by the kernel, here and by the caller.
    unsafe { libc::pwrite(fd, text.as_ptr().cast(), text.len(), 0) };
    fd
}

/// Gives an empty file: the only one that libbpf opens so is the kernel's configuration.
///
/// # Safety
///
/// As for `gzopen()`.
#[no_mangle]
unsafe extern "C" fn __wrap_gzopen64(_path: *const c_char, mode: *const c_char) -> *mut c_void {
    // SAFETY: strings with a NUL; the mode by this function's contract.
    unsafe { __real_gzopen64(c"/dev/null".as_ptr(), mode) }
}

/// Gives our release and nothing else.
///
/// # Safety
///
/// As for `uname()`.
#[no_mangle]
unsafe extern "C" fn __wrap_uname(info: *mut libc::utsname) -> c_int {
    // SAFETY: a `utsname` is arrays of characters, for which zeroes are valid.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    // The last one stays the NUL.
    let last = name.release.len() - 1;
    for (to, from) in name.release[..last].iter_mut().zip(host().release.bytes()) {
        *to = from as c_char;
    }
    // SAFETY: by this function's contract.
    unsafe { info.write(name) };
    0
}
