// SPDX-License-Identifier: GPL-2.0

//! Protects what the kernel sees of an object's types: with fewer of them, and other numbers, each map, function, line
//! and CO-RE relocation says what it said before. Both are read by libbpf.

mod common;

use libbpf_rs::btf::types::{
    Array, Composite, DataSec, DeclTag, Enum, Enum64, FuncProto, MemberAttr,
};
use libbpf_rs::btf::{Btf, BtfKind, BtfType, HasSize, TypeId};
use lskel_gen::commands::attr::prog_load;
use lskel_gen::commands::{self, Command};
use lskel_gen::skeleton::{ByteOrder, Skeleton};
use std::fs;
use std::path::Path;

/// In words, with all that it leads to: `seen` has the structs that are being described.
fn describe(btf: &Btf<'_>, id: TypeId, seen: &mut Vec<TypeId>) -> String {
    let Some(ty) = btf.type_by_id::<BtfType<'_>>(id) else {
        return "void".into();
    };
    let name = ty
        .name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let head = format!("{:?} {name}", ty.kind());
    if let Some(at) = seen.iter().position(|other| *other == id) {
        return format!("{head} above {at}");
    }
    seen.push(id);
    let mut of = |id: TypeId| describe(btf, id, seen);
    let text = match ty.kind() {
        BtfKind::Struct | BtfKind::Union => {
            let composite = Composite::try_from(ty).unwrap();
            let member = |member: libbpf_rs::btf::types::CompositeMember<'_>| {
                let place = match member.attr {
                    MemberAttr::Normal { offset } => format!("{offset}"),
                    MemberAttr::BitField { size, offset } => format!("{offset}:{size}"),
                };
                format!("{place} {:?}: {}", member.name, of(member.ty))
            };
            let members: Vec<_> = composite.iter().map(member).collect();
            format!("{head} {} {{ {} }}", composite.size(), members.join("; "))
        }
        BtfKind::Array => {
            let array = Array::try_from(ty).unwrap();
            format!("{head} {} of {}", array.capacity(), of(array.ty()))
        }
        BtfKind::FuncProto => {
            let proto = FuncProto::try_from(ty).unwrap();
            let params: Vec<_> = proto
                .iter()
                .map(|param| format!("{:?}: {}", param.name, of(param.ty)))
                .collect();
            let returns = ty
                .next_type()
                .map_or("void".into(), |next| of(next.type_id()));
            format!("{head} ({}) -> {returns}", params.join(", "))
        }
        BtfKind::DataSec => {
            let section = DataSec::try_from(ty).unwrap();
            let vars: Vec<_> = section
                .iter()
                .map(|var| format!("{} {}: {}", var.offset, var.size, of(var.ty)))
                .collect();
            format!("{head} {{ {} }}", vars.join("; "))
        }
        BtfKind::Enum => {
            let values: Vec<_> = Enum::try_from(ty)
                .unwrap()
                .iter()
                .map(|value| format!("{value:?}"))
                .collect();
            format!("{head} {}", values.join(", "))
        }
        BtfKind::Enum64 => {
            let values: Vec<_> = Enum64::try_from(ty)
                .unwrap()
                .iter()
                .map(|value| format!("{value:?}"))
                .collect();
            format!("{head} {}", values.join(", "))
        }
        _ => format!(
            "{head} {}",
            ty.next_type().map_or("-".into(), |next| of(next.type_id()))
        ),
    };
    seen.pop();
    text
}

