// SPDX-License-Identifier: GPL-2.0

//! Protects the loader's ABI: `lskel/abi.rs` is what libbpf's own header says.

use lskel_gen::abi::*;
use std::fs;
use std::mem::{offset_of, size_of};
use std::process::Command;

#[test]
fn abi_is_that_of_skel_internal_h() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("abi.c");
    let program = dir.path().join("abi");
    let sizes = [
        ("struct bpf_loader_ctx", size_of::<bpf_loader_ctx>()),
        ("struct bpf_map_desc", size_of::<bpf_map_desc>()),
        ("struct bpf_prog_desc", size_of::<bpf_prog_desc>()),
    ];
    let offsets = [
        ("struct bpf_loader_ctx, sz", offset_of!(bpf_loader_ctx, sz)),
        (
            "struct bpf_loader_ctx, flags",
            offset_of!(bpf_loader_ctx, flags),
        ),
        (
            "struct bpf_loader_ctx, log_level",
            offset_of!(bpf_loader_ctx, log_level),
        ),
        (
            "struct bpf_loader_ctx, log_size",
            offset_of!(bpf_loader_ctx, log_size),
        ),
        (
            "struct bpf_loader_ctx, log_buf",
            offset_of!(bpf_loader_ctx, log_buf),
        ),
        (
            "struct bpf_map_desc, map_fd",
            offset_of!(bpf_map_desc, map_fd),
        ),
        (
            "struct bpf_map_desc, max_entries",
            offset_of!(bpf_map_desc, max_entries),
        ),
        (
            "struct bpf_map_desc, initial_value",
            offset_of!(bpf_map_desc, initial_value),
        ),
        (
            "struct bpf_prog_desc, prog_fd",
            offset_of!(bpf_prog_desc, prog_fd),
        ),
    ];
    // Only its structs: its functions want a younger <linux/bpf.h> than the system may have.
    let header =
        fs::read_to_string(concat!(env!("LIBBPF_INCLUDE"), "/bpf/skel_internal.h")).unwrap();
    let start = header
        .find("struct bpf_map_desc {")
        .expect("the structs are there");
    let end = header
        .find("struct bpf_load_and_run_opts {")
        .expect("they are followed by this one");
    let mut text = format!(
        "#include <stddef.h>\n#include <stdio.h>\n#include <linux/types.h>\n{}int main(void)\n{{\n",
        &header[start..end]
    );
    for (what, _) in sizes {
        text += &format!("\tprintf(\"%zu\\n\", sizeof({what}));\n");
    }
    for (what, _) in offsets {
        text += &format!("\tprintf(\"%zu\\n\", offsetof({what}));\n");
    }
    text += "\tprintf(\"%zu\\n\", (size_t)BPF_SKEL_KERNEL);\n\treturn 0;\n}\n";
    fs::write(&source, text).unwrap();
    let compiled = Command::new("cc")
        .arg("-o")
        .args([&program, &source])
        .status();
    assert!(compiled.unwrap().success());

    let output = Command::new(&program).output().unwrap();
    let theirs: Vec<usize> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    let ours: Vec<_> = sizes
        .iter()
        .chain(&offsets)
        .map(|(_, ours)| *ours)
        .chain([BPF_SKEL_KERNEL as usize])
        .collect();
    assert_eq!(ours, theirs);
}
