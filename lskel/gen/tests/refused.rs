// SPDX-License-Identifier: GPL-2.0

//! Protects users from bad input: one line names what is wrong and what to do.

mod common;

use common::{refused, refused_file};
use std::fs;
use std::process::Command;

const LICENSE: &str = "char LICENSE[] SEC(\"license\") = \"GPL\";";
const PROG: &str = "SEC(\"socket\") int prog(void *ctx) { return 0; }\n";

/// Each word must be in the message.
#[track_caller]
fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "no '{word}' in: {message}");
    }
}

#[test]
fn not_elf() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.bpf.o");
    fs::write(&file, "#!/bin/sh\n").unwrap();
    says(&refused_file(&file, &[]), &["bad.bpf.o", "not an ELF file"]);
    fs::write(&file, "").unwrap();
    says(&refused_file(&file, &[]), &["bad.bpf.o", "not an ELF file"]);
    fs::write(&file, b"\x7fELF").unwrap();
    says(
        &refused_file(&file, &[]),
        &["bad.bpf.o", "not a whole 64-bit ELF file"],
    );
    let own = env!("CARGO_BIN_EXE_lskel-gen");
    fs::copy(own, &file).unwrap();
    says(
        &refused_file(&file, &[]),
        &["not a BPF object", "-target bpfel"],
    );
}

#[test]
fn missing_file_and_wrong_name() {
    says(
        &refused_file("/nowhere/x.bpf.o".as_ref(), &[]),
        &["cannot read /nowhere/x.bpf.o"],
    );
    says(
        &refused_file("/nowhere/x".as_ref(), &[]),
        &["neither NAME.bpf.c nor NAME.bpf.o"],
    );
}

#[test]
fn does_not_compile() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.bpf.c");
    fs::write(&file, "int prog( { return 0; }\n").unwrap();
    let output = common::lskel_gen(&[file.to_str().unwrap(), "-o", "/nowhere"]);
    says(
        &String::from_utf8_lossy(&output.stderr),
        &["clang does not compile", "bad.bpf.c:1:11: error"],
    );
}

#[test]
fn no_btf() {
    let message = refused(&format!("{PROG}{LICENSE}"), &["--cflag=-g0"]);
    says(&message, &["no BTF (section '.BTF')", "clang -g"]);
}

#[test]
fn no_license() {
    says(
        &refused(PROG, &[]),
        &["no license (section 'license')", "--no-license"],
    );
}

#[test]
fn unknown_section() {
    let source = format!("SEC(\"nonsense/x\") int prog(void *ctx) {{ return 0; }}\n{LICENSE}");
    says(
        &refused(&source, &[]),
        &["prog 'prog' (SEC(\"nonsense/x\"))", "use one of"],
    );
}

#[test]
fn legacy_maps() {
    let source = format!(
        "struct {{ int type, key, value, max; }} old SEC(\"maps\") = {{ 2, 4, 4, 1 }};\n{PROG}{LICENSE}"
    );
    says(
        &refused(&source, &[]),
        &["section 'maps' defines map 'old'", "SEC(\".maps\")"],
    );
}

#[test]
fn pinned_map() {
    let source = format!(
        "struct {{ __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); \
         __type(value, int); __uint(pinning, LIBBPF_PIN_BY_NAME); }} counts SEC(\".maps\");\n\
         {PROG}{LICENSE}"
    );
    says(
        &refused(&source, &[]),
        &["map 'counts' asks to be pinned", "after the load"],
    );
}

#[test]
fn argument_that_is_too_large() {
    let source = format!(
        "struct large {{ char bytes[65536]; }};\n\
         SEC(\"syscall\") int prog(struct large *args) {{ return args->bytes[0]; }}\n{LICENSE}"
    );
    says(
        &refused(&source, &[]),
        &["prog 'prog' takes `large`, which has 65536 bytes", "65535"],
    );
}

#[test]
fn map_of_unknown_maps() {
    let source = format!(
        "struct {{ __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 1); __uint(key_size, 4); \
         __uint(value_size, 4); }} outer SEC(\".maps\");\n{PROG}{LICENSE}"
    );
    says(
        &refused(&source, &[]),
        &["map 'outer' does not say", "__array(values"],
    );
}

/// Of a struct with a callback `f`, a pointer `p` and a number.
fn struct_ops_source(section: &str, value: &str) -> String {
    format!(
        "struct ops {{ int (*f)(void); int (*g)(void); void *p; int number : 3; }};\n\
         SEC(\"struct_ops\") int f(void) {{ return 0; }}\n\
         SEC(\"{section}\") struct ops my_ops = {{ {value} }};\n{LICENSE}"
    )
}

#[test]
fn struct_ops_that_are_asked_for_and_not_there() {
    let source = struct_ops_source("?.struct_ops", ".f = f");
    says(
        &refused(&source, &["--load", "his_ops"]),
        &[
            "no prog or struct_ops map 'his_ops'",
            "there are: f, my_ops",
        ],
    );
    // It is not created, and its prog is not loaded.
    says(&refused(&source, &[]), &["none of its 1 progs", "--load"]);
}

#[test]
fn struct_ops_with_values_that_are_no_numbers() {
    for value in [".f = f, .p = (void *)1", ".f = f, .number = 1"] {
        says(
            &refused(&struct_ops_source(".struct_ops", value), &[]),
            &[
                "map 'my_ops'",
                "neither a callback nor a number",
                "leave it 0",
            ],
        );
    }
}

#[test]
fn a_callback_that_no_struct_ops_has() {
    says(
        &refused(&struct_ops_source(".struct_ops", ".number = 0"), &[]),
        &["prog 'f' (SEC(\"struct_ops\"))", "no struct_ops map", "?"],
    );
}

