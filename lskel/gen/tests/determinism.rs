// SPDX-License-Identifier: GPL-2.0

//! Protects reproducibility: neither the folder nor the run leaves a trace.

mod common;

use sha2::{Digest, Sha256};
use std::fs;

#[test]
fn two_folders_give_the_same_bytes() {
    let first = common::generate(&common::object("globals.bpf.c"));
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = dir.path().join("a/longer/path");
    fs::create_dir_all(&elsewhere).unwrap();
    let copy = elsewhere.join("globals.bpf.c");
    fs::copy(common::object("globals.bpf.c"), &copy).unwrap();
    assert!(first == common::generate(&copy));
}

/// The module then takes the data by their length and hash, and the files are the same but for that.
#[test]
fn data_apart_are_known_by_their_hash() {
    let mut options = common::options();
    options.data_apart = true;
    let input = common::compile(&common::object("nothing.bpf.c"));
    let apart = lskel_gen::generate(&input, &options, &common::worker()).unwrap();
    let with = common::generate(&common::object("nothing.bpf.c"));
    for order in ["little", "big"] {
        let name = |suffix: &str| format!("nothing.lskel-{order}-endian.{suffix}");
        let data = &apart[&name("data")];
        assert_eq!(*data, with[&name("data")]);
        let text = String::from_utf8_lossy(&apart[&name("rs")]);
        let hash = Sha256::digest(data);
        let seen: Vec<u8> = text
            .split("0x")
            .skip(1)
            .map(|rest| u8::from_str_radix(&rest[..2], 16).unwrap())
            .collect();
        assert_eq!(seen, hash[..]);
        assert!(
            text.contains(&format!("\n            {},\n", data.len())),
            "{text}"
        );
        assert!(!text.contains("init_data!"), "{text}");
    }
}

#[test]
fn check_names_the_file_that_differs() {
    let dir = tempfile::tempdir().unwrap();
    let source = common::object("nothing.bpf.c");
    let args = [source.to_str().unwrap(), "-o", dir.path().to_str().unwrap()];
    assert!(common::lskel_gen(&args).status.success());
    let check = [&args[..], &["--check"]].concat();
    assert!(common::lskel_gen(&check).status.success());

    fs::write(dir.path().join("nothing.lskel-big-endian.data"), "other").unwrap();
    let output = common::lskel_gen(&check);
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        stderr.contains("nothing.lskel-big-endian.data differs"),
        "{stderr}"
    );
}

/// Nothing of the machine that it runs on, least of all addresses of its kernel.
#[test]
fn ksyms_have_no_address_before_the_load() {
    let files = common::generate(&common::object("externs.bpf.c"));
    let data = &files["externs.lskel-little-endian.data"];
    // The cells of two maps, of the prog and of the BTF: no fd. Behind them no address of the kernel's half anywhere.
    assert_eq!(data[8..24], [0xff; 16]);
    assert!(
        !data[24..].windows(4).any(|bytes| bytes == [0xff; 4]),
        "something like an address"
    );
    assert!(data
        .windows(22)
        .any(|bytes| bytes == b"no_build_host_has_this"));
}

/// The values of `--kconfig`, in each byte order.
#[test]
fn kconfig_is_in_the_byte_order_of_the_object() {
    let files = common::generate(&common::object("externs.bpf.c"));
    let has = |file: &str, bytes: &[u8]| files[file].windows(bytes.len()).any(|w| w == bytes);
    // CONFIG_HZ=250, then 7.3.4.
    assert!(has(
        "externs.lskel-little-endian.data",
        &[0xfa, 0, 0, 0, 4, 3, 7, 0]
    ));
    assert!(has(
        "externs.lskel-big-endian.data",
        &[0, 0, 0, 0xfa, 0, 7, 3, 4]
    ));
}

/// Neither a perf event array nor one within another map has the build host's number of CPUs.
#[test]
fn perf_event_arrays_are_of_no_machine() {
    let files = common::generate(&common::object("slots.bpf.c"));
    let text = String::from_utf8_lossy(&files["slots.lskel-little-endian.txt"]).into_owned();
    let arrays: Vec<_> = text
        .lines()
        .filter(|line| line.contains("map_type 4,"))
        .collect();
    assert_eq!(arrays.len(), 2);
    assert!(
        arrays.iter().all(|line| line.contains("max_entries 8192")),
        "{arrays:?}"
    );
}
