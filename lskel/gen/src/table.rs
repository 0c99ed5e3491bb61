// SPDX-License-Identifier: GPL-2.0

//! The commands as a table of records, beside what they work on: an object's data, as `lskel/abi.rs` has it.

use crate::abi::{self, record};
use crate::commands::attr::*;
use crate::commands::{cmd, Command, How, LoadProg, NewMap, Symbol};
use crate::object::Object;
use crate::skeleton::{self, ByteOrder, Skeleton, What};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// The errno of a symbol that is missing.
const ENOENT: i32 = 2;
/// In `map_flags`: the type of the value is one of a module.
const F_VTYPE_BTF_OBJ_FD: u32 = 1 << 15;
/// In an instruction that loads the address of a variable of the kernel: that it does.
const PSEUDO_BTF_ID: u8 = 3;

/// Lays out what the commands need, and the commands.
pub fn lay_out(object: &Object, commands: &[Command]) -> Result<Skeleton> {
    let mut layout = Layout::new(object, commands)?;
    // What has a type of the kernel's is created when the layout prog has run.
    let before = |command: &&Command| match command {
        Command::CreateMap { new, .. } => new.value_type.is_none(),
        Command::LoadBtf { .. } | Command::LoadLayout(_) | Command::Value { .. } => true,
        _ => false,
    };
    for command in commands.iter().filter(before) {
        layout.command(command)?;
    }
    for command in commands {
        if let Command::CreateMap { map, new, .. } = command {
            for symbol in new.value_type.iter().chain(&new.struct_type) {
                layout.find_type(*map, symbol);
            }
        }
    }
    // Here the runtime fills the maps.
    layout.end();
    for command in commands.iter().filter(|command| !before(command)) {
        layout.command(command)?;
    }
    for ops in &object.ops {
        let value = layout.put(&ops.value);
        for command in commands {
            let Command::CreateMap { map, new, .. } = command else {
                continue;
            };
            let (true, Some(value_type), Some(struct_type)) =
                (*map == ops.map, &new.value_type, &new.struct_type)
            else {
                continue;
            };
            let (struct_id, module) = layout.found(struct_type);
            layout.skeleton.ops.push(skeleton::Ops {
                of: ops.clone(),
                value_id: layout.found(value_type).0,
                struct_id,
                module,
                value,
            });
        }
    }
    layout.finish()
}

/// Cells of what the load needs for itself: offsets in the data.
#[derive(Default)]
struct Cells {
    progs: u32,
    /// fds that are closed in any case: of the BTF, if there is one, of the layout prog, then of inner maps.
    temporary: u32,
    /// That of the layout prog, if there is one.
    layout: u32,
    /// What the next inner map takes.
    inner: u32,
    /// What nobody reads.
    scratch: u32,
    /// Two for each symbol.
    found: BTreeMap<Symbol, u32>,
}

struct Layout {
    byte_order: ByteOrder,
    cells: Cells,
    /// Where what is only read is already, by content.
    shared: BTreeMap<Vec<u8>, u32>,
    records: Vec<record>,
    /// Symbols that were looked up.
    looked_up: Vec<Symbol>,
    skeleton: Skeleton,
}

