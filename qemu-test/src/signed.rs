// SPDX-License-Identifier: GPL-2.0
//! What scenarios about signatures have: a key of this run, what it has signed, and what it has not.

use std::fs;

use anyhow::{Context, Result};
use lskel_gen::input::{self, Compiler};
use lskel_gen::sign::{payload, Signer};
use lskel_gen::skeleton::ByteOrder;
use sha2::{Digest, Sha256};

/// The data of one of the module's objects.
fn data(object: &str, order: ByteOrder) -> Result<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../iterators");
    let path = format!("{folder}/{object}.lskel-{order}.data");
    fs::read(&path).with_context(|| format!("reading {path}"))
}

/// The object of a `foo.bpf.c` of this checkout, as libbpf and bpftool take it.
pub fn object(source: &str, order: ByteOrder) -> Result<Vec<u8>> {
    let source = format!("{}/../{source}", env!("CARGO_MANIFEST_DIR"));
    let compiler = Compiler {
        clang: "clang".into(),
        cflags: Vec::new(),
    };
    let inputs = input::collect(&[source.into()], &compiler)?;
    let mut objects = inputs.iter().flat_map(|input| &input.objects);
    let object = objects
        .find(|object| object.byte_order == order)
        .context("no object of this byte order")?;
    fs::read(&object.path).with_context(|| format!("reading {}", object.path.display()))
}

/// The files, by their names in the guest's folder.
pub fn files(order: ByteOrder) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let signer = Signer::throwaway()?;
    let other_signer = Signer::throwaway()?;
    let iterators = data("iterators", order)?;
    let signed = payload(order, &iterators)?;
    // The loader prog, and the value of its map.
    let (insns, value) =
        signed.split_at(signed.len() - iterators.len() - lskel_gen::abi::SLACK as usize);
    let mut other_insns = signed.clone();
    other_insns[insns.len() - 4] ^= 1;

    Ok(vec![
        ("cert", signer.certificate()?),
        ("insns", insns.to_vec()),
        ("hash", Sha256::digest(insns).to_vec()),
        ("value", value.to_vec()),
        ("good", signer.sign_bytes(&signed)?),
        ("of_another_key", other_signer.sign_bytes(&signed)?),
        ("of_links", signer.sign(order, &data("links", order)?)?),
        ("of_other_insns", signer.sign_bytes(&other_insns)?),
        // What kernels before 7.3 check.
        ("of_insns_alone", signer.sign_bytes(insns)?),
    ])
}