/// What the commands say by numbers of types and strings, in words.
fn said(commands: &[Command], byte_order: ByteOrder, dir: &Path) -> (Vec<String>, usize) {
    let mut said = Vec::new();
    let bytes = commands.iter().find_map(|command| match command {
        Command::LoadBtf { btf } => Some(btf),
        _ => None,
    });
    let bytes = bytes.expect("there is BTF");
    let file = dir.join("btf");
    fs::write(&file, bytes).unwrap();
    let btf = Btf::from_path(&file).unwrap();
    let number = |bytes: &[u8], at: usize| byte_order.read_u32(bytes, at as u32).unwrap();
    let ty = |id: u32| match id {
        0 => "none".into(),
        id => describe(&btf, TypeId::from(id), &mut Vec::new()),
    };
    // The strings are at the end.
    let strings = &bytes[bytes.len() - number(bytes, 20) as usize..];
    let string = |at: u32| {
        let text = strings[at as usize..].split(|&byte| byte == 0).next();
        String::from_utf8_lossy(text.unwrap()).into_owned()
    };
    for command in commands {
        match command {
            Command::CreateMap { new, .. } if new.btf => {
                said.push(format!("key {}", ty(number(&new.attr, 52))));
                said.push(format!("value {}", ty(number(&new.attr, 56))));
            }
            Command::LoadProg(load) => {
                for record in load.func_info.chunks(8) {
                    said.push(format!(
                        "function at {}: {}",
                        number(record, 0),
                        ty(number(record, 4))
                    ));
                }
                for record in load.line_info.chunks(16) {
                    let (file, line) = (string(number(record, 4)), string(number(record, 8)));
                    said.push(format!("line at {}: {file}: {line}", number(record, 0)));
                }
                for record in load.core_relos.chunks(16) {
                    let (of, access) = (ty(number(record, 4)), string(number(record, 8)));
                    said.push(format!(
                        "relocation at {}: {access} of {of}",
                        number(record, 0)
                    ));
                }
            }
            _ => {}
        }
    }
    (said, bytes.len())
}

/// Names of types that are there, and what is tagged how.
fn there(commands: &[Command], dir: &Path) -> (Vec<String>, Vec<String>) {
    let file = dir.join("btf");
    for command in commands {
        if let Command::LoadBtf { btf } = command {
            fs::write(&file, btf).unwrap();
        }
    }
    let btf = Btf::from_path(&file).unwrap();
    let (mut names, mut tags) = (Vec::new(), Vec::new());
    for id in 1..btf.len() as u32 {
        let ty = btf.type_by_id::<BtfType<'_>>(TypeId::from(id)).unwrap();
        let name = ty
            .name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if ty.kind() == BtfKind::DeclTag {
            let tag = DeclTag::try_from(ty).unwrap();
            let of = ty.next_type().unwrap();
            tags.push(format!(
                "{name} on {} {:?}",
                of.name().unwrap().to_string_lossy(),
                tag.component_index()
            ));
        } else {
            names.push(name);
        }
    }
    tags.sort();
    (names, tags)
}

#[test]
fn the_kernel_is_told_the_same_with_fewer_types() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["btf", "externs", "globals", "slots"] {
        let input = common::compile(&common::object(&format!("{name}.bpf.c")));
        for object in &input.objects {
            let request = common::options().request(name, object);
            let object = common::worker().run(&request).unwrap();
            let mut commands = commands::read(&object).unwrap();
            let (before, large) = said(&commands, object.byte_order, dir.path());
            let (_, tags) = there(&commands, dir.path());
            lskel_gen::btf::shrink(&mut commands, object.byte_order).unwrap();
            let (after, small) = said(&commands, object.byte_order, dir.path());
            assert_eq!(before, after);
            assert!(small < large, "{name}: {small} bytes of {large}");
            let (names, kept_tags) = there(&commands, dir.path());
            assert_eq!(tags, kept_tags);
            if name == "btf" {
                assert!(before.iter().any(|line| line.starts_with("relocation")));
                assert_eq!(tags.len(), 2);
                for wanted in [
                    "in_list",
                    "argument",
                    "task_struct",
                    "bpf_map_type___flavour",
                    "key",
                    "value",
                ] {
                    assert!(names.iter().any(|name| name == wanted), "no {wanted}");
                }
                for gone in [
                    "rq",
                    "runqueues",
                    "somewhere",
                    ".ksyms",
                    ".maps",
                    "license",
                    "LICENSE",
                ] {
                    assert!(!names.iter().any(|name| name == gone), "{gone} is there");
                }
            }
        }
    }
}