impl Layout {
    fn new(object: &Object, commands: &[Command]) -> Result<Self> {
        let cell = |number: usize| abi::CELLS + 4 * number as u32;
        let (maps, progs) = (object.maps.len(), object.progs.len());
        let temporary = commands.iter().filter(|command| match command {
            Command::LoadBtf { .. } | Command::LoadLayout(_) => true,
            Command::CreateMap { inner, .. } => inner.is_some(),
            _ => false,
        });
        let scratch = maps + progs + temporary.count();
        let has_btf = commands
            .iter()
            .any(|command| matches!(command, Command::LoadBtf { .. }));
        // An fd of a module's BTF must not be the first of the fd_array; a prog's is before it. Two words each, aligned.
        let mut next = cell(scratch + 1).next_multiple_of(8);
        let mut found = BTreeMap::new();
        for command in commands {
            let (of, symbols): (String, Vec<&Symbol>) = match command {
                Command::LoadProg(load) => (
                    format!("prog '{}'", object.progs[load.prog].name),
                    load.target
                        .iter()
                        .chain(load.uses.iter().map(|with| &with.symbol))
                        .collect(),
                ),
                Command::CreateMap { map, new, .. } => (
                    format!("map '{}'", object.maps[*map].name),
                    new.value_type.iter().chain(&new.struct_type).collect(),
                ),
                _ => continue,
            };
            for symbol in symbols {
                if found.contains_key(symbol) {
                    continue;
                }
                if symbol.name.len() + 1 > MAX_NAME {
                    return Err(Error::unsupported(
                        format!(
                            "{of} needs '{}', a name of {} bytes",
                            symbol.name,
                            symbol.name.len()
                        ),
                        format!("the kernel takes names of up to {} bytes", MAX_NAME - 1),
                    ));
                }
                found.insert(symbol.clone(), next);
                next += 8;
            }
        }
        let has_layout = !object.ops.is_empty();
        let temporary = cell(maps + progs);
        let layout = temporary + 4 * u32::from(has_btf);
        let cells = Cells {
            progs: cell(maps),
            temporary,
            layout,
            inner: layout + 4 * u32::from(has_layout),
            scratch: cell(scratch),
            found,
        };
        let mut data = vec![0; next as usize];
        data[abi::CELLS as usize..cells.scratch as usize].fill(abi::NO_FD as u8);
        let map = |(number, map): (usize, &crate::object::Map)| skeleton::Map {
            name: map.name.clone(),
            internal: map.internal,
            map_type: map.map_type,
            key_size: map.key_size,
            value_size: map.value_size,
            max_entries: map.max_entries,
            attr: 0,
            cell: cell(number),
            value: None,
            frozen: false,
        };
        let prog = |prog: &crate::object::Prog| skeleton::Prog {
            name: prog.name.clone(),
            section: prog.section.clone(),
            prog_type: prog.prog_type,
            expected_attach_type: prog.expected_attach_type,
            attr: 0,
        };
        Ok(Self {
            byte_order: object.byte_order,
            cells,
            shared: BTreeMap::new(),
            records: Vec::new(),
            looked_up: Vec::new(),
            skeleton: Skeleton {
                maps: object.maps.iter().enumerate().map(map).collect(),
                progs: object.progs.iter().map(prog).collect(),
                globals: object.globals.clone(),
                data,
                layout: has_layout.then_some(layout),
                enums: object.enums.clone(),
                ..Skeleton::default()
            },
        })
    }

    /// Adds bytes of their own, at a multiple of 8.
    fn put(&mut self, bytes: &[u8]) -> u32 {
        let data = &mut self.skeleton.data;
        let at = data.len();
        data.extend(bytes);
        data.resize(data.len().next_multiple_of(8), 0);
        at as u32
    }

    /// Adds bytes that are only read, each content once.
    fn share(&mut self, bytes: &[u8]) -> u32 {
        if let Some(at) = self.shared.get(bytes) {
            return *at;
        }
        let at = self.put(bytes);
        self.shared.insert(bytes.to_vec(), at);
        at
    }

    fn set_u32(&mut self, at: u32, number: u32) {
        let bytes = self.byte_order.u32(number);
        if let Some(place) = self.skeleton.data.get_mut(at as usize..at as usize + 4) {
            place.copy_from_slice(&bytes);
        }
    }

    fn record(&mut self, op: u8, a: u32, b: u32) -> &mut record {
        let record = record {
            op,
            a,
            b,
            ..record::default()
        };
        self.records.push(record);
        // The one that was just pushed.
        let last = self.records.len() - 1;
        &mut self.records[last]
    }

    fn pointer(&mut self, at: u32, to: u32) {
        self.record(abi::PTR, to, at);
    }

    fn copy(&mut self, from: u32, at: u32) {
        self.record(abi::COPY, from, at);
    }

    fn end(&mut self) {
        self.record(abi::END, 0, 0);
    }

    /// A record that can fail.
    fn step(&mut self, what: What) {
        let record = self.records.len() as u32;
        self.skeleton
            .commands
            .push(skeleton::Command { record, what });
    }

    fn bpf(&mut self, cmd: u32, attr: u32, size: u32, fd: u32, what: What) {
        self.step(what);
        let record = self.record(abi::BPF, attr, fd);
        record.arg = cmd as u8;
        record.words = (size / 4 - 1) as u8;
    }