#[test]
fn a_callback_in_two_places() {
    says(
        &refused(&struct_ops_source(".struct_ops", ".f = f, .g = f"), &[]),
        &["prog 'f' is both 'f' of `ops` and 'g' of `ops`", "make two"],
    );
}

#[test]
fn arena_globals() {
    let source = format!(
        "int __attribute__((address_space(1))) SEC(\".addr_space.1\") far = 1;\n{PROG}{LICENSE}"
    );
    says(
        &refused(&source, &[]),
        &["'.addr_space.1'", "arena global 'far'", "ordinary globals"],
    );
}

#[test]
fn freplace() {
    let function =
        "__attribute__((noinline)) int f(int n) { asm volatile(\"\" : \"+r\"(n)); return n; }\n";
    let calls = |name: &str| format!("SEC(\"socket\") int {name}(void *ctx) {{ return f(1); }}\n");
    let mine = |section: &str| {
        format!("SEC(\"{section}\") int mine(int n) {{ return n + 1; }}\n{function}{LICENSE}\n")
    };
    says(
        &refused(&format!("{}{PROG}", mine("freplace/other")), &[]),
        &[
            "prog 'mine' (SEC(\"freplace/other\"))",
            "which no prog of the object has",
            "attach_to()",
        ],
    );
    says(
        &refused(&format!("{}{PROG}", mine("freplace")), &[]),
        &[
            "prog 'mine'",
            "which function",
            "SEC(\"freplace/FUNCTION\")",
        ],
    );
    let both = format!("{}{}{}", mine("freplace/f"), calls("a"), calls("b"));
    says(
        &refused(&both, &[]),
        &["prog 'mine'", "'f', which more than one prog has"],
    );
}

#[test]
fn what_only_newer_libbpf_has() {
    for section in [
        "fentry.multi/bpf_fentry_test*",
        "fexit.multi/bpf_fentry_test*",
        "fsession.multi.s/bpf_fentry_test*",
        "raw_tp.s/sys_enter",
        "tp_btf.s/sys_enter",
    ] {
        let source = PROG.replace("socket", section);
        says(
            &refused(&format!("{source}{LICENSE}"), &[]),
            &[
                "prog 'prog'",
                section,
                "is what libbpf before 1.8 does not have",
                "instead",
            ],
        );
    }
    let source = PROG.replace("return 0", "return ++count");
    says(
        &refused(
            &format!("int count SEC(\".percpu\");\n{source}{LICENSE}"),
            &[],
        ),
        &[
            "section '.percpu' has global 'count'",
            "libbpf before 1.8",
            "BPF_MAP_TYPE_PERCPU_ARRAY",
        ],
    );
}

#[test]
fn no_attach_target() {
    let source = format!("SEC(\"fentry\") int enter(void *ctx) {{ return 0; }}\n{LICENSE}");
    says(
        &refused(&source, &[]),
        &["prog 'enter'", "name the function in the section"],
    );
}

#[test]
fn empty_object() {
    says(
        &refused(
            &format!("int unused;\n{LICENSE}").replace("int unused", "extern int unused"),
            &[],
        ),
        &["no prog"],
    );
}

#[test]
fn nothing_to_load() {
    let source = format!("{}{LICENSE}", PROG.replace("socket", "?socket"));
    says(
        &refused(&source, &[]),
        &["none of its 1 progs", "--load PROG"],
    );
    says(
        &refused(&source, &["--load", "porg"]),
        &["no prog or struct_ops map 'porg'", "there are: prog"],
    );
}

#[test]
fn slot_of_a_prog_that_is_not_loaded() {
    let source = format!(
        "int prog(void *ctx);\nstruct {{ __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 1); \
         __uint(key_size, 4); __array(values, int(void *)); }} jumps SEC(\".maps\") = \
         {{ .values = {{ (void *)&prog }} }};\n{}{LICENSE}",
        PROG.replace("socket", "?socket")
    );
    says(
        &refused(&source, &[]),
        &["map 'jumps'", "prog 'prog' in slot 0", "--load prog"],
    );
}

#[test]
fn kconfig_of_no_kernel() {
    let source = format!("extern int CONFIG_HZ __kconfig;\nSEC(\"socket\") int prog(void *ctx) {{ return CONFIG_HZ; }}\n{LICENSE}");
    says(
        &refused(&source, &[]),
        &["extern 'CONFIG_HZ'", "--kconfig FILE"],
    );
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config");
    fs::write(&config, "CONFIG_PREEMPT=y\n").unwrap();
    let message = refused(&source, &["--kconfig", config.to_str().unwrap()]);
    says(&message, &["extern 'CONFIG_HZ' (strong): not resolved"]);
}

#[test]
fn two_objects_of_one_byte_order() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("x.c");
    fs::write(&source, "int x;").unwrap();
    let mut objects = Vec::new();
    for folder in ["a", "b"] {
        fs::create_dir(dir.path().join(folder)).unwrap();
        let object = dir.path().join(folder).join("x.bpf.o");
        let compiled = Command::new("clang")
            .args(["-target", "bpfel", "-g", "-O2", "-c", "-o"])
            .args([&object, &source])
            .status();
        assert!(compiled.unwrap().success());
        objects.push(object.to_str().unwrap().to_owned());
    }
    let output = common::lskel_gen(&[&objects[0], &objects[1], "-o", "/nowhere"]);
    says(
        &String::from_utf8_lossy(&output.stderr),
        &["are both little endian"],
    );
}
