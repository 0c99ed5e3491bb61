// SPDX-License-Identifier: GPL-2.0

//! Makes a Rust light skeleton of a BPF object.
//!
//! libbpf's gen_loader turns an object into a *loader prog* and the data that it works on: two blobs that
//! need nothing but the kernel to load the object's maps and progs. This crate runs it, for both byte orders,
//! and writes the blobs beside a Rust file that names what is in them.
//!
//! The way of the data: [`input`] finds or compiles the objects, [`worker`] runs libbpf in a process of its
//! own and gives a [`skeleton::Skeleton`], [`emit`] and [`lock`] make text of it, [`output`] writes or
//! compares the files.

#![deny(missing_docs)]
#![deny(clippy::undocumented_unsafe_blocks)]

#[path = "../../abi.rs"]
pub mod abi;

pub mod disasm;
pub mod elf;
pub mod emit;
pub mod error;
pub mod globals;
mod host;
pub mod input;
pub mod libbpf;
pub mod listing;
pub mod loader;
pub mod lock;
pub mod names;
pub mod output;
pub mod skeleton;
pub mod worker;

pub use error::{Error, Result};

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What to generate, from what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The path of the runtime's module in the generated code.
    pub runtime: String,
    /// Progs of `SEC("?…")` that are to be loaded all the same.
    pub load: Vec<String>,
    /// The configuration of the kernels that this is for, for objects that ask for its values.
    pub kconfig: Option<PathBuf>,
    /// Whether an object without a license will do.
    pub no_license: bool,
}

/// The files of one object: name to content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Makes all files of one source, or of one pair of objects.
pub fn generate(input: &input::Input, options: &Options, worker: &worker::Worker) -> Result<Files> {
    let mut files = Files::new();
    for object in &input.objects {
        let request = worker::Request {
            name: input.name.clone(),
            path: object.path.clone(),
            byte_order: object.byte_order,
            load: options.load.clone(),
            kconfig: options.kconfig.clone(),
            no_license: options.no_license,
        };
        let skeleton = worker
            .run(&request)
            .map_err(|e| e.in_object(&object.label))?;
        let stem = format!("{}.lskel-{}", input.name, object.byte_order);
        let text = emit::rust(input, object.byte_order, &skeleton, &options.runtime)
            .map_err(|e| e.in_object(&object.label))?;
        files.insert(format!("{stem}.rs"), text.into_bytes());
        let text = listing::text(input, object.byte_order, &skeleton);
        files.insert(format!("{stem}.txt"), text.into_bytes());
        files.insert(format!("{stem}.data"), skeleton.data);
        files.insert(format!("{stem}.insns"), skeleton.insns);
    }
    let lock = lock::text(input, &files)?;
    files.insert(format!("{}.lskel.lock", input.name), lock.into_bytes());
    Ok(files)
}