    fn command(&mut self, command: &Command) -> Result<()> {
        match command {
            Command::LoadBtf { btf } => {
                let at = self.put(btf);
                let attr = self.put(&[0; btf_load::SIZE as usize]);
                self.set_u32(attr + btf_load::BTF_SIZE, btf.len() as u32);
                self.pointer(attr + btf_load::BTF, at);
                self.bpf(
                    cmd::BTF_LOAD,
                    attr,
                    btf_load::SIZE,
                    self.cells.temporary,
                    What::LoadBtf,
                );
                self.skeleton.btf = Some(attr);
            }
            Command::CreateMap { map, new, inner } => {
                let mut inner_fd = None;
                if let Some(inner) = inner {
                    inner_fd = Some(self.cells.inner);
                    self.cells.inner += 4;
                    self.create_map(*map, inner, None, self.cells.inner - 4);
                }
                let cell = self.skeleton.maps[*map].cell;
                self.skeleton.maps[*map].attr = self.create_map(*map, new, inner_fd, cell);
            }
            Command::Value { map, value } => {
                self.skeleton.maps[*map].value = Some(self.put(value));
            }
            Command::UpdateMap { map, index, inner } => {
                let value = self.skeleton.maps[*inner].cell;
                self.update(*map, *index, value, What::UpdateMap(*map));
            }
            Command::FreezeMap { map } => {
                // The attr is the fd.
                let cell = self.skeleton.maps[*map].cell;
                self.bpf(
                    cmd::MAP_FREEZE,
                    cell,
                    4,
                    self.cells.scratch,
                    What::FreezeMap(*map),
                );
                self.skeleton.maps[*map].frozen = true;
            }
            Command::LoadLayout(load) => {
                let cell = self.cells.layout;
                self.load_prog(load, cell, What::LoadLayout)?;
            }
            Command::LoadProg(load) => {
                let prog = load.prog;
                let cell = self.prog_cell(prog);
                self.skeleton.progs[prog].attr =
                    self.load_prog(load, cell, What::LoadProg(prog))?;
            }
            Command::PutProg { map, index, prog } => {
                let value = self.prog_cell(*prog);
                let what = What::PutProg {
                    map: *map,
                    prog: *prog,
                };
                self.update(*map, *index, value, what);
            }
        }
        Ok(())
    }

    fn prog_cell(&self, prog: usize) -> u32 {
        self.cells.progs + 4 * prog as u32
    }

    fn create_map(&mut self, map: usize, new: &NewMap, inner: Option<u32>, fd: u32) -> u32 {
        let used = match (&new.value_type, new.btf, inner) {
            (Some(_), ..) => map_create::VALUE_TYPE_BTF_OBJ_FD + 4,
            (None, true, _) => map_create::BTF_FD + 4,
            (None, false, Some(_)) => map_create::INNER_MAP_FD + 4,
            (None, false, None) => map_create::MAX_ENTRIES + 4,
        };
        let bytes = trimmed(&new.attr, used);
        let attr = self.put(bytes);
        if new.btf {
            self.copy(self.cells.temporary, attr + map_create::BTF_FD);
        }
        if let Some(inner) = inner {
            self.copy(inner, attr + map_create::INNER_MAP_FD);
        }
        if let Some(symbol) = &new.value_type {
            let (id, fd) = self.find_type(map, symbol);
            self.copy(id, attr + map_create::BTF_VMLINUX_VALUE_TYPE_ID);
            self.copy(fd, attr + map_create::VALUE_TYPE_BTF_OBJ_FD);
            let flags = self.first_word(attr + map_create::MAP_FLAGS);
            let flags = self.byte_order.read_u32(&flags, 0).unwrap_or(0);
            self.record(abi::SET, fd, attr + map_create::MAP_FLAGS).c = flags | F_VTYPE_BTF_OBJ_FD;
        }
        self.bpf(
            cmd::MAP_CREATE,
            attr,
            bytes.len() as u32,
            fd,
            What::CreateMap(map),
        );
        attr
    }

