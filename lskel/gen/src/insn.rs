// SPDX-License-Identifier: GPL-2.0

//! Instructions.

use crate::disasm;
use crate::skeleton::ByteOrder;

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

/// The operation of a 64-bit constant.
pub const LD_IMM64: u8 = 0x18;

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
}

/// Reads a prog.
pub fn read(bytes: &[u8], byte_order: ByteOrder) -> Vec<Insn> {
    bytes
        .chunks_exact(INSN_SIZE)
        .filter_map(|slot| slot.try_into().ok())
        .map(|slot| Insn::read(slot, byte_order))
        .collect()
}

/// A prog in words: each instruction with the number of its slot.
pub fn lines(insns: &[Insn]) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut slot = 0;
    while let Some(insn) = insns.get(slot) {
        lines.push((slot, disasm::insn(insn, insns.get(slot + 1))));
        slot += if insn.code == LD_IMM64 { 2 } else { 1 };
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOT: [u8; 8] = [0x7b, 0xa1, 0xf8, 0xff, 0x04, 0x03, 0x02, 0x01];

    /// The two byte orders differ in the registers' nibbles too.
    #[test]
    fn a_slot_is_read_in_both_byte_orders() {
        let little = Insn::read(&SLOT, ByteOrder::Little);
        assert_eq!((little.dst, little.src), (1, 10));
        assert_eq!((little.off, little.imm), (-8, 0x0102_0304));
        let big = Insn::read(&SLOT, ByteOrder::Big);
        assert_eq!((big.dst, big.src), (10, 1));
        assert_eq!((big.off, big.imm), (-1793, 0x0403_0201));
    }
}
