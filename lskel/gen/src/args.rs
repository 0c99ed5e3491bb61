// SPDX-License-Identifier: GPL-2.0

//! What progs take that are called, those of `SEC("syscall")`: what their parameter points to.

use crate::commands::Command;
use crate::globals::{resolve, target_of, Kind, Layout, Reader};
use crate::object::Prog;
use crate::skeleton::ByteOrder;
use crate::{insn, Error, Result};
use libbpf_rs::btf::types::{Func, FuncProto};
use libbpf_rs::btf::BtfKind;
use libbpf_rs::libbpf_sys;
use serde::{Deserialize, Serialize};

/// What one prog takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Args {
    /// The prog's number.
    pub prog: usize,
    /// What it is.
    pub takes: Takes,
}

/// A prog's argument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Takes {
    /// A `void *`, or none.
    Nothing,
    /// A struct.
    Struct(Layout),
    /// The prog cannot be called from Rust, for this reason.
    NoCall(String),
}

/// The most that the kernel lets a prog use.
const MAX_SIZE: u32 = 65_535;
/// What the kernel has its context aligned to.
const ALIGN: u32 = 8;

/// Reads it from the functions' types.
pub(crate) fn read(reader: &mut Reader<'_, '_>, progs: &[Prog]) -> Result<Vec<Args>> {
    let mut args = Vec::new();
    for (number, prog) in progs.iter().enumerate() {
        if prog.prog_type != libbpf_sys::BPF_PROG_TYPE_SYSCALL {
            continue;
        }
        let takes = takes(reader, &prog.name).unwrap_or_else(|| {
            Takes::NoCall("its argument is no struct that Rust has a type for".into())
        });
        if let Takes::Struct(of) = &takes {
            if of.size > MAX_SIZE {
                return Err(Error::unsupported(
                    format!(
                        "prog '{}' takes `{}`, which has {} bytes",
                        prog.name, of.name, of.size
                    ),
                    format!("the kernel lets a prog use {MAX_SIZE}: put the rest into a map"),
                ));
            }
        }
        args.push(Args {
            prog: number,
            takes,
        });
    }
    Ok(args)
}

/// None if it cannot be expressed.
fn takes(reader: &mut Reader<'_, '_>, prog: &str) -> Option<Takes> {
    let func = reader.btf.type_by_name::<Func<'_>>(prog)?;
    let proto = resolve(reader.btf, target_of(&func))?;
    let proto = FuncProto::try_from(proto).ok()?;
    let Some(ctx) = proto.iter().next() else {
        return Some(Takes::Nothing);
    };
    let pointer = resolve(reader.btf, ctx.ty).filter(|ty| ty.kind() == BtfKind::Ptr)?;
    let of = resolve(reader.btf, pointer.next_type()?.type_id())?;
    match of.kind() {
        BtfKind::Void => return Some(Takes::Nothing),
        BtfKind::Struct => {}
        _ => return None,
    }
    let Kind::Struct(name) = reader.read(of.type_id(), 0)?.kind else {
        return None;
    };
    let of = reader.structs.iter().find(|of| of.name == name)?;
    if of.fields.is_empty() {
        return Some(Takes::Nothing);
    }
    Some(Takes::Struct(Layout {
        name,
        fields: of.fields.clone(),
        size: of.size.next_multiple_of(ALIGN),
        align: ALIGN,
    }))
}

/// Helpers that a prog may not call if safe code is to call the prog, and why.
const NOT_CALLED: [(i32, &str); 3] = [
    (
        12,
        "bpf_tail_call(), whose target may use more than it is given",
    ),
    (166, "bpf_sys_bpf(), which takes addresses of the kernel"),
    (
        168,
        "bpf_sys_close(), which closes fds that a system call is using",
    ),
];
/// The operation of a call; of a helper if there is no source register.
const CALL: u8 = 0x85;

/// Takes away the call of what calls such a helper.
pub(crate) fn check_helpers(args: &mut [Args], commands: &[Command], byte_order: ByteOrder) {
    for command in commands {
        let Command::LoadProg(load) = command else {
            continue;
        };
        let Some(of) = args.iter_mut().find(|of| of.prog == load.prog) else {
            continue;
        };
        let calls = insn::read(&load.insns, byte_order)
            .into_iter()
            .filter(|insn| (insn.code, insn.src) == (CALL, 0));
        for call in calls {
            if let Some((_, why)) = NOT_CALLED.iter().find(|(helper, _)| *helper == call.imm) {
                of.takes = Takes::NoCall(format!("it calls {why}"));
            }
        }
    }
}