    /// Puts the fd in a cell into a map.
    fn update(&mut self, map: usize, index: u32, value: u32, what: What) {
        let key = self.share(&self.byte_order.u32(index));
        let attr = self.put(&[0; map_update::SIZE as usize]);
        self.copy(self.skeleton.maps[map].cell, attr + map_update::MAP_FD);
        self.pointer(attr + map_update::KEY, key);
        self.pointer(attr + map_update::VALUE, value);
        self.bpf(
            cmd::MAP_UPDATE_ELEM,
            attr,
            map_update::SIZE,
            self.cells.scratch,
            what,
        );
    }

    /// Where the id of a symbol, or the low half of its address, is found, and the fd or the high half.
    fn find(&mut self, symbol: &Symbol, what: What) -> (u32, u32) {
        if !self.looked_up.contains(symbol) {
            self.looked_up.push(symbol.clone());
            let mut name = symbol.name.clone().into_bytes();
            name.resize((name.len() + 1).next_multiple_of(4), 0);
            let words = (name.len() / 4 - 1) as u8;
            let at = self.share(&name);
            self.step(what);
            let found = self.cells.found.get(symbol).copied();
            let found = found.unwrap_or(self.cells.scratch);
            let record = self.record(
                if symbol.kind.is_some() {
                    abi::FIND_BTF
                } else {
                    abi::FIND_KSYM
                },
                at,
                found,
            );
            record.arg = symbol.kind.unwrap_or(0) as u8;
            record.words = words;
            record.c = if symbol.weak { -ENOENT as u32 } else { 0 };
        }
        self.found(symbol)
    }

    /// The same for the type of a map's value.
    fn find_type(&mut self, map: usize, symbol: &Symbol) -> (u32, u32) {
        let name = symbol.name.clone();
        self.find(symbol, What::FindType { map, name })
    }

    /// The two cells of a symbol.
    fn found(&self, symbol: &Symbol) -> (u32, u32) {
        let found = self.cells.found.get(symbol).copied();
        let found = found.unwrap_or(self.cells.scratch);
        match self.byte_order {
            ByteOrder::Little => (found, found + 4),
            ByteOrder::Big => (found + 4, found),
        }
    }

    /// Gives the place of the attr.
    fn load_prog(&mut self, load: &LoadProg, cell: u32, what: What) -> Result<u32> {
        let of_prog = |symbol: &Symbol| What::Find {
            prog: load.prog,
            name: symbol.name.clone(),
        };
        // Instructions that use a map have its number in the fd_array; those that call a function in a module its fd's.
        let uses_fds =
            !self.skeleton.maps.is_empty() || load.uses.iter().any(|with| with.how == How::Call);
        let mut used = prog_load::PROG_BTF_FD + 4;
        if load.target.is_some() || load.replaces.is_some() {
            used = prog_load::ATTACH_BTF_OBJ_FD + 4;
        }
        if uses_fds {
            used = prog_load::FD_ARRAY + 8;
        }
        let mut bytes = load.attr.clone();
        if load.core_relos.is_empty() {
            clear(&mut bytes, prog_load::CORE_RELO_REC_SIZE);
        } else {
            used = prog_load::CORE_RELO_REC_SIZE + 4;
        }
        let bytes = trimmed(&bytes, used);

        let insns = self.put(&load.insns);
        let attr = self.put(bytes);
        self.pointer(attr + prog_load::INSNS, insns);
        for (field, content) in [
            (prog_load::LICENSE, &load.license),
            (prog_load::FUNC_INFO, &load.func_info),
            (prog_load::LINE_INFO, &load.line_info),
            (prog_load::CORE_RELOS, &load.core_relos),
        ] {
            if !content.is_empty() {
                let at = self.share(content);
                self.pointer(attr + field, at);
            }
        }
        if uses_fds {
            self.pointer(attr + prog_load::FD_ARRAY, abi::CELLS);
        }
        if load.btf {
            self.copy(self.cells.temporary, attr + prog_load::PROG_BTF_FD);
        }
        if let Some(target) = &load.target {
            let (id, fd) = self.find(target, of_prog(target));
            self.copy(id, attr + prog_load::ATTACH_BTF_ID);
            self.copy(fd, attr + prog_load::ATTACH_BTF_OBJ_FD);
        }
        if let Some(prog) = load.replaces {
            // It is `attach_prog_fd` as well.
            self.copy(self.prog_cell(prog), attr + prog_load::ATTACH_BTF_OBJ_FD);
        }
        for with in &load.uses {
            let (low, high) = self.find(&with.symbol, of_prog(&with.symbol));
            let insn = insns + with.insn;
            self.copy(low, insn + 4);
            match with.how {
                How::Call => self.call(load, insn, high)?,
                How::Variable => {
                    self.copy(high, insn + 12);
                    if with.symbol.weak {
                        self.variable(insn, low);
                    }
                }
                How::Address => self.copy(high, insn + 12),
                How::TypeId => {}
            }
        }
        self.bpf(cmd::PROG_LOAD, attr, bytes.len() as u32, cell, what);
        Ok(attr)
    }

