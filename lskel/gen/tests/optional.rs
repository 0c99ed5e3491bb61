// SPDX-License-Identifier: GPL-2.0

//! What an object has for who asks for it, and progs that replace functions of others.

mod common;

use std::fs;

const SOURCE: &str = r#"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct ops { int (*f)(void); };

int calls;

SEC("struct_ops") int first(void) { calls++; return 0; }
SEC("?struct_ops") int second(void) { return 0; }
SEC("struct_ops") int third(void) { return 0; }

SEC("?.struct_ops") struct ops not_asked = { .f = (void *)first };
SEC(".struct_ops") struct ops always = { .f = (void *)second };
SEC("?.struct_ops.link") struct ops asked = { .f = (void *)third };

__attribute__((noinline)) int called(int n) { asm volatile("" : "+r"(n)); return n; }
SEC("freplace/called") int instead(int n) { return n + 1; }
SEC("socket") int calls_it(void *ctx) { return called(calls); }

char LICENSE[] SEC("license") = "GPL";
"#;

/// The text of the little-endian skeleton.
fn generated(args: &[&str], ending: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("optional.bpf.c");
    fs::write(&source, SOURCE).unwrap();
    let folder = dir.path().to_str().unwrap();
    let all = [&[source.to_str().unwrap(), "-o", folder], args].concat();
    let output = common::lskel_gen(&all);
    assert!(output.status.success(), "{output:?}");
    let file = format!("optional.lskel-little-endian.{ending}");
    fs::read_to_string(dir.path().join(file)).unwrap()
}

#[track_caller]
fn has(text: &str, names: &[&str], not: &[&str]) {
    let is_there = |name: &&str| text.contains(&format!("c\"{name}\""));
    assert!(names.iter().all(is_there), "not all of {names:?}: {text}");
    assert!(!not.iter().any(is_there), "one of {not:?}: {text}");
}

#[test]
fn a_struct_ops_map_with_a_question_mark_is_there_if_it_is_asked_for() {
    has(
        &generated(&[], "rs"),
        &["always", "second"],
        &["not_asked", "asked", "first", "third"],
    );
    // Libbpf has it behind one that is left out.
    has(
        &generated(&["--load", "asked"], "rs"),
        &["always", "second", "asked", "third"],
        &["not_asked", "first"],
    );
}

#[test]
fn a_prog_that_replaces_a_function_is_loaded_after_the_one_that_has_it() {
    let text = generated(&[], "txt");
    let place = |name: &str| {
        let at = text.find(&format!("\nProg {name}, "));
        at.unwrap_or_else(|| panic!("no prog {name} in {text}"))
    };
    assert!(place("instead") > place("calls_it"), "{text}");
}
