// SPDX-License-Identifier: GPL-2.0

//! What the tests share.

#![allow(dead_code, reason = "each test uses some of it")]

use lskel_gen::input::{self, Compiler, Input};
use lskel_gen::worker::Worker;
use lskel_gen::{Files, Options};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// `tests/objects/NAME`.
pub fn object(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/objects")
        .join(name)
}

pub fn worker() -> Worker {
    Worker {
        program: env!("CARGO_BIN_EXE_lskel-gen").into(),
        time_limit: Duration::from_secs(20),
    }
}

pub fn compiler() -> Compiler {
    Compiler {
        clang: "clang".into(),
        cflags: Vec::new(),
    }
}

pub fn options() -> Options {
    Options {
        runtime: "crate::lskel".into(),
        load: Vec::new(),
        kconfig: Some(object("externs.config")),
        no_license: false,
        no_line_info: false,
        data_apart: false,
        libbpf: false,
        signer: None,
    }
}

/// Compiles one source.
pub fn compile(source: &Path) -> Input {
    input::collect(&[source.to_owned()], &compiler())
        .unwrap_or_else(|e| panic!("{}: {e}", source.display()))
        .remove(0)
}

/// Compiles one source and makes its files.
pub fn generate(source: &Path) -> Files {
    lskel_gen::generate(&compile(source), &options(), &worker())
        .unwrap_or_else(|e| panic!("{}: {:#}", source.display(), anyhow::Error::from(e)))
}

/// The same of each object whose files are looked at as a whole.
pub fn generate_each() -> [Files; 7] {
    let names = [
        "calls",
        "externs",
        "globals",
        "many_progs",
        "nothing",
        "ops",
        "slots",
    ];
    names.map(|name| generate(&object(&format!("{name}.bpf.c"))))
}

/// Runs the command.
pub fn lskel_gen(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lskel-gen"))
        .args(args)
        .output()
        .expect("lskel-gen runs")
}

/// Writes a source in a folder of its own, runs the command on it, and gives what it said.
pub fn refused(source: &str, args: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("bad.bpf.c");
    let head = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n";
    fs::write(&file, format!("{head}{source}")).expect("a file");
    refused_file(&file, args)
}

/// Runs the command on a file and gives what it said: one line, status 1, and nothing written.
pub fn refused_file(file: &Path, args: &[&str]) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("out");
    let mut all = vec![
        file.to_str().expect("UTF-8"),
        "-o",
        out.to_str().expect("UTF-8"),
    ];
    all.extend(args);
    let output = lskel_gen(&all);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "not one line: {stderr}");
    assert!(!out.exists(), "something was written");
    stderr
}
