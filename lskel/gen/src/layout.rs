// SPDX-License-Identifier: GPL-2.0

//! The layout prog: asks the kernel that loads an object where its structs of callbacks have what.
//!
//! It is a prog of `SEC("syscall")` of constants, each with a CO-RE relocation, which it writes into its context: of
//! each member of each struct_ops map the offset and the size in the kernel's struct, two `u64`, and then the value of
//! each enumerator that a global is to have, one `u64`. Of what the kernel lacks it leaves them as they are. What is asked about are structs made for it, with the kernel's names and of
//! types that are as CO-RE compares them: the object's own would bring along all that their callbacks take.

use crate::btf::{kind, Btf};
use crate::commands::attr::prog_load;
use crate::commands::{Command, LoadProg};
use crate::insn::LD_IMM64;
use crate::object::Object;
use crate::ops::EnumGlobal;
use crate::skeleton::ByteOrder;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked, as CO-RE has it.
const FIELD_BYTE_OFFSET: u32 = 0;
const FIELD_BYTE_SIZE: u32 = 1;
const FIELD_EXISTS: u32 = 2;
const ENUMVAL_EXISTS: u32 = 10;
const ENUMVAL_VALUE: u32 = 11;

/// A `BPF_PROG_TYPE_*`, and a flag of its load.
const SYSCALL: u32 = 31;
const SLEEPABLE: u32 = 16;

const NAME: &str = "__layout.prog";
const LICENSE: &[u8] = b"GPL\0";

/// The most answers that a displacement from the context reaches.
const MAX_ANSWERS: usize = i16::MAX as usize / 8;

/// Puts the load of the layout prog behind that of the BTF, if the object has struct_ops.
pub fn add(object: &Object, commands: &mut Vec<Command>) -> Result<()> {
    if object.ops.is_empty() {
        return Ok(());
    }
    let members: usize = object.ops.iter().map(|ops| ops.members.len()).sum();
    if 2 * members + object.enums.len() > MAX_ANSWERS {
        return Err(Error::unsupported(
            format!("its struct_ops have {members} members"),
            "split the object",
        ));
    }
    let loaded = commands
        .iter_mut()
        .enumerate()
        .find_map(|(at, command)| match command {
            Command::LoadBtf { btf } => Some((at, btf)),
            _ => None,
        });
    let read =
        loaded.and_then(|(at, bytes)| Some((at, Btf::read(bytes, object.byte_order)?, bytes)));
    let Some((at, mut btf, bytes)) = read else {
        return Err(Error::unsupported(
            "the object's BTF has what lskel-gen does not know",
            "use another clang",
        ));
    };
    let load = Writer::new(object.byte_order, &mut btf).write(object);
    *bytes = btf.write(bytes);
    commands.insert(at + 1, Command::LoadLayout(Box::new(load)));
    Ok(())
}

struct Writer<'a> {
    byte_order: ByteOrder,
    btf: &'a mut Btf,
    insns: Vec<u8>,
    core_relos: Vec<u8>,
}

impl<'a> Writer<'a> {
    fn new(byte_order: ByteOrder, btf: &'a mut Btf) -> Self {
        Self {
            byte_order,
            btf,
            insns: Vec::new(),
            core_relos: Vec::new(),
        }
    }

