// SPDX-License-Identifier: GPL-2.0

//! BPF in words, spelled as in the verifier's log.

use crate::insn::{Insn, LD_IMM64};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Prints one instruction; `next` is the slot after it, which a 64-bit constant also takes.
pub fn insn(insn: &Insn, next: Option<&Insn>) -> String {
    let (dst, src, off, imm) = (insn.dst, insn.src, insn.off, insn.imm);
    match insn.code & 7 {
        0 if insn.code == LD_IMM64 => ld_imm64(insn, next.map_or(0, |next| next.imm)),
        0 | 1 => load(insn),
        2 => format!("*({} *)(r{dst} {off:+}) = {imm}", size(insn)),
        3 if insn.code & 0xe0 == 0xc0 => atomic(insn),
        3 => format!("*({} *)(r{dst} {off:+}) = r{src}", size(insn)),
        class @ (4 | 7) => alu(insn, class == 4),
        class => jump(insn, class == 6),
    }
}

fn size(insn: &Insn) -> &'static str {
    match insn.code & 0x18 {
        0x00 => "u32",
        0x08 => "u16",
        0x10 => "u8",
        _ => "u64",
    }
}

fn unknown(insn: &Insn) -> String {
    format!("(unknown {:#04x})", insn.code)
}

fn ld_imm64(insn: &Insn, high: i32) -> String {
    let (dst, low) = (insn.dst, insn.imm);
    match insn.src {
        0 => format!(
            "r{dst} = {:#x} ll",
            ((high as u64) << 32) | u64::from(low as u32)
        ),
        1 => format!("r{dst} = map[fd {low}]"),
        2 => format!("r{dst} = map[fd {low}] value{high:+}"),
        3 => format!("r{dst} = btf[{high}] type {low}"),
        4 => format!("r{dst} = function pc{low:+}"),
        5 => format!("r{dst} = map[{low}]"),
        6 => format!("r{dst} = map[{low}] value{high:+}"),
        _ => unknown(insn),
    }
}

fn load(insn: &Insn) -> String {
    let (dst, src, off, imm) = (insn.dst, insn.src, insn.off, insn.imm);
    match (insn.code & 7, insn.code & 0xe0) {
        (0, 0x20) => format!("r0 = *({} *)skb[{imm}]", size(insn)),
        (0, 0x40) => format!("r0 = *({} *)skb[r{src} {imm:+}]", size(insn)),
        (1, 0x60) => format!("r{dst} = *({} *)(r{src} {off:+})", size(insn)),
        (1, 0x80) => format!(
            "r{dst} = *({} *)(r{src} {off:+})",
            size(insn).replace('u', "s")
        ),
        (1, 0xc0) => format!("r{dst} = load_acquire(({} *)(r{src} {off:+}))", size(insn)),
        _ => unknown(insn),
    }
}

fn atomic(insn: &Insn) -> String {
    let (dst, src, off) = (insn.dst, insn.src, insn.off);
    let place = format!("({} *)(r{dst} {off:+})", size(insn));
    let op = |imm: i32| match imm & !1 {
        0x00 => Some("add"),
        0x40 => Some("or"),
        0x50 => Some("and"),
        0xa0 => Some("xor"),
        _ => None,
    };
    match insn.imm {
        0xe1 => format!("r{src} = atomic_xchg({place}, r{src})"),
        0xf1 => format!("r0 = atomic_cmpxchg({place}, r0, r{src})"),
        0x100 => format!("r{dst} = load_acquire(({} *)(r{src} {off:+}))", size(insn)),
        0x110 => format!("store_release({place}, r{src})"),
        imm => match op(imm) {
            Some(op) if imm & 1 == 0 => format!("lock {place} {op}= r{src}"),
            Some(op) => format!("r{src} = atomic_fetch_{op}({place}, r{src})"),
            None => unknown(insn),
        },
    }
}

