// SPDX-License-Identifier: GPL-2.0

//! What libbpf's gen_loader has recorded, read.
//!
//! gen_loader writes a loader prog: straight code, piece after piece, in which each branch only skips what is
//! not needed or leaves on an error. The pieces are few, and [`PIECES`] has them all, spelled as the disassembler
//! does. What is none of them is an error.

use crate::insn::{self, Insn};

/// One piece of what the loader prog does.
///
/// Numbers called `at`, `to`, `from`, `attr`, `name`, `insn`, `value` are offsets in the loader's data. A `slot` is a
/// place on its stack: it may lie beyond what the kernel allows, for this prog is only read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "what the numbers are is said above")]
pub enum Action {
    /// The start; so many slots of cleaning up follow.
    Start { skip: usize },
    /// The address of `to` is written at `at`.
    Pointer { to: u32, at: u32 },
    /// 4 bytes are copied.
    Copy { from: u32, at: u32 },
    /// 2 bytes are copied, behind 4 of the same instruction.
    CopyOff { from: u32, at: u32 },
    /// What the context has for a log, or a map's size.
    FromCtx { at: u32 },
    /// An fd is copied from the stack.
    FromStack { slot: i32, at: u32 },
    /// `bpf(cmd, attr, size)`.
    Bpf { cmd: u32, attr: u32, size: u32 },
    /// If it failed, the load ends.
    Check,
    /// The fd that it gave goes to the stack.
    ToStack { slot: i32 },
    /// The fd that it gave goes to the data.
    ToData { at: u32 },
    /// An fd is closed.
    Close,
    /// An fd goes to the context.
    Give,
    /// A type or function is looked up in the kernel's BTF. `size` counts the name's NUL.
    FindBtf { name: u32, size: u32, kind: u32 },
    /// What was found is what the prog of this attr is attached to.
    Target { attr: u32 },
    /// The instruction that the next pieces are about.
    Insn { insn: u32 },
    /// What was found is the kernel function that it calls.
    Call,
    /// What was found is the kernel variable whose address it loads.
    Variable,
    /// A symbol is looked up, and it loads its address.
    FindKsym { name: u32, size: u32 },
    /// The copied variable may be missing.
    MayBeMissing,
    /// A map's initial value may be replaced.
    Value { value: u32, size: u32 },
    /// The end.
    End,
}
use Action::*;

