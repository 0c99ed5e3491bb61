// SPDX-License-Identifier: GPL-2.0

//! Makes a Rust light skeleton of a BPF object.
//!
//! The way of the data, one direction: [`input`] finds or compiles the object files. [`worker`] runs [`libbpf`] in a
//! process of its own, whose gen_loader writes down what it would do to load one: an [`object::Object`] with its
//! recordings. [`recording`] reads these, piece by piece; [`commands`] makes our own list of them; [`table`] lays
//! it out as `lskel/abi.rs` says: a [`skeleton::Skeleton`]. [`emit`], [`listing`] and [`lock`] make text of that,
//! [`sign`] signs it, [`output`] writes or compares the files.

#![deny(missing_docs)]
#![deny(clippy::undocumented_unsafe_blocks)]

#[path = "../../abi.rs"]
pub mod abi;

pub mod args;
pub mod btf;
pub mod commands;
pub mod disasm;
pub mod elf;
pub mod emit;
pub mod error;
pub mod globals;
mod host;
pub mod input;
pub mod insn;
pub mod layout;
pub mod libbpf;
pub mod listing;
pub mod lock;
pub mod names;
pub mod object;
pub mod ops;
pub mod output;
pub mod recording;
pub mod sign;
pub mod skeleton;
pub mod table;
pub mod worker;

pub use error::{Error, Result};

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What to generate, from what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The path of the runtime's module in the generated code.
    pub runtime: String,
    /// Progs and struct_ops maps of `SEC("?…")` that are to be loaded all the same.
    pub load: Vec<String>,
    /// The configuration of the kernels that this is for, for objects that ask for its values.
    pub kconfig: Option<PathBuf>,
    /// Whether an object without a license will do.
    pub no_license: bool,
    /// Whether to leave out which lines the instructions come from.
    pub no_line_info: bool,
    /// Whether the module gets the data from elsewhere, when it loads them.
    pub data_apart: bool,
    /// Whether libbpf's own loader is wanted too.
    pub libbpf: bool,
    /// Who signs.
    pub signer: Option<sign::Signer>,
}

impl Options {
    /// What this asks for of one object.
    pub fn request(&self, name: &str, object: &input::InputObject) -> worker::Request {
        worker::Request {
            name: name.to_owned(),
            path: object.path.clone(),
            byte_order: object.byte_order,
            load: self.load.clone(),
            kconfig: self.kconfig.clone(),
            no_license: self.no_license,
            no_line_info: self.no_line_info,
        }
    }
}

/// The files of one object: name to content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Makes a light skeleton.
pub fn skeleton(request: &worker::Request, worker: &worker::Worker) -> Result<skeleton::Skeleton> {
    let object = worker.run(request)?;
    let mut commands = commands::read(&object)?;
    layout::add(&object, &mut commands)?;
    if request.no_line_info {
        commands::drop_line_info(&mut commands);
    }
    btf::find_by_name(&mut commands, object.byte_order)?;
    btf::shrink(&mut commands, object.byte_order)?;
    let mut skeleton = table::lay_out(&object, &commands)?;
    args::check_helpers(&mut skeleton.globals.args, &commands, object.byte_order);
    if let [recording] = &object.recordings[..] {
        skeleton.libbpf = Some(skeleton::Libbpf {
            data: recording.data.clone(),
            insns: recording.insns.clone(),
        });
    }
    Ok(skeleton)
}

/// Makes all files of one source, or of one pair of objects.
pub fn generate(input: &input::Input, options: &Options, worker: &worker::Worker) -> Result<Files> {
    let mut files = Files::new();
    for object in &input.objects {
        let request = options.request(&input.name, object);
        let skeleton = skeleton(&request, worker).map_err(|e| e.in_object(&object.label))?;
        let stem = format!("{}.lskel-{}", input.name, object.byte_order);
        if options.signer.is_some() && !skeleton.ops.is_empty() {
            return Err(Error::unsupported(
                "an object with struct_ops cannot be signed",
                "what the kernel's layout is is no part of what is signed",
            )
            .in_object(&object.label));
        }
        let signature = options
            .signer
            .as_ref()
            .map(|signer| signer.sign(object.byte_order, &skeleton.data))
            .transpose()?;
        let signed = signature.is_some();
        if let Some(signature) = signature {
            files.insert(format!("{stem}.sig"), signature);
        }
        let text = emit::rust(input, object.byte_order, &skeleton, options, signed)
            .map_err(|e| e.in_object(&object.label))?;
        files.insert(format!("{stem}.rs"), text.into_bytes());
        let text = listing::text(input, object.byte_order, &skeleton);
        files.insert(format!("{stem}.txt"), text.into_bytes());
        files.insert(format!("{stem}.data"), skeleton.data);
        if options.libbpf {
            let libbpf = skeleton.libbpf.ok_or_else(|| {
                Error::Input("libbpf's loader prog would be longer than a jump can reach".into())
            });
            let libbpf = libbpf.map_err(|e| e.in_object(&object.label))?;
            files.insert(format!("{stem}.libbpf.data"), libbpf.data);
            files.insert(format!("{stem}.libbpf.insns"), libbpf.insns);
        }
    }
    let lock = lock::text(input, &files)?;
    files.insert(format!("{}.lskel.lock", input.name), lock.into_bytes());
    Ok(files)
}