    /// If the function is in a module, the instruction says where the fd_array has the module's BTF.
    fn call(&mut self, load: &LoadProg, insn: u32, fd: u32) -> Result<()> {
        let Ok(index) = i16::try_from((fd - abi::CELLS) / 4) else {
            return Err(Error::unsupported(
                format!(
                    "prog '{}' needs a symbol of the kernel that is one too many",
                    self.skeleton.progs[load.prog].name
                ),
                "split the object",
            ));
        };
        let mut word = self.first_word(insn);
        let off = match self.byte_order {
            ByteOrder::Little => index.to_le_bytes(),
            ByteOrder::Big => index.to_be_bytes(),
        };
        word[2..].copy_from_slice(&off);
        let c = self.byte_order.read_u32(&word, 0).unwrap_or(0);
        self.record(abi::SET, fd, insn).c = c;
        Ok(())
    }

    /// Unless the variable is missing, the instruction says that it has an id. Otherwise it loads 0.
    fn variable(&mut self, insn: u32, id: u32) {
        let word = self.first_word(insn);
        let c = self.byte_order.read_u32(&word, 0).unwrap_or(0);
        let without = match self.byte_order {
            ByteOrder::Little => word[1] & !(PSEUDO_BTF_ID << 4),
            ByteOrder::Big => word[1] & !PSEUDO_BTF_ID,
        };
        if let Some(registers) = self.skeleton.data.get_mut(insn as usize + 1) {
            *registers = without;
        }
        self.record(abi::SET, id, insn).c = c;
    }

    fn first_word(&self, insn: u32) -> [u8; 4] {
        let word = self
            .skeleton
            .data
            .get(insn as usize..)
            .and_then(|bytes| bytes.first_chunk());
        *word.unwrap_or(&[0; 4])
    }

    /// Closes what has cells from one to another.
    fn close(&mut self, from: u32, to: u32) {
        for cell in (from..to).step_by(4) {
            self.record(abi::CLOSE, cell, 0);
        }
    }

    /// Closes what is needed for the load only.
    fn close_temporary(&mut self) {
        self.close(self.cells.temporary, self.cells.scratch);
        for symbol in self.looked_up.clone() {
            if symbol.kind.is_some() {
                let (_, fd) = self.found(&symbol);
                // 0 stands for vmlinux.
                self.record(abi::CLOSE, fd, 0).arg = 1;
            }
        }
        self.end();
    }

    fn finish(mut self) -> Result<Skeleton> {
        self.close_temporary();
        let cleanup = self.records.len();
        self.close(abi::CELLS, self.cells.temporary);
        self.close_temporary();
        if self.records.len() > abi::MAX_RECORDS {
            return Err(Error::unsupported(
                format!(
                    "its {} maps and {} progs take {} records, and a loader's table may have {}",
                    self.skeleton.maps.len(),
                    self.skeleton.progs.len(),
                    self.records.len(),
                    abi::MAX_RECORDS
                ),
                "split the object",
            ));
        }
        let table = self.skeleton.data.len() as u32;
        for record in std::mem::take(&mut self.records) {
            let data = &mut self.skeleton.data;
            data.extend([record.op, record.arg, record.words, record.zero]);
            for number in [record.a, record.b, record.c] {
                data.extend(self.byte_order.u32(number));
            }
        }
        self.set_u32(std::mem::offset_of!(abi::head, table) as u32, table);
        let cleanup = table + (cleanup * size_of::<record>()) as u32;
        self.set_u32(std::mem::offset_of!(abi::head, cleanup) as u32, cleanup);
        Ok(self.skeleton)
    }
}

/// The longest name, with its NUL.
const MAX_NAME: usize = (u8::MAX as usize + 1) * 4;

