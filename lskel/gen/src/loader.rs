// SPDX-License-Identifier: GPL-2.0

//! The loader prog: read, and put right where libbpf makes it wrong.

use crate::skeleton::ByteOrder;
use crate::{Error, Result};

/// One slot of a prog. A 64-bit constant takes two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insn {
    /// Operation, class and mode.
    pub code: u8,
    /// Destination register.
    pub dst: u8,
    /// Source register, or what kind of constant or call it is.
    pub src: u8,
    /// Jump distance, or offset from an address.
    pub off: i16,
    /// Constant.
    pub imm: i32,
}

/// The size of a slot, in bytes.
pub const INSN_SIZE: usize = 8;

/// Operations that gen_loader uses.
pub mod code {
    #![allow(missing_docs, reason = "names stay with C")]
    pub const LD_IMM64: u8 = 0x18;
    pub const LDX_W: u8 = 0x61;
    pub const LDX_DW: u8 = 0x79;
    pub const ST_W: u8 = 0x62;
    pub const STX_W: u8 = 0x63;
    pub const STX_DW: u8 = 0x7b;
    pub const ADD64_K: u8 = 0x07;
    pub const MOV64_K: u8 = 0xb7;
    pub const MOV64_X: u8 = 0xbf;
    pub const JA: u8 = 0x05;
    pub const JEQ_K: u8 = 0x15;
    pub const JSLT_K: u8 = 0xc5;
    pub const JSLE_K: u8 = 0xd5;
    pub const CALL: u8 = 0x85;
}
use code::*;

/// In `src` of `LD_IMM64`: an address in a map's value.
pub const PSEUDO_MAP_IDX_VALUE: u8 = 6;

const R0: u8 = 0;
const R1: u8 = 1;
const R2: u8 = 2;
const R7: u8 = 7;
const R9: u8 = 9;
const R10: u8 = 10;

/// Helpers that gen_loader calls.
pub mod helper {
    #![allow(missing_docs, reason = "names stay with C")]
    pub const PROBE_READ_KERNEL: i32 = 113;
    pub const COPY_FROM_USER: i32 = 148;
    pub const SYS_BPF: i32 = 166;
    pub const BTF_FIND_BY_NAME_KIND: i32 = 167;
    pub const SYS_CLOSE: i32 = 168;
    pub const KALLSYMS_LOOKUP_NAME: i32 = 179;
}
use helper::*;

impl Insn {
    fn read(bytes: &[u8; INSN_SIZE], byte_order: ByteOrder) -> Self {
        let [code, regs, o0, o1, i0, i1, i2, i3] = *bytes;
        match byte_order {
            ByteOrder::Little => Self {
                code,
                dst: regs & 15,
                src: regs >> 4,
                off: i16::from_le_bytes([o0, o1]),
                imm: i32::from_le_bytes([i0, i1, i2, i3]),
            },
            ByteOrder::Big => Self {
                code,
                dst: regs >> 4,
                src: regs & 15,
                off: i16::from_be_bytes([o0, o1]),
                imm: i32::from_be_bytes([i0, i1, i2, i3]),
            },
        }
    }

    fn write(self, byte_order: ByteOrder) -> [u8; INSN_SIZE] {
        let (regs, [o0, o1], [i0, i1, i2, i3]) = match byte_order {
            ByteOrder::Little => (
                (self.src << 4) | self.dst,
                self.off.to_le_bytes(),
                self.imm.to_le_bytes(),
            ),
            ByteOrder::Big => (
                (self.dst << 4) | self.src,
                self.off.to_be_bytes(),
                self.imm.to_be_bytes(),
            ),
        };
        [self.code, regs, o0, o1, i0, i1, i2, i3]
    }

    /// Whether it reads or writes the stack.
    fn is_stack_access(&self) -> bool {
        let class = self.code & 7;
        (class == 1 && self.src == R10) || (matches!(class, 2 | 3) && self.dst == R10)
    }