/// The commands of a program that asks this of types.
fn commands_of(dir: &Path, body: &str) -> Vec<(ByteOrder, Vec<Command>)> {
    let source = dir.join("x.bpf.c");
    let text = format!(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n\
         enum bpf_map_type___any {{ ANY }};\nstruct task_struct {{ int pid; }};\n\
         char LICENSE[] SEC(\"license\") = \"GPL\";\n\
         SEC(\"socket\") int look(void *ctx) {{ return {body}; }}\n"
    );
    fs::write(&source, text).unwrap();
    let read = |object: &lskel_gen::input::InputObject| {
        let request = common::options().request("x", object);
        let object = common::worker().run(&request).unwrap();
        let mut commands = commands::read(&object).unwrap();
        lskel_gen::btf::find_by_name(&mut commands, object.byte_order).unwrap();
        (object.byte_order, commands)
    };
    common::compile(&source).objects.iter().map(read).collect()
}

/// CO-RE's search for the name costs a million instructions.
#[test]
fn a_type_of_which_only_the_id_is_asked_is_found_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    for (body, relocations, found) in [
        ("bpf_core_type_id_kernel(enum bpf_map_type___any)", 0, Some("bpf_map_type")),
        (
            "bpf_core_type_id_kernel(enum bpf_map_type___any) + bpf_core_type_size(struct task_struct)",
            1,
            Some("bpf_map_type"),
        ),
        // It may be missing.
        (
            "bpf_core_type_exists(enum bpf_map_type___any) ? bpf_core_type_id_kernel(enum bpf_map_type___any) : 0",
            2,
            None,
        ),
        // It is looked for anyway.
        ("bpf_core_type_id_kernel(struct task_struct) + bpf_core_type_size(struct task_struct)", 2, None),
    ] {
        for (byte_order, commands) in commands_of(dir.path(), body) {
            let load = commands.iter().find_map(|command| match command {
                Command::LoadProg(load) => Some(load),
                _ => None,
            });
            let load = load.unwrap();
            let count = byte_order.read_u32(&load.attr, prog_load::CORE_RELO_CNT);
            assert_eq!((count, load.core_relos.len()), (Some(relocations), 16 * relocations as usize), "{body}");
            let names: Vec<_> = load.uses.iter().map(|with| with.symbol.name.as_str()).collect();
            assert_eq!(names, Vec::from_iter(found), "{body}");
        }
    }
}

/// The number is a constant of the prog, and so in its tag.
#[test]
fn an_object_that_asks_for_the_number_of_a_type_keeps_its_btf() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("x.bpf.c");
    let text = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n\
                struct unused { int n; } unused SEC(\".elsewhere\");\nstruct mine { int n; };\n\
                char LICENSE[] SEC(\"license\") = \"GPL\";\n\
                SEC(\"socket\") int look(void *ctx) { return bpf_core_type_id_local(struct mine); }\n";
    fs::write(&source, text).unwrap();
    for object in &common::compile(&source).objects {
        let request = common::options().request("x", object);
        let object = common::worker().run(&request).unwrap();
        let mut commands = commands::read(&object).unwrap();
        let before = commands.clone();
        lskel_gen::btf::shrink(&mut commands, object.byte_order).unwrap();
        assert!(before == commands);
    }
}

#[test]
fn without_line_info_nothing_else_is_gone() {
    for object in &common::compile(&common::object("btf.bpf.c")).objects {
        let mut request = common::options().request("btf", object);
        let [with, without] = [false, true].map(|no_line_info| {
            request.no_line_info = no_line_info;
            lskel_gen::skeleton(&request, &common::worker()).unwrap()
        });
        let has = |skeleton: &Skeleton, text: &str| {
            let mut windows = skeleton.data.windows(text.len());
            windows.any(|window| window == text.as_bytes())
        };
        assert!(has(&with, "btf.bpf.c") && !has(&without, "btf.bpf.c"));
        for (with_attr, without_attr) in with.progs.iter().zip(&without.progs) {
            let number = |skeleton: &Skeleton, attr: u32, field: u32| {
                object.byte_order.read_u32(&skeleton.data, attr + field)
            };
            for (field, is_lines) in [
                (prog_load::INSN_CNT, false),
                (prog_load::FUNC_INFO_CNT, false),
                (prog_load::CORE_RELO_CNT, false),
                (prog_load::LINE_INFO_REC_SIZE, true),
                (prog_load::LINE_INFO_CNT, true),
            ] {
                let before = number(&with, with_attr.attr, field);
                let after = number(&without, without_attr.attr, field);
                assert_ne!(before, None);
                assert_eq!(
                    after,
                    if is_lines { Some(0) } else { before },
                    "field {field}"
                );
            }
            assert_ne!(
                number(&with, with_attr.attr, prog_load::LINE_INFO_CNT),
                Some(0)
            );
        }
    }
}
