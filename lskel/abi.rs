// SPDX-License-Identifier: GPL-2.0

//! What the loader prog, whoever runs it, and the generator that writes its data agree on.
//!
//! There is one loader prog for every object: `lskel/loader.S`. It walks a table of [`record`]s.
//! The table lies in the value of an array map with one element, the object's *data*, together with
//! all that the records work on. This file is the only definition of it in Rust: the kernel-side
//! runtime and the generator on the host both compile it. It uses nothing but `core` and
//! fixed-width types, which are in the byte order of the machine that loads.
//!
//! The data, in order; every offset counts from its start:
//!
//! - [`head`]: where the table starts, for success and for failure.
//! - Cells, `u32` each, from [`CELLS`] on: fds, one for each map, then one for each prog, then
//!   those that the load needs only for a while; then what was found. They are the `fd_array` of
//!   each prog's load.
//! - Anything: attrs, BTF, instructions, initial values, strings.
//! - The table, records: BTF and maps, [`END`]; the rest, what closes the temporary fds, [`END`];
//!   from `head.cleanup` on what closes all fds, [`END`].
//! - [`SLACK`] bytes are not stored: the runtime makes the map's value that much larger.
//!
//! The loader prog runs twice. After the first run the maps are there, and the runtime writes the
//! initial values into their memory. After the second the cells of maps and progs hold their fds,
//! and all other fds are closed. After a failure every fd is closed, and the cells say nothing. To
//! give up between the runs, the runtime copies `head.cleanup` to `head.table` and runs it again.

#![allow(non_camel_case_types, reason = "names stay with C")]

/// The start of an object's data, 8 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct head {
    /// Offset of the record to start with. [`END`] leaves that of the record behind it here.
    pub table: u32,
    /// Offset of the record to go on with when one has failed.
    pub cleanup: u32,
}

/// Offset of the first cell.
pub const CELLS: u32 = 8;

/// What a cell of [`BPF`] holds while it has no fd. 0 is an fd like any other.
pub const NO_FD: u32 = u32::MAX;

/// One step of a load, 16 bytes.
///
/// `a` and `b` are offsets, at most the size of the data; what they name is aligned to its size.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct record {
    /// What to do: one of the constants below.
    pub op: u8,
    /// Command, kind or fd: see there.
    pub arg: u8,
    /// Size of what `a` names, in words of 4 bytes, less one: 0 stands for 4 bytes, 255 for 1,024.
    pub words: u8,
    /// 0.
    pub zero: u8,
    /// Offset of what is read.
    pub a: u32,
    /// Offset of what is written.
    pub b: u32,
    /// A number: see there.
    pub c: u32,
}

/// The `u64` at `b` becomes the address of `a`.
pub const PTR: u8 = 0;
/// The `u64` at `b` becomes what `bpf_btf_find_by_name_kind()` says of the name at `a` and the kind
/// `arg`: in its low half the id of the type; in its high half an fd of the module's BTF, or 0 for
/// vmlinux. If it fails with the errno `c`, as in `-ENOENT`, it becomes 0.
pub const FIND_BTF: u8 = 1;
/// The `u64` at `b` becomes the address of the symbol whose name is at `a`. If that fails with the
/// errno `c` it becomes 0.
pub const FIND_KSYM: u8 = 2;
/// `bpf(arg, a)`; the cell at `b` becomes what it returns.
pub const BPF: u8 = 8;
/// The `u32` at `b` becomes that at `a`.
pub const COPY: u8 = 9;
/// The `u32` at `b` becomes `c` if that at `a` is not 0.
pub const SET: u8 = 10;
/// The fd in the cell at `a` is closed if it is at least `arg`: 0 for a cell of [`BPF`], 1 for the
/// high half of [`FIND_BTF`].
pub const CLOSE: u8 = 11;
/// The offset of the next record goes to `head.table`, and the loader prog ends with what
/// `ctx.error` says.
pub const END: u8 = 12;

/// The size of what the loader prog may read from any offset that it takes for valid, in bytes.
pub const SLACK: u32 = 1024;

/// The most records that a table may have. The kernel lets the loop of the loader prog go round
/// 65,535 times before it looks at the clock, and the loader prog must not end while it has fds
/// open.
pub const MAX_RECORDS: usize = 60_000;

/// The loader prog's context, 8 bytes: zeroes before, and after success.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ctx {
    /// Out: offset behind the record that failed.
    pub failed: u32,
    /// Out: its errno, as in `-EINVAL`. What the loader prog returns is this, or `-ELOOP` if it
    /// was told to go round for ever.
    pub error: i32,
}

/// Where in the loader prog, in bytes, the `u32` is that has to be [`limit`]. It is the only thing
/// in which the loader progs of two objects differ.
pub const LIMIT_AT: usize = 3 * 8 + 4;

/// The highest offset that is valid in a value of this size.
pub const fn limit(value_size: u32) -> u32 {
    value_size.saturating_sub(SLACK)
}

/// The number of the record that failed, counted from 0, by [`ctx::failed`].
pub const fn failed_record(table: u32, failed: u32) -> Option<u32> {
    match failed.checked_sub(table) {
        Some(behind) => (behind / size_of::<record>() as u32).checked_sub(1),
        None => None,
    }
}

const _: () = {
    use core::mem::offset_of;

    assert!(size_of::<head>() == 8);
    assert!(offset_of!(head, cleanup) == 4);
    assert!(size_of::<head>() == CELLS as usize);
    assert!(size_of::<record>() == 16);
    assert!(offset_of!(record, arg) == 1);
    assert!(offset_of!(record, words) == 2);
    assert!(offset_of!(record, a) == 4);
    assert!(offset_of!(record, b) == 8);
    assert!(offset_of!(record, c) == 12);
    assert!((u8::MAX as u32 + 1) * 4 <= SLACK);
    assert!(size_of::<record>() <= SLACK as usize);
    assert!(size_of::<ctx>() == 8);
    assert!(offset_of!(ctx, error) == 4);
};
