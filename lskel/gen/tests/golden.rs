// SPDX-License-Identifier: GPL-2.0

//! Protects the generated text: a change of it is seen in `tests/golden`.
//! `scripts/in-toolroot env ACCEPT=1 cargo test -p lskel-gen --test golden` accepts it.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The files that people read.
fn generated() -> BTreeMap<String, Vec<u8>> {
    let files = common::generate_each();
    let is_text = |file: &str| file.ends_with(".rs") || file.ends_with(".txt");
    files
        .into_iter()
        .flatten()
        .filter(|(file, _)| is_text(file))
        .collect()
}

#[test]
fn generated_files_are_golden() {
    for (file, ours) in generated() {
        let path = golden().join(&file);
        if std::env::var_os("ACCEPT").is_some() {
            fs::write(&path, &ours).unwrap();
        }
        assert!(
            fs::read(path).unwrap_or_default() == ours,
            "tests/golden/{file} is not what is generated now"
        );
    }
}

/// Whatever tags and modifiers it stands behind: safe code must not set what the kernel would release.
#[test]
fn a_pointer_that_the_kernel_keeps_is_no_global() {
    let files = common::generate(&common::object("globals.bpf.c"));
    for (file, text) in files.iter().filter(|(file, _)| file.ends_with(".rs")) {
        assert!(!String::from_utf8_lossy(text).contains("kept"), "{file}");
    }
}

/// The kernel's own check of generated code.
#[test]
fn generated_code_is_as_rustfmt_leaves_it() {
    let dir = tempfile::tempdir().unwrap();
    // What the kernel sets.
    let settings = "edition = \"2021\"\nnewline_style = \"Unix\"\n";
    fs::write(dir.path().join(".rustfmt.toml"), settings).unwrap();
    let mut sources = generated();
    sources.retain(|file, _| file.ends_with(".rs"));
    for (file, text) in &sources {
        fs::write(dir.path().join(file), text).unwrap();
    }
    let output = Command::new("rustfmt")
        .arg("--check")
        .args(sources.keys())
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