    fn is_call(&self, helper: i32) -> bool {
        self.code == CALL && self.src == 0 && self.imm == helper
    }
}

/// Reads a prog.
pub fn read(bytes: &[u8], byte_order: ByteOrder) -> Vec<Insn> {
    bytes
        .chunks_exact(INSN_SIZE)
        .filter_map(|slot| slot.try_into().ok())
        .map(|slot| Insn::read(slot, byte_order))
        .collect()
}

/// Writes a prog.
pub fn write(insns: &[Insn], byte_order: ByteOrder) -> Vec<u8> {
    insns
        .iter()
        .flat_map(|insn| insn.write(byte_order))
        .collect()
}

/// The stack that libbpf lays out: fds of BTF and of an inner map, then 32 prog fds. A prog's fd beyond
/// these would lie above the stack.
const STACK: i32 = 8 + 32 * 4;
/// The stack that a prog may have, in bytes.
const MAX_STACK: i32 = 512;
/// How many progs a loader prog can load.
pub const MAX_PROGS: usize = (MAX_STACK as usize - 8) / 4;

/// Makes room on the stack for all progs that are loaded.
///
/// libbpf closes, on failure, as many prog fds as there are functions in the object, but fills only those
/// of loaded progs. The rest of this clean-up is taken out, and the whole layout moved down.
pub fn fit_stack(insns: &mut [Insn], loaded_progs: usize) -> Result<()> {
    let end = |insn: &Insn| i32::from(insn.off) + 4;
    if insns
        .iter()
        .filter(|insn| insn.is_stack_access())
        .all(|insn| end(insn) <= 0)
    {
        return Ok(());
    }
    if loaded_progs > MAX_PROGS {
        return Err(Error::unsupported(
            format!("{loaded_progs} progs are to be loaded, and a loader prog's stack holds {MAX_PROGS}"),
            "split the object",
        ));
    }
    let used = -STACK + 8 + 4 * loaded_progs as i32;
    for i in 0..insns.len().saturating_sub(2) {
        let close = insns[i].code == LDX_W && insns[i].is_stack_access() && end(&insns[i]) > used;
        if close && insns[i + 1].code == JSLE_K && insns[i + 2].is_call(SYS_CLOSE) {
            insns[i..i + 3].fill(NOP);
        }
    }
    // The stack is kept aligned to 8 bytes.
    let shift = (used.max(0) + 7) & !7;
    let bug = || Error::Input("libbpf's loader prog does not start as expected".into());
    let [_, base, add, size, ..] = insns else {
        return Err(bug());
    };
    let clears_stack = base.code == MOV64_X
        && (base.dst, base.src) == (R1, R10)
        && (add.code, add.dst, add.imm) == (ADD64_K, R1, -STACK)
        && (size.code, size.dst, size.imm) == (MOV64_K, R2, STACK);
    if !clears_stack {
        return Err(bug());
    }
    add.imm -= shift;
    size.imm += shift;
    for insn in insns.iter_mut().filter(|insn| insn.is_stack_access()) {
        insn.off -= shift as i16;
    }
    Ok(())
}

/// Goes on with the next.
const NOP: Insn = Insn {
    code: JA,
    dst: 0,
    src: 0,
    off: 0,
    imm: 0,
};

/// Has the load fail where a symbol is missing that the object cannot do without. libbpf's loader prog
/// would go on with address 0.
pub fn require_ksyms(insns: &mut [Insn], data: &[u8], required: impl Fn(&str) -> bool) {
    const ENOENT: i32 = 2;
    let mut name = None;
    for i in 0..insns.len() {
        let insn = insns[i];
        if insn.code == LD_IMM64 && insn.dst == R1 && insn.src == PSEUDO_MAP_IDX_VALUE {
            name = insns.get(i + 1).and_then(|high| text(data, high.imm));
        } else if insn.is_call(KALLSYMS_LOOKUP_NAME) && name.as_deref().is_some_and(&required) {
            // The result is copied to r7 and compared before the next call.
            let rest = insns[i + 1..].iter_mut().take(4);
            for check in rest.filter(|c| (c.code, c.dst, c.imm) == (JEQ_K, R7, -ENOENT)) {
                *check = NOP;
            }
        }
    }
}

