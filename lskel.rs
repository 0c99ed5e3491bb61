// SPDX-License-Identifier: GPL-2.0

//! Light skeletons: BPF objects that load themselves in kernel context.
//!
//! A light skeleton is what `lskel-gen` makes of a BPF object: a loader prog, the data that it
//! works on, and the names of the object's maps and progs. Nothing of libbpf is needed to load it:
//!
//! ```ignore
//! let links = Skeleton::<Open<Iterators>>::open().load()?.attach()?.into_links();
//! ```
//!
//! C header: [`tools/lib/bpf/skel_internal.h`](srctree/tools/lib/bpf/skel_internal.h)

#![allow(unsafe_code, reason = "blobs are taken at their word here")]
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    reason = "a module uses the part that it needs"
)]

pub mod abi;
mod fields;
mod global;
pub mod initcall;
pub mod loader;
mod log;
mod prog;
mod skeleton;
#[cfg(CONFIG_RUST_BPF_KUNIT_TEST)]
mod tests;

pub use self::{
    fields::{
        fields,
        Fields, //
    },
    global::{
        Globals,
        Section,
        Shared,
        Var, //
    },
    loader::{
        LoadError,
        Step, //
    },
    prog::{
        open_target,
        Prog, //
    },
    skeleton::{
        Attached,
        Loaded,
        MapDef,
        Object,
        Open,
        ProgArraySlot,
        ProgDef,
        Skeleton, //
    }, //
};