    fn write(mut self, object: &Object) -> LoadProg {
        // void *, which CO-RE takes for any pointer.
        let pointer = self.btf.add("", kind::PTR, 0, 0, &[]);
        let mut answer = 0;
        for ops in &object.ops {
            let mut members = Vec::new();
            let mut size = 0;
            let mut offsets = Vec::new();
            for member in &ops.members {
                let name = self.btf.add_string(&member.name);
                members.extend([name, member.data.unwrap_or(pointer), size * 8]);
                offsets.push(size);
                size += member.size.next_multiple_of(8);
            }
            let count = ops.members.len() as u32;
            let of = self
                .btf
                .add(&ops.kernel_type, kind::STRUCT, count, size, &members);
            for (number, (member, offset)) in ops.members.iter().zip(offsets).enumerate() {
                let access = self.btf.add_string(&format!("0:{number}"));
                self.ask(FIELD_EXISTS, of, access, 1);
                // if r2 == 0 goto +4
                self.insn(0x15, 2, 0, 4, 0);
                for (what, local) in [(FIELD_BYTE_OFFSET, offset), (FIELD_BYTE_SIZE, member.size)] {
                    self.ask(what, of, access, local);
                    // *(u64 *)(r1 + …) = r2
                    self.insn(0x7b, 1, 2, answer * 8, 0);
                    answer += 1;
                }
            }
        }
        let names: BTreeSet<_> = object.enums.iter().map(|of| (&of.of, of.is_wide)).collect();
        let enums: BTreeMap<_, _> = names
            .into_iter()
            .map(|(name, is_wide)| (name, self.enum_of(name, is_wide, &object.enums)))
            .collect();
        for of in &object.enums {
            let mut same = object.enums.iter().filter(|other| other.of == of.of);
            let number = same.position(|other| other == of).unwrap_or(0) as u32;
            let access = self.btf.add_string(&number.to_string());
            self.ask(ENUMVAL_EXISTS, enums[&of.of], access, 1);
            // if r2 == 0 goto +3
            self.insn(0x15, 2, 0, 3, 0);
            self.relocation(ENUMVAL_VALUE, enums[&of.of], access);
            // r2 = a number of 64 bits
            self.insn(LD_IMM64, 2, 0, 0, number);
            self.insn(0, 0, 0, 0, 0);
            self.insn(0x7b, 1, 2, answer * 8, 0);
            answer += 1;
        }
        // r0 = 0; exit
        self.insn(0xb7, 0, 0, 0, 0);
        self.insn(0x95, 0, 0, 0, 0);
        self.load()
    }

    fn load(self) -> LoadProg {
        let proto = self.btf.add("", kind::FUNC_PROTO, 0, 0, &[]);
        let func = self.btf.add("__layout", kind::FUNC, 0, proto, &[]);
        let mut attr = vec![0; prog_load::CORE_RELO_REC_SIZE as usize + 4];
        for (field, number) in [
            (prog_load::PROG_TYPE, SYSCALL),
            (prog_load::INSN_CNT, self.insns.len() as u32 / 8),
            (prog_load::PROG_FLAGS, SLEEPABLE),
            (prog_load::FUNC_INFO_REC_SIZE, 8),
            (prog_load::FUNC_INFO_CNT, 1),
            (prog_load::CORE_RELO_REC_SIZE, 16),
            (prog_load::CORE_RELO_CNT, self.core_relos.len() as u32 / 16),
        ] {
            attr[field as usize..][..4].copy_from_slice(&self.byte_order.u32(number));
        }
        attr[prog_load::PROG_NAME as usize..][..NAME.len()].copy_from_slice(NAME.as_bytes());
        LoadProg {
            prog: 0,
            attr,
            license: LICENSE.to_vec(),
            insns: self.insns,
            func_info: [self.byte_order.u32(0), self.byte_order.u32(func)].concat(),
            line_info: Vec::new(),
            core_relos: self.core_relos,
            btf: true,
            target: None,
            replaces: None,
            uses: Vec::new(),
        }
    }

    /// An enum with those of its enumerators that are asked about, numbered from 0.
    fn enum_of(&mut self, name: &str, is_wide: bool, all: &[EnumGlobal]) -> u32 {
        let mut enumerators = Vec::new();
        let mut count = 0;
        for of in all.iter().filter(|of| of.of == name) {
            enumerators.extend([self.btf.add_string(&of.name), count]);
            if is_wide {
                enumerators.push(0);
            }
            count += 1;
        }
        let (kind, size) = match is_wide {
            true => (kind::ENUM64, 8),
            false => (kind::ENUM, 4),
        };
        self.btf.add(name, kind, count, size, &enumerators)
    }

    /// r2 = what the kernel says; `local` is what the object's own BTF says.
    fn ask(&mut self, what: u32, of: u32, access: u32, local: u32) {
        self.relocation(what, of, access);
        self.insn(0xb7, 2, 0, 0, local);
    }

    /// Of the next instruction.
    fn relocation(&mut self, what: u32, of: u32, access: u32) {
        let at = self.insns.len() as u32;
        for number in [at, of, access, what] {
            self.core_relos.extend(self.byte_order.u32(number));
        }
    }

    fn insn(&mut self, code: u8, dst: u8, src: u8, off: u16, imm: u32) {
        let (registers, off) = match self.byte_order {
            ByteOrder::Little => ((src << 4) | dst, off.to_le_bytes()),
            ByteOrder::Big => ((dst << 4) | src, off.to_be_bytes()),
        };
        self.insns.extend([code, registers]);
        self.insns.extend(off);
        self.insns.extend(self.byte_order.u32(imm));
    }
}