fn alu(insn: &Insn, narrow: bool) -> String {
    const OPS: [&str; 13] = [
        "+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "neg", "%=", "^=", "=", "s>>=",
    ];
    let r = if narrow { "w" } else { "r" };
    let (dst, src, off, imm) = (insn.dst, insn.src, insn.off, insn.imm);
    let from_register = insn.code & 8 != 0;
    let operand = match from_register {
        true => format!("{r}{src}"),
        false => imm.to_string(),
    };
    match (insn.code >> 4, off) {
        (8, _) => format!("{r}{dst} = -{r}{dst}"),
        // On registers only, bytes are swapped to an order; the wide form always swaps.
        (13, _) if !narrow => format!("r{dst} = bswap{imm} r{dst}"),
        (13, _) if from_register => format!("r{dst} = be{imm} r{dst}"),
        (13, _) => format!("r{dst} = le{imm} r{dst}"),
        (11, 1) if imm != 0 => format!(
            "r{dst} = addr_space_cast(r{src}, {}, {})",
            imm >> 16,
            imm & 0xffff
        ),
        (11, 8 | 16 | 32) => format!("{r}{dst} = (s{off}){operand}"),
        (3, 1) => format!("{r}{dst} s/= {operand}"),
        (9, 1) => format!("{r}{dst} s%= {operand}"),
        (op, _) => match OPS.get(usize::from(op)) {
            Some(op) => format!("{r}{dst} {op} {operand}"),
            None => unknown(insn),
        },
    }
}

fn jump(insn: &Insn, narrow: bool) -> String {
    const CONDITIONS: [&str; 14] = [
        "", "==", ">", ">=", "&", "!=", "s>", "s>=", "", "", "<", "<=", "s<", "s<=",
    ];
    let r = if narrow { "w" } else { "r" };
    let (dst, src, off, imm) = (insn.dst, insn.src, insn.off, insn.imm);
    match (insn.code >> 4, src) {
        (0, _) if narrow => format!("gotol pc{imm:+}"),
        (0, _) if insn.code & 8 != 0 => format!("gotox r{dst}"),
        (0, _) => format!("goto pc{off:+}"),
        (8, 0) if insn.code & 8 != 0 => format!("callx r{dst}"),
        (8, 0) => format!("call {}", helper(imm)),
        (8, 1) => format!("call pc{imm:+}"),
        (8, 2) => format!("call kernel function {imm}"),
        (9, _) => "exit".into(),
        (14, _) if src == 0 => format!("may_goto pc{off:+}"),
        (op, _) => {
            let operand = match insn.code & 8 != 0 {
                true => format!("{r}{src}"),
                false => imm.to_string(),
            };
            match CONDITIONS.get(usize::from(op)) {
                Some(condition) if !condition.is_empty() => {
                    format!("if {r}{dst} {condition} {operand} goto pc{off:+}")
                }
                _ => unknown(insn),
            }
        }
    }
}

/// A helper's name, as libbpf's header has it.
fn helper(number: i32) -> String {
    static NAMES: OnceLock<BTreeMap<i32, &str>> = OnceLock::new();

    match NAMES.get_or_init(helpers).get(&number) {
        Some(name) => format!("{name}#{number}"),
        None => format!("helper {number}"),
    }
}

fn helpers() -> BTreeMap<i32, &'static str> {
    // As in: static long (* const bpf_map_lookup_elem)(…) = (void *) 1;
    let helper = |line: &'static str| {
        let (definition, number) = line.strip_suffix(';')?.rsplit_once("= (void *) ")?;
        let name = definition.split("(* const ").nth(1)?.split(')').next()?;
        Some((number.parse().ok()?, name))
    };
    let headers = libbpf_sys::API_HEADERS.iter();
    headers
        .filter(|(name, _)| *name == "bpf_helper_defs.h")
        .flat_map(|(_, text)| text.lines().filter_map(helper))
        .collect()
}
