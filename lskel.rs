// SPDX-License-Identifier: GPL-2.0

//! Light skeletons: BPF objects that load themselves in kernel context.
//!
//! `lskel-gen` makes a light skeleton of a BPF object: *data*, which hold all that is to be loaded
//! and a table of commands, and a Rust file with the names of the object's maps, progs and globals.
//! Nothing of libbpf is needed to load it. From top to bottom:
//!
//! - The module has a [`Skeleton`], changes globals and sizes in it if it likes, and loads it:
//!   [`skeleton`].
//! - The runtime puts the data into a map and runs the *loader prog* on it. That is one prog for
//!   all objects, which walks the table: it loads the BTF and creates the maps, and, when the
//!   runtime has filled these, finds what progs need of the kernel and loads them. Their fds are in
//!   the data afterwards: [`loader`]. What the table is made of is in [`abi`], the prog itself in
//!   `loader.S`.
//! - Of the loaded skeleton each prog is attached, which gives a [`Link`](crate::bpf::link::Link):
//!   [`prog`]. Globals are shared with the progs from then on: [`global`].
//! - Progs of `SEC("syscall")` are called: [`call`].
//! - What is a struct of callbacks for a part of the kernel is registered: [`ops`].
//! - What fails says so in a [`LoadError`]: the step, the errno, and what to do about it:
//!   [`error`], `advice`. If the kernel refused a prog, its log goes to dmesg: `log`.
//!
//! ```ignore
//! let skel = Skeleton::<Iterators>::open().load()?;
//! let link = skel.prog(progs::dump_bpf_map).attach()?;
//! ```
//!
//! C header: [`tools/lib/bpf/skel_internal.h`](srctree/tools/lib/bpf/skel_internal.h)

#![allow(unsafe_code, reason = "blobs are taken at their word here")]
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "a library: what a module does not use is left out of it"
)]

pub mod abi;
mod advice;
pub mod call;
pub mod error;
pub mod global;
pub mod initcall;
pub mod loader;
mod log;
pub mod object;
pub mod ops;
pub mod prog;
pub mod skeleton;
#[cfg(CONFIG_RUST_BPF_KUNIT_TEST)]
mod tests;

/// The value of a module's parameter, from `module_parameters::NAME.value()`: newer kernels hand it
/// out, older ones lend it.
#[inline]
pub fn param_value<T: Copy>(value: impl core::borrow::Borrow<T>) -> T {
    *value.borrow()
}

pub use crate::bpf::{
    prog::Verdict,
    syscall::Keyring, //
};

pub use self::{
    call::{
        Args,
        Function, //
    },
    error::{
        LoadError,
        Step, //
    },
    global::{
        Frozen,
        Globals,
        Section,
        Shared,
        Var, //
    },
    loader::Loader,
    object::{
        init_data,
        Command,
        EnumDef,
        MapDef,
        MapId,
        MemberDef,
        Object,
        ObjectData,
        ObjectDef,
        OpsDef,
        ProgDef,
        ProgId,
        Source,
        StructOps,
        Unsigned, //
    },
    ops::{
        Callback,
        Ops,
        OpsId,
        Registered, //
    },
    prog::{
        open_target,
        Prog, //
    },
    skeleton::{
        Loaded,
        Skeleton, //
    }, //
};