/// The string at an offset in the loader's data.
pub fn text(data: &[u8], offset: i32) -> Option<String> {
    let tail = data.get(usize::try_from(offset).ok()?..)?;
    let end = tail.iter().position(|&byte| byte == 0)?;
    Some(String::from_utf8_lossy(&tail[..end]).into_owned())
}

/// What a loader prog does, as far as its slots tell without a branch being followed. gen_loader emits
/// straight code, in which each branch only skips what is not needed or leaves on an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The address of `to` is written at `at`; both are offsets in the data.
    Pointer {
        /// Where.
        at: u32,
        /// To what.
        to: u32,
    },
    /// What is at `from` is copied to `at`: both are offsets in the data.
    Copy {
        /// Where.
        at: u32,
        /// From where.
        from: u32,
    },
    /// What the loader prog has found out is written at `at`, an offset in the data.
    Store {
        /// Where.
        at: u32,
    },
    /// The value of a data map may be replaced by what the context points to.
    Init {
        /// The map's number.
        map: usize,
        /// Offset in the data.
        value: u32,
        /// Size of the value.
        size: u32,
    },
    /// `bpf(cmd, attr, size)`.
    Bpf {
        /// A `BPF_*` command.
        cmd: i32,
        /// Offset in the data.
        attr: u32,
        /// Size of the attr.
        size: u32,
    },
    /// A kernel type is looked up.
    FindBtf {
        /// Offset of its name.
        name: u32,
        /// A `BTF_KIND_*`.
        kind: i32,
    },
    /// A kernel address is looked up.
    FindKsym {
        /// Offset of its name.
        name: u32,
    },
    /// A slot of the context is filled with an fd.
    Give {
        /// Offset in the context.
        ctx: i16,
    },
}

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Unknown,
    /// A constant.
    Const(i32),
    /// An address in the data.
    Blob(u32),
    /// What the data has at this offset.
    Copied(u32),
    /// What the context has at this offset.
    Ctx(i16),
}