/// An attr as far as it says something, and so many bytes in any case. The kernel takes zeroes for the rest.
fn trimmed(attr: &[u8], used: u32) -> &[u8] {
    let said = attr
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    let end = said.max(used as usize).next_multiple_of(4);
    &attr[..end.min(attr.len())]
}

/// Makes a number 0.
fn clear(attr: &mut [u8], at: u32) {
    if let Some(number) = attr.get_mut(at as usize..at as usize + 4) {
        number.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::globals::Globals;
    use crate::object;

    fn object(progs: usize) -> Object {
        let prog = |number| object::Prog {
            name: format!("prog{number}"),
            section: "socket".into(),
            prog_type: 1,
            expected_attach_type: 0,
        };
        Object {
            byte_order: ByteOrder::Big,
            maps: Vec::new(),
            progs: (0..progs).map(prog).collect(),
            ops: Vec::new(),
            enums: Vec::new(),
            slots: Vec::new(),
            weak: Vec::new(),
            globals: Globals::default(),
            recordings: Vec::new(),
        }
    }

    fn load(prog: usize, target: Option<&str>) -> Command {
        Command::LoadProg(Box::new(LoadProg {
            prog,
            attr: vec![0; 140],
            license: b"GPL\0".to_vec(),
            insns: vec![0; 16],
            func_info: Vec::new(),
            line_info: Vec::new(),
            core_relos: Vec::new(),
            btf: false,
            target: target.map(|name| Symbol {
                name: name.into(),
                kind: Some(12),
                weak: false,
            }),
            replaces: None,
            uses: Vec::new(),
        }))
    }

    fn records(skeleton: &Skeleton) -> Vec<[u8; 16]> {
        let table = ByteOrder::Big.read_u32(&skeleton.data, 0).unwrap() as usize;
        let records = skeleton.data[table..].chunks_exact(16);
        records.map(|record| record.try_into().unwrap()).collect()
    }

    /// The runtime's contract: the fds at their places, "none" at first, one END between maps and progs.
    #[test]
    fn fds_come_first_and_are_none() {
        let skeleton = lay_out(&object(2), &[load(0, None), load(1, None)]).unwrap();
        assert_eq!(skeleton.data[8..16], [0xff; 8]);
        let records = records(&skeleton);
        assert_eq!(records[0][0], abi::END);
        let loads: Vec<_> = skeleton
            .commands
            .iter()
            .map(|command| command.record as usize)
            .collect();
        assert!(loads
            .iter()
            .all(|&load| records[load][..2] == [abi::BPF, cmd::PROG_LOAD as u8]));
        assert_eq!(loads.len(), 2);
        // The license is there once.
        let count = skeleton
            .data
            .windows(4)
            .filter(|bytes| bytes == b"GPL\0")
            .count();
        assert_eq!(count, 1);
        let ends = records
            .iter()
            .filter(|record| record[0] == abi::END)
            .count();
        assert_eq!(ends, 3);
    }

    #[test]
    fn what_two_progs_need_is_looked_up_once_and_closed_in_each_case() {
        let progs = [load(0, Some("f")), load(1, Some("f"))];
        let records = records(&lay_out(&object(2), &progs).unwrap());
        let count = |op, arg| {
            records
                .iter()
                .filter(|record| record[..2] == [op, arg])
                .count()
        };
        assert_eq!(count(abi::FIND_BTF, 12), 1);
        assert_eq!(count(abi::CLOSE, 1), 2);
        assert_eq!(count(abi::CLOSE, 0), 2);
    }

    #[test]
    fn more_than_the_loader_can_do_in_time_is_refused() {
        let progs: Vec<_> = (0..15_000).map(|prog| load(prog, None)).collect();
        let message = lay_out(&object(progs.len()), &progs)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("15000 progs take 60003 records, and a loader's table may have 60000"),
            "{message}"
        );
    }

    #[test]
    fn a_name_that_no_record_can_hold_is_refused() {
        let name = "n".repeat(1024);
        let message = lay_out(&object(1), &[load(0, Some(&name))])
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("prog 'prog0' needs 'nnn") && message.contains("1024 bytes"),
            "{message}"
        );
        assert!(lay_out(&object(1), &[load(0, Some(&name[1..]))]).is_ok());
    }
}
