// SPDX-License-Identifier: GPL-2.0

//! Protects what the loader prog and those who write for it agree on: the prog that is checked in is made for
//! `lskel/abi.rs`.

use lskel_gen::abi;
use lskel_gen::insn::{self, Insn};
use lskel_gen::skeleton::ByteOrder;
use std::fs;

fn file(name: &str) -> Vec<u8> {
    fs::read(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn loader(byte_order: ByteOrder) -> Vec<Insn> {
    insn::read(&file(&format!("loader-{byte_order}.insns")), byte_order)
}

#[test]
fn the_source_has_the_same_numbers() {
    let source = String::from_utf8(file("loader.S")).unwrap();
    let define = |name: &str| {
        let line = source
            .lines()
            .find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok())
    };
    for (name, ours) in [
        ("PTR\t", abi::PTR),
        ("FIND_BTF\t", abi::FIND_BTF),
        ("FIND_KSYM\t", abi::FIND_KSYM),
        ("BPF\t", abi::BPF),
        ("COPY\t", abi::COPY),
        ("SET\t", abi::SET),
        ("CLOSE\t", abi::CLOSE),
        ("END\t", abi::END),
    ] {
        assert_eq!(define(name), Some(ours), "{name}");
    }
}

#[test]
fn both_loader_progs_are_the_same_prog() {
    let [little, big] = ByteOrder::ALL.map(loader);
    assert_eq!(insn::lines(&little), insn::lines(&big));
}

#[test]
fn the_limit_is_where_the_runtime_writes_it() {
    for byte_order in ByteOrder::ALL {
        let limit = loader(byte_order)[abi::LIMIT_AT / insn::INSN_SIZE];
        assert_eq!(abi::LIMIT_AT % insn::INSN_SIZE, 4);
        assert_eq!((limit.code, limit.dst, limit.imm), (0xb7, 8, 0));
    }
}

#[test]
fn a_failed_record_has_a_number() {
    let record = size_of::<abi::record>() as u32;
    assert_eq!(abi::failed_record(64, 64 + record), Some(0));
    assert_eq!(abi::failed_record(64, 64 + 3 * record), Some(2));
    assert_eq!(abi::failed_record(64, 0), None);
    assert_eq!(abi::limit(4096), 4096 - abi::SLACK);
}