/// A piece in words, a line for each instruction, `{}` for each number that differs; and what it does.
struct Piece(&'static str, fn(&[i64]) -> Action);

/// None is the start of another.
const PIECES: &[Piece] = &[
    Piece(
        "r6 = r1
        r1 = r10
        r1 += -136
        r2 = 136
        r3 = 0
        call bpf_probe_read_kernel#113
        goto pc{}",
        |n| Start {
            skip: n[0] as usize,
        },
    ),
    // emit_rel_store()
    Piece(
        "r0 = map[0] value{}
        r1 = map[0] value{}
        *(u64 *)(r1 +0) = r0",
        |n| Pointer {
            to: n[0] as u32,
            at: n[1] as u32,
        },
    ),
    // move_blob2blob()
    Piece(
        "r2 = map[0] value{}
        r0 = *(u32 *)(r2 +0)
        r1 = map[0] value{}
        *(u32 *)(r1 +0) = r0",
        |n| Copy {
            from: n[0] as u32,
            at: n[1] as u32,
        },
    ),
    Piece(
        "r2 = map[0] value{}
        r0 = *(u16 *)(r2 +0)
        r1 = map[0] value{}
        *(u16 *)(r1 +0) = r0",
        |n| CopyOff {
            from: n[0] as u32,
            at: n[1] as u32,
        },
    ),
    // move_blob2ctx()
    Piece(
        "r1 = map[0] value{}
        r0 = *(u32 *)(r1 +0)
        *(u32 *)(r6 {}) = r0",
        |_| Give,
    ),
    // move_ctx2blob()
    Piece(
        "r0 = *(u32 *)(r6 {})
        r1 = map[0] value{}
        *(u32 *)(r1 +0) = r0",
        |n| FromCtx { at: n[1] as u32 },
    ),
    Piece(
        "r0 = *(u64 *)(r6 {})
        r1 = map[0] value{}
        *(u64 *)(r1 +0) = r0",
        |n| FromCtx { at: n[1] as u32 },
    ),
    Piece(
        "r0 = *(u32 *)(r6 {})
        if r0 == 0 goto pc+3
        r1 = map[0] value{}
        *(u32 *)(r1 +0) = r0",
        |n| FromCtx { at: n[1] as u32 },
    ),
    // move_stack2blob()
    Piece(
        "r0 = *(u32 *)(r10 {})
        r1 = map[0] value{}
        *(u32 *)(r1 +0) = r0",
        |n| FromStack {
            slot: n[0] as i32,
            at: n[1] as u32,
        },
    ),
    // move_stack2ctx()
    Piece(
        "r0 = *(u32 *)(r10 {})
        *(u32 *)(r6 {}) = r0",
        |_| Give,
    ),
    // emit_sys_bpf()
    Piece(
        "r1 = {}
        r2 = map[0] value{}
        r3 = {}
        call bpf_sys_bpf#166
        r7 = r0",
        |n| Bpf {
            cmd: n[0] as u32,
            attr: n[1] as u32,
            size: n[2] as u32,
        },
    ),
    // emit_check_err()
    Piece("if r7 s< 0 goto pc{}", |_| Check),
    // bpf_gen__load_btf(), bpf_gen__map_create(), bpf_gen__prog_load()
    Piece("*(u32 *)(r10 {}) = r7", |n| ToStack { slot: n[0] as i32 }),
    Piece(
        "r1 = map[0] value{}
        *(u32 *)(r1 +0) = r7",
        |n| ToData { at: n[0] as u32 },
    ),
    // emit_sys_close_stack(), emit_sys_close_blob()
    Piece(
        "r1 = *(u32 *)(r10 {})
        if r1 s<= 0 goto pc+2
        r9 = r1
        call bpf_sys_close#168",
        |_| Close,
    ),
    Piece(
        "r0 = map[0] value{}
        r1 = *(u32 *)(r0 +0)
        if r1 s<= 0 goto pc+2
        r9 = r1
        call bpf_sys_close#168",
        |_| Close,
    ),
    // emit_find_attach_target(), emit_bpf_find_by_name_kind()
    Piece(
        "r1 = map[0] value{}
        r2 = {}
        r3 = {}
        r4 = 0
        call bpf_btf_find_by_name_kind#167
        r7 = r0",
        |n| FindBtf {
            name: n[0] as u32,
            size: n[1] as u32,
            kind: n[2] as u32,
        },
    ),
    // bpf_gen__prog_load(): attach_btf_id, attach_btf_obj_fd
    Piece(
        "r0 = map[0] value{}
        *(u32 *)(r0 +108) = r7
        r7 >>= 32
        *(u32 *)(r0 +112) = r7",
        |n| Target { attr: n[0] as u32 },
    ),
    // emit_relo()
    Piece("r8 = map[0] value{}", |n| Action::Insn {
        insn: n[0] as u32,
    }),
    // emit_relo_kfunc_btf()
    Piece(
        "if r7 s>= 0 goto pc+3
        *(u32 *)(r8 +4) = 0
        *(u16 *)(r8 +2) = 0
        goto pc+10
        *(u32 *)(r8 +4) = r7
        r9 = r7
        r9 >>= 32
        r0 = map[0] value{}
        *(u32 *)(r0 +0) = r9
        if r9 != 0 goto pc+2
        *(u16 *)(r8 +2) = 0
        goto pc+1
        *(u16 *)(r8 +2) = {}",
        |_| Call,
    ),
    // emit_relo_ksym_typeless()
    Piece(
        "r1 = map[0] value{}
        r2 = {}
        r3 = 0
        r4 = map[0] value{}
        r7 = r4
        call bpf_kallsyms_lookup_name#179
        r9 = *(u64 *)(r7 +0)
        r7 = r0
        if r7 == -2 goto pc+1
        if r7 s< 0 goto pc{}
        *(u32 *)(r8 +4) = r9
        r9 >>= 32
        *(u32 *)(r8 +12) = r9",
        |n| FindKsym {
            name: n[0] as u32,
            size: n[1] as u32,
        },
    ),
    // emit_relo_ksym_btf()
    Piece(
        "if r7 s>= 0 goto pc+3
        *(u32 *)(r8 +4) = 0
        *(u32 *)(r8 +12) = 0
        goto pc+4
        *(u32 *)(r8 +4) = r7
        r7 >>= 32
        *(u32 *)(r8 +12) = r7
        goto pc+3
        r9 = *(u8 *)(r8 +1)
        w9 &= {}
        *(u8 *)(r8 +1) = r9",
        |_| Variable,
    ),
    Piece(
        "if r0 != 0 goto pc+3
        r9 = *(u8 *)(r8 +1)
        w9 &= {}
        *(u8 *)(r8 +1) = r9",
        |_| MayBeMissing,
    ),
    // bpf_gen__map_update_elem()
    Piece(
        "r3 = *(u64 *)(r6 {})
        if r3 == 0 goto pc+8
        r1 = map[0] value{}
        r2 = {}
        r0 = *(u32 *)(r6 +4)
        if r0 & 1 goto pc+2
        call bpf_copy_from_user#148
        goto pc+1
        call bpf_probe_read_kernel#113",
        |n| Value {
            value: n[1] as u32,
            size: n[2] as u32,
        },
    ),
    // bpf_gen__finish()
    Piece(
        "r0 = 0
        exit",
        |_| End,
    ),
];

/// What no piece starts with: its slot and the instruction there.
#[derive(Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What was read before it.
    pub before: Vec<Action>,
    /// As in "slot 7: r0 = 1".
    pub what: String,
}