/// Reads what a loader prog does; each with the number of the slot that does it.
pub fn trace(insns: &[Insn]) -> Vec<(usize, Event)> {
    const MAP_DESCS: i16 = size_of::<crate::abi::bpf_loader_ctx>() as i16;
    const MAP_DESC: i16 = size_of::<crate::abi::bpf_map_desc>() as i16;
    const R6: u8 = 6;

    let mut regs = [Value::Unknown; 16];
    let mut events = Vec::new();
    let mut i = 0;
    while let Some(insn) = insns.get(i) {
        let (dst, src) = (usize::from(insn.dst), usize::from(insn.src));
        let mut width = 1;
        match insn.code {
            LD_IMM64 => {
                let high = insns.get(i + 1).map_or(0, |high| high.imm);
                regs[dst] = match insn.src {
                    PSEUDO_MAP_IDX_VALUE => Value::Blob(high as u32),
                    _ => Value::Unknown,
                };
                width = 2;
            }
            MOV64_K => regs[dst] = Value::Const(insn.imm),
            MOV64_X => regs[dst] = regs[src],
            LDX_DW | LDX_W if insn.src == R6 => regs[dst] = Value::Ctx(insn.off),
            LDX_W => {
                regs[dst] = match regs[src] {
                    Value::Blob(from) => Value::Copied(from.wrapping_add_signed(insn.off.into())),
                    _ => Value::Unknown,
                }
            }
            STX_DW => {
                if let (Value::Blob(at), Value::Blob(to)) = (regs[dst], regs[src]) {
                    let at = at.wrapping_add_signed(insn.off.into());
                    events.push((i, Event::Pointer { at, to }));
                }
            }
            STX_W if insn.dst == R6 => events.push((i, Event::Give { ctx: insn.off })),
            STX_W => {
                if let Value::Blob(at) = regs[dst] {
                    let at = at.wrapping_add_signed(insn.off.into());
                    let event = match regs[src] {
                        Value::Copied(from) => Event::Copy { at, from },
                        _ => Event::Store { at },
                    };
                    events.push((i, event));
                }
            }
            CALL => {
                let event = match (insn.imm, &regs[1..5]) {
                    (SYS_BPF, &[Value::Const(cmd), Value::Blob(attr), Value::Const(size), _]) => {
                        Some(Event::Bpf {
                            cmd,
                            attr,
                            size: size as u32,
                        })
                    }
                    (
                        COPY_FROM_USER,
                        &[Value::Blob(value), Value::Const(size), Value::Ctx(from), _],
                    ) => usize::try_from((from - MAP_DESCS) / MAP_DESC)
                        .ok()
                        .map(|map| Event::Init {
                            map,
                            value,
                            size: size as u32,
                        }),
                    (BTF_FIND_BY_NAME_KIND, &[Value::Blob(name), _, Value::Const(kind), _]) => {
                        Some(Event::FindBtf { name, kind })
                    }
                    (KALLSYMS_LOOKUP_NAME, &[Value::Blob(name), ..]) => {
                        Some(Event::FindKsym { name })
                    }
                    _ => None,
                };
                events.extend(event.map(|event| (i, event)));
                regs[..6].fill(Value::Unknown);
            }
            code if matches!(code & 7, 0 | 1 | 4 | 7) => regs[dst] = Value::Unknown,
            _ => {}
        }
        i += width;
    }
    events
}

/// The load of one prog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgLoad {
    /// Where its `bpf_attr` is in the data.
    pub attr: u32,
    /// What is looked up in the kernel before, and where in the data the result goes.
    pub lookups: Vec<(String, u32)>,
}

/// The loads of progs, in order. Of the lookups those that `required` says cannot fail without the load failing.
pub fn prog_loads(insns: &[Insn], data: &[u8], required: impl Fn(&str) -> bool) -> Vec<ProgLoad> {
    let mut loads = Vec::new();
    let mut lookups = Vec::new();
    let mut name = None;
    for (_, event) in trace(insns) {
        match event {
            Event::FindBtf { name: at, .. } | Event::FindKsym { name: at } => {
                name = text(data, at as i32).filter(|name| required(name));
            }
            Event::Store { at } => lookups.extend(name.take().map(|name| (name, at))),
            Event::Bpf { cmd, attr, .. } => {
                let lookups = std::mem::take(&mut lookups);
                if cmd == PROG_LOAD {
                    loads.push(ProgLoad { attr, lookups });
                }
            }
            _ => {}
        }
    }
    loads
}

/// The `BPF_PROG_LOAD` command.
const PROG_LOAD: i32 = 5;

/// Has the loader prog close the BTF fds of modules when a lookup fails, and each of them once.
///
/// libbpf closes what the lookups for a prog have opened behind the load of the prog, and a lookup that fails
/// jumps past that: it is made to jump there. The fds stay in the data where the next prog's lookups may find
/// them, so that they would be closed again: they are cleared, in place of a copy that nothing reads.
pub fn close_btf_fds(insns: &mut [Insn]) {
    let mut lookups = Vec::new();
    let mut first_load = None;
    for (call, event) in trace(insns) {
        match event {
            Event::FindBtf { .. } | Event::FindKsym { .. } => lookups.push(call),
            Event::Bpf { cmd: PROG_LOAD, .. } => {
                first_load.get_or_insert(call);
                for lookup in lookups.drain(..) {
                    // The result is copied to r7 and, unless the symbol may be missing, checked.
                    let check = (lookup + 1..insns.len().min(lookup + 4))
                        .find(|&i| (insns[i].code, insns[i].dst) == (JSLT_K, R7));
                    if let Some(check) = check {
                        // What the load returns is copied to r7, too.
                        insns[check].off = (call + 1 - check) as i16;
                    }
                }
            }
            _ => {}
        }
    }
    for i in first_load.unwrap_or(insns.len())..insns.len().saturating_sub(3) {
        let close = (insns[i].code, insns[i].dst, insns[i].src) == (LDX_W, R1, R0)
            && insns[i + 1].code == JSLE_K
            && (insns[i + 2].code, insns[i + 2].dst) == (MOV64_X, R9)
            && insns[i + 3].is_call(SYS_CLOSE);
        if close {
            insns[i + 2] = Insn {
                code: ST_W,
                dst: R0,
                src: 0,
                off: insns[i].off,
                imm: 0,
            };
        }
    }
}

