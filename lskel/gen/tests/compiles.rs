// SPDX-License-Identifier: GPL-2.0

//! Protects users of generated code: it compiles without a warning, and says what the object says.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn generated_code_compiles_and_names_what_is_in_the_object() {
    let dir = tempfile::tempdir().unwrap();
    for (file, content) in common::generate_each().into_iter().flatten() {
        fs::write(dir.path().join(file), content).unwrap();
    }
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(
        crate_dir.join("tests/fake/module.rs"),
        dir.path().join("main.rs"),
    )
    .unwrap();

    let output = Command::new("rustc")
        .args([
            "--edition",
            "2021",
            "-D",
            "warnings",
            "-o",
            "main",
            "main.rs",
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output = Command::new(dir.path().join("main")).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