/// Reads a loader prog.
pub fn read(insns: &[Insn]) -> Result<Vec<Action>, Unknown> {
    let lines = insn::lines(insns);
    let mut actions = Vec::new();
    let mut next = 0;
    while let Some((slot, line)) = lines.get(next) {
        let Some((action, length)) = PIECES.iter().find_map(|piece| piece.read(&lines[next..]))
        else {
            return Err(Unknown {
                before: actions,
                what: format!("slot {slot}: {line}"),
            });
        };
        next += length;
        if let Start { skip } = action {
            let behind = lines
                .get(next)
                .map_or(0, |(slot, _)| slot.saturating_add(skip));
            next += lines[next..]
                .iter()
                .take_while(|(slot, _)| *slot < behind)
                .count();
        }
        actions.push(action);
    }
    Ok(actions)
}

impl Piece {
    /// What it does, and its number of instructions, if the lines start with it.
    fn read(&self, lines: &[(usize, String)]) -> Option<(Action, usize)> {
        let mut numbers = Vec::new();
        let mut length = 0;
        for words in self.0.lines() {
            let (_, line) = lines.get(length)?;
            numbers.extend(number(words.trim_start(), line)?);
            length += 1;
        }
        Some((self.1(&numbers), length))
    }
}

/// The number that the line has where the words have `{}`; none if the line differs.
fn number(words: &str, line: &str) -> Option<Option<i64>> {
    let Some((before, after)) = words.split_once("{}") else {
        return (words == line).then_some(None);
    };
    let number = line.strip_prefix(before)?.strip_suffix(after)?;
    number.parse().ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skeleton::ByteOrder;

    /// r1 = 18, r2 = map[0] value+64, r3 = 28, call bpf_sys_bpf, r7 = r0, if r7 s< 0 goto -9
    const BTF_LOAD: [[u8; 8]; 7] = [
        [0xb7, 1, 0, 0, 18, 0, 0, 0],
        [0x18, 0x62, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 64, 0, 0, 0],
        [0xb7, 3, 0, 0, 28, 0, 0, 0],
        [0x85, 0, 0, 0, 166, 0, 0, 0],
        [0xbf, 7, 0, 0, 0, 0, 0, 0],
        [0xc5, 7, 0xf7, 0xff, 0, 0, 0, 0],
    ];

    fn read_bytes(slots: &[[u8; 8]]) -> Result<Vec<Action>, Unknown> {
        read(&insn::read(&slots.concat(), ByteOrder::Little))
    }

    #[test]
    fn a_command_is_read_with_its_numbers() {
        let bpf = Bpf {
            cmd: 18,
            attr: 64,
            size: 28,
        };
        assert_eq!(read_bytes(&BTF_LOAD), Ok(vec![bpf, Check]));
    }

    /// Whatever a newer libbpf does in another way is not guessed.
    #[test]
    fn what_no_piece_starts_with_is_named() {
        let mut other = BTF_LOAD;
        other[5] = [0xbf, 8, 0, 0, 0, 0, 0, 0];
        let unknown = read_bytes(&other).unwrap_err();
        assert_eq!(unknown.what, "slot 0: r1 = 18");
        let unknown =
            read_bytes(&[&BTF_LOAD[..], &[[0xb7, 5, 0, 0, 1, 0, 0, 0]]].concat()).unwrap_err();
        assert_eq!(unknown.what, "slot 7: r5 = 1");
        assert_eq!(unknown.before.len(), 2);
        // Half of a piece is none.
        assert!(read_bytes(&BTF_LOAD[..5]).is_err());
    }

    /// Else the order of [`PIECES`] would matter.
    #[test]
    fn no_piece_is_the_start_of_another() {
        for a in PIECES {
            for b in PIECES {
                let (a, b): (Vec<_>, Vec<_>) = (
                    a.0.lines().map(str::trim).collect(),
                    b.0.lines().map(str::trim).collect(),
                );
                assert!(a == b || !b.starts_with(&a), "{a:?}");
            }
        }
    }
}