/// Takes the module's name out of attach targets, as in `SEC("fentry/nf_nat:nf_nat_setup_info")`.
///
/// libbpf looks into that module only; a loader prog asks the kernel, which knows no such names but looks
/// into vmlinux and then into each module.
pub fn drop_module_names(insns: &mut [Insn], data: &mut [u8]) {
    /// What libbpf puts before a target's name, by kind of prog.
    const PREFIXES: [&str; 3] = ["btf_trace_", "bpf_lsm_", "bpf_iter_"];

    for (call, event) in trace(insns) {
        let Event::FindBtf { name: at, .. } = event else {
            continue;
        };
        let Some(name) = text(data, at as i32) else {
            continue;
        };
        let Some((before, function)) = name.split_once(':') else {
            continue;
        };
        let prefix = PREFIXES
            .iter()
            .find(|prefix| before.starts_with(*prefix))
            .unwrap_or(&"");
        let short = format!("{prefix}{function}");
        // The call is preceded by its arguments; the second is the size of the name with its NUL.
        let args = &mut insns[call.saturating_sub(3)..call];
        let size = args
            .iter_mut()
            .find(|arg| (arg.code, arg.dst) == (MOV64_K, R2));
        let Some(size) = size.filter(|size| size.imm as usize == name.len() + 1) else {
            continue;
        };
        size.imm = short.len() as i32 + 1;
        let place = &mut data[at as usize..][..name.len()];
        place.fill(0);
        place[..short.len()].copy_from_slice(short.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: [u8; 8] = [0x7b, 0xa1, 0xf8, 0xff, 0x04, 0x03, 0x02, 0x01];

    /// The two byte orders differ in the registers' nibbles too.
    #[test]
    fn a_slot_is_read_and_written_in_both_byte_orders() {
        let little = Insn::read(&SLOT, ByteOrder::Little);
        assert_eq!((little.dst, little.src), (1, 10));
        assert_eq!((little.off, little.imm), (-8, 0x0102_0304));
        let big = Insn::read(&SLOT, ByteOrder::Big);
        assert_eq!((big.dst, big.src), (10, 1));
        assert_eq!((big.off, big.imm), (-1793, 0x0403_0201));
        for byte_order in ByteOrder::ALL {
            assert_eq!(Insn::read(&SLOT, byte_order).write(byte_order), SLOT);
        }
    }

    fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> Insn {
        Insn {
            code,
            dst,
            src,
            off,
            imm,
        }
    }

    /// A name of a module would never be found.
    #[test]
    fn a_target_in_a_module_is_looked_up_by_its_function() {
        let mut data = b"........btf_trace_some_mod:event\0".to_vec();
        let mut insns = [
            insn(LD_IMM64, R1, PSEUDO_MAP_IDX_VALUE, 0, 0),
            insn(0, 0, 0, 0, 8),
            insn(MOV64_K, R2, 0, 0, 25),
            insn(MOV64_K, 3, 0, 0, 8),
            insn(MOV64_K, 4, 0, 0, 0),
            insn(CALL, 0, 0, 0, BTF_FIND_BY_NAME_KIND),
        ];
        drop_module_names(&mut insns, &mut data);
        assert_eq!(text(&data, 8).as_deref(), Some("btf_trace_event"));
        assert_eq!(data.len(), 33);
        assert_eq!(insns[2].imm, 16);
    }

    /// What a lookup has opened would stay open when the next one fails, and be closed twice when it does not.
    #[test]
    fn btf_fds_are_closed_once_and_on_failure() {
        let find = |name| {
            [
                insn(LD_IMM64, R1, PSEUDO_MAP_IDX_VALUE, 0, 0),
                insn(0, 0, 0, 0, name),
                insn(MOV64_K, 3, 0, 0, 12),
                insn(CALL, 0, 0, 0, BTF_FIND_BY_NAME_KIND),
                insn(MOV64_X, R7, R0, 0, 0),
                insn(JSLT_K, R7, 0, -100, 0),
            ]
        };
        let load = [
            insn(MOV64_K, R1, 0, 0, PROG_LOAD),
            insn(LD_IMM64, R2, PSEUDO_MAP_IDX_VALUE, 0, 0),
            insn(0, 0, 0, 0, 64),
            insn(MOV64_K, 3, 0, 0, 8),
            insn(CALL, 0, 0, 0, SYS_BPF),
            insn(MOV64_X, R7, R0, 0, 0),
        ];
        let close = [
            insn(LD_IMM64, R0, PSEUDO_MAP_IDX_VALUE, 0, 0),
            insn(0, 0, 0, 0, 32),
            insn(LDX_W, R1, R0, 0, 0),
            insn(JSLE_K, R1, 0, 2, 0),
            insn(MOV64_X, R9, R1, 0, 0),
            insn(CALL, 0, 0, 0, SYS_CLOSE),
            insn(JSLT_K, R7, 0, -200, 0),
        ];
        // The clean-up of a failure comes first, and has what says how far the load came.
        let mut insns = [&close[..6], &find(1), &find(2), &load, &close].concat();
        let before = insns.clone();
        close_btf_fds(&mut insns);
        assert_eq!(insns[..6], close[..6]);
        let closes = 24;
        assert_eq!(insns[closes], close[0]);
        for check in [11, 17] {
            assert_eq!(
                check as i32 + 1 + i32::from(insns[check].off),
                closes as i32
            );
        }
        assert_eq!(insns[closes + 4], insn(ST_W, R0, 0, 0, 0));
        assert_eq!(insns[closes + 6], close[6]);
        let changed = before.iter().zip(&insns).filter(|(a, b)| a != b);
        assert_eq!(changed.count(), 3);
    }

    /// libbpf's own layout is left alone while it fits.
    #[test]
    fn the_stack_is_moved_only_when_it_must() {
        let start = [
            insn(MOV64_X, 6, R1, 0, 0),
            insn(MOV64_X, R1, R10, 0, 0),
            insn(ADD64_K, R1, 0, 0, -136),
            insn(MOV64_K, R2, 0, 0, 136),
            insn(STX_W, R10, R7, -4, 0),
        ];
        let mut fits = start;
        fit_stack(&mut fits, 32).unwrap();
        assert_eq!(fits, start);

        let mut more = [&start[..], &[insn(STX_W, R10, R7, 0, 0)]].concat();
        fit_stack(&mut more, 33).unwrap();
        assert_eq!((more[2].imm, more[3].imm), (-144, 144));
        assert_eq!((more[4].off, more[5].off), (-12, -8));

        let mut most = [&start[..], &[insn(STX_W, R10, R7, 372, 0)]].concat();
        fit_stack(&mut most, MAX_PROGS).unwrap();
        assert_eq!((most[2].imm, most[5].off), (-512, -4));
        let mut too_many = [&start[..], &[insn(STX_W, R10, R7, 376, 0)]].concat();
        assert!(fit_stack(&mut too_many, MAX_PROGS + 1).is_err());
    }
}
