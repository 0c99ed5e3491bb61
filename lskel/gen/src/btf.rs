// SPDX-License-Identifier: GPL-2.0

//! The object's BTF without what the kernel never looks at.
//!
//! An object file has types for all that its C file had, and for its sections. The kernel looks at those of functions,
//! CO-RE relocations, keys and values of maps, at what these lead to, and at the tags on them. The rest is left out,
//! and what is left gets new numbers; so do the strings. An object that asks for such a number keeps its BTF as it is.
//!
//! CO-RE goes through all types of the kernel for each name, and so costs a million and a half instructions for it. Where
//! all that is asked of a type is its id, it is looked up as symbols are, in a sorted list.

use crate::commands::attr::{map_create, prog_load};
use crate::commands::{Command, How, LoadProg, NewMap, Symbol, Use};
use crate::insn::LD_IMM64;
use crate::names;
use crate::skeleton::ByteOrder;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// Size of the header, in bytes; what is there, in words.
const HEADER: usize = 24;
const HDR_LEN: usize = 1;
const TYPE_OFF: usize = 2;
const TYPE_LEN: usize = 3;
const STR_OFF: usize = 4;
const STR_LEN: usize = 5;

/// Kinds of types.
#[allow(missing_docs, reason = "names stay with C")]
pub(crate) mod kind {
    pub const INT: u32 = 1;
    pub const PTR: u32 = 2;
    pub const ARRAY: u32 = 3;
    pub const STRUCT: u32 = 4;
    pub const UNION: u32 = 5;
    pub const ENUM: u32 = 6;
    pub const FWD: u32 = 7;
    pub const TYPEDEF: u32 = 8;
    pub const VOLATILE: u32 = 9;
    pub const CONST: u32 = 10;
    pub const RESTRICT: u32 = 11;
    pub const FUNC: u32 = 12;
    pub const FUNC_PROTO: u32 = 13;
    pub const VAR: u32 = 14;
    pub const DATASEC: u32 = 15;
    pub const FLOAT: u32 = 16;
    pub const DECL_TAG: u32 = 17;
    pub const TYPE_TAG: u32 = 18;
    pub const ENUM64: u32 = 19;
}

/// In a type: where its name is, and where the type that it is made of.
const NAME: usize = 0;
const INFO: usize = 1;
const OF: usize = 2;
/// The words that each type has.
const COMMON: usize = 3;

/// What follows the common words of a type of some kind.
struct Shape {
    /// Whether [`OF`] is a type.
    of: bool,
    /// Words that are there once.
    fixed: usize,
    /// Words of each element.
    element: usize,
    /// In an element, or in what is there once: the words that are names, and those that are types.
    names: &'static [usize],
    types: &'static [usize],
}

fn shape(kind: u32) -> Option<Shape> {
    let shape = |of, fixed, element, names, types| Shape {
        of,
        fixed,
        element,
        names,
        types,
    };
    Some(match kind {
        kind::FWD | kind::FLOAT => shape(false, 0, 0, &[], &[]),
        kind::INT => shape(false, 1, 0, &[], &[]),
        kind::PTR
        | kind::TYPEDEF
        | kind::VOLATILE
        | kind::CONST
        | kind::RESTRICT
        | kind::FUNC
        | kind::TYPE_TAG => shape(true, 0, 0, &[], &[]),
        kind::VAR | kind::DECL_TAG => shape(true, 1, 0, &[], &[]),
        kind::ARRAY => shape(false, 3, 0, &[], &[0, 1]),
        kind::STRUCT | kind::UNION => shape(false, 0, 3, &[0], &[1]),
        kind::ENUM => shape(false, 0, 2, &[0], &[]),
        kind::ENUM64 => shape(false, 0, 3, &[0], &[]),
        kind::FUNC_PROTO => shape(true, 0, 2, &[0], &[1]),
        kind::DATASEC => shape(false, 0, 3, &[], &[0]),
        _ => return None,
    })
}

/// One type: all of it is words.
#[derive(Debug, Clone, PartialEq)]
struct Type {
    words: Vec<u32>,
}

impl Type {
    fn kind(&self) -> u32 {
        (self.words[INFO] >> 24) & 0x1f
    }

    /// The words that are names, and those that are types.
    fn references(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut names, mut types) = (vec![NAME], Vec::new());
        if let Some(shape) = shape(self.kind()) {
            types.extend(shape.of.then_some(OF));
            for start in (COMMON..self.words.len()).step_by(shape.fixed.max(shape.element).max(1)) {
                names.extend(shape.names.iter().map(|at| start + at));
                types.extend(shape.types.iter().map(|at| start + at));
            }
        }
        (names, types)
    }
}

/// BTF, taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Btf {
    byte_order: ByteOrder,
    /// The first has number 1.
    types: Vec<Type>,
    strings: Vec<u8>,
}

impl Btf {
    pub(crate) fn read(bytes: &[u8], byte_order: ByteOrder) -> Option<Self> {
        let word =
            |bytes: &[u8], at: usize| byte_order.read_u32(bytes, u32::try_from(at * 4).ok()?);
        let header = |at| word(bytes, at).map(|word| word as usize);
        let section = |off: usize, len: usize| {
            let start = header(HDR_LEN)?.checked_add(header(off)?)?;
            bytes.get(start..start.checked_add(header(len)?)?)
        };
        let strings = section(STR_OFF, STR_LEN)?.to_vec();
        let section = section(TYPE_OFF, TYPE_LEN)?;
        let mut types = Vec::new();
        let mut at = 0;
        while at < section.len() / 4 {
            let info = word(section, at + INFO)?;
            let shape = shape((info >> 24) & 0x1f)?;
            let size = COMMON + shape.fixed + shape.element * (info & 0xffff) as usize;
            let words: Option<Vec<_>> = (at..at + size).map(|at| word(section, at)).collect();
            types.push(Type { words: words? });
            at += size;
        }
        Some(Self {
            byte_order,
            types,
            strings,
        })
    }

    /// Adds a type and gives its number. `of` is its size, or the type that it is made of.
    pub(crate) fn add(&mut self, name: &str, kind: u32, count: u32, of: u32, rest: &[u32]) -> u32 {
        let name = match name {
            "" => 0,
            name => self.add_string(name),
        };
        let words = [&[name, (kind << 24) | count, of], rest].concat();
        self.types.push(Type { words });
        self.types.len() as u32
    }

    /// Adds a string and gives its place.
    pub(crate) fn add_string(&mut self, text: &str) -> u32 {
        let at = self.strings.len() as u32;
        self.strings.extend(text.as_bytes());
        self.strings.push(0);
        at
    }

    pub(crate) fn write(&self, header: &[u8]) -> Vec<u8> {
        let types = self.types.iter().flat_map(|ty| &ty.words);
        let types: Vec<u8> = types.flat_map(|word| self.byte_order.u32(*word)).collect();
        let mut bytes = header[..HEADER].to_vec();
        for (at, number) in [
            (HDR_LEN, HEADER),
            (TYPE_OFF, 0),
            (TYPE_LEN, types.len()),
            (STR_OFF, types.len()),
            (STR_LEN, self.strings.len()),
        ] {
            bytes[at * 4..][..4].copy_from_slice(&self.byte_order.u32(number as u32));
        }
        [bytes, types, self.strings.clone()].concat()
    }

    fn string(&self, at: u32) -> Option<&[u8]> {
        self.strings
            .get(at as usize..)?
            .split(|&byte| byte == 0)
            .next()
    }

    fn get(&self, id: u32) -> Option<&Type> {
        self.types.get(usize::try_from(id.checked_sub(1)?).ok()?)
    }
}

/// Which types stay.
struct Marks<'a> {
    btf: &'a Btf,
    /// By number, less one.
    kept: Vec<bool>,
}

impl Marks<'_> {
    /// Keeps a type and all that it leads to.
    fn keep(&mut self, id: u32) {
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            let Some(ty) = self.btf.get(id) else {
                continue;
            };
            if !std::mem::replace(&mut self.kept[id as usize - 1], true) {
                todo.extend(ty.references().1.into_iter().map(|at| ty.words[at]));
            }
        }
    }

    /// Keeps the tags on what is kept, and what they name.
    fn keep_tags(&mut self) {
        let kept =
            |marks: &Self, id: u32| id != 0 && marks.kept.get(id as usize - 1) == Some(&true);
        loop {
            let before = self.kept.clone();
            for (id, ty) in (1..).zip(&self.btf.types) {
                if ty.kind() != kind::DECL_TAG || kept(self, id) || !kept(self, ty.words[OF]) {
                    continue;
                }
                self.keep(id);
                // As in "contains:NAME:member": the kernel looks for the struct by its name.
                let tag = self.btf.string(ty.words[NAME]).unwrap_or_default();
                let Some(tag) = tag.strip_prefix(b"contains:") else {
                    continue;
                };
                let name = tag.split(|&byte| byte == b':').next();
                let of_name = |ty: &Type| {
                    ty.kind() == kind::STRUCT && self.btf.string(ty.words[NAME]) == name
                };
                if let Some(at) = self.btf.types.iter().position(of_name) {
                    self.keep(at as u32 + 1);
                }
            }
            if before == self.kept {
                break;
            }
        }
    }
}

/// The new numbers of types and strings.
struct Renumber<'a> {
    old: &'a Btf,
    types: Vec<u32>,
    strings: BTreeMap<&'a [u8], u32>,
    section: Vec<u8>,
}

impl Renumber<'_> {
    fn ty(&self, id: u32) -> u32 {
        id.checked_sub(1)
            .and_then(|id| self.types.get(id as usize))
            .copied()
            .unwrap_or(0)
    }

    fn string(&mut self, at: u32) -> u32 {
        let text = self.old.string(at).unwrap_or_default();
        *self.strings.entry(text).or_insert_with(|| {
            let new = self.section.len() as u32;
            self.section.extend(text);
            self.section.push(0);
            new
        })
    }
}

/// A number in each record of an array.
struct Column {
    size: usize,
    at: usize,
}

/// `struct bpf_func_info`, `bpf_line_info` and `bpf_core_relo`: what in them is a type or a string.
const FUNC_TYPE: Column = Column { size: 8, at: 4 };
const FILE: Column = Column { size: 16, at: 4 };
const LINE: Column = Column { size: 16, at: 8 };
const RELO_TYPE: Column = Column { size: 16, at: 4 };
const ACCESS: Column = Column { size: 16, at: 8 };

/// And `bpf_attr`, up to that.
const ATTACHED: Column = Column {
    size: prog_load::ATTACH_BTF_OBJ_FD as usize,
    at: prog_load::ATTACH_BTF_ID as usize,
};

const RELO_INSN: Column = Column { size: 16, at: 0 };
const RELO_KIND: Column = Column { size: 16, at: 12 };

/// The CO-RE relocation whose result is the number of a type of the object.
const TYPE_ID_LOCAL: u32 = 6;
/// The one whose result is the number of a type of the kernel.
const TYPE_ID_TARGET: u32 = 7;

impl Column {
    /// The numbers as they are.
    fn read<'a>(
        &'a self,
        records: &'a [u8],
        byte_order: ByteOrder,
    ) -> impl Iterator<Item = u32> + 'a {
        let records = records.chunks_exact(self.size);
        records.filter_map(move |record| byte_order.read_u32(record, self.at as u32))
    }

    /// Makes new numbers of them.
    fn change(&self, records: &mut [u8], byte_order: ByteOrder, mut new: impl FnMut(u32) -> u32) {
        for record in records.chunks_exact_mut(self.size) {
            if let Some(number) = byte_order.read_u32(record, self.at as u32) {
                record[self.at..self.at + 4].copy_from_slice(&byte_order.u32(new(number)));
            }
        }
    }
}

/// The maps that a command creates.
fn maps(command: &mut Command) -> Vec<&mut NewMap> {
    match command {
        Command::CreateMap { new, inner, .. } => {
            [Some(new), inner.as_mut()].into_iter().flatten().collect()
        }
        _ => Vec::new(),
    }
}

/// In the attr of a map: key and value.
const MAP_TYPES: [usize; 2] = [
    map_create::BTF_KEY_TYPE_ID as usize,
    map_create::BTF_VALUE_TYPE_ID as usize,
];

/// The BTF that the commands load, and its bytes.
fn read(commands: &[Command], byte_order: ByteOrder) -> Result<Option<(Btf, Vec<u8>)>> {
    let bytes = commands.iter().find_map(|command| match command {
        Command::LoadBtf { btf } => Some(btf.clone()),
        _ => None,
    });
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let is_known = loads(commands).all(|load| known(load, byte_order));
    match Btf::read(&bytes, byte_order) {
        Some(btf) if is_known => Ok(Some((btf, bytes))),
        _ => Err(Error::unsupported(
            "the object's BTF has what lskel-gen does not know",
            "use another clang",
        )),
    }
}

fn loads(commands: &[Command]) -> impl Iterator<Item = &LoadProg> {
    commands.iter().filter_map(|command| match command {
        Command::LoadProg(load) | Command::LoadLayout(load) => Some(&**load),
        _ => None,
    })
}

/// The progs that have a function of this name, and the id of its type.
pub(crate) fn progs_with(
    commands: &[Command],
    function: &str,
    byte_order: ByteOrder,
) -> Result<Vec<(usize, u32)>> {
    let Some((btf, _)) = read(commands, byte_order)? else {
        return Ok(Vec::new());
    };
    let is_named = |id: &u32| {
        let name = btf.get(*id).and_then(|ty| btf.string(ty.words[NAME]));
        name == Some(function.as_bytes())
    };
    let of = |load: &LoadProg| {
        let id = FUNC_TYPE.read(&load.func_info, byte_order).find(is_named)?;
        Some((load.prog, id))
    };
    Ok(loads(commands).filter_map(of).collect())
}

/// The CO-RE relocations of a prog, each with what is asked, the type, and the offset of the instruction.
fn relocations(
    load: &LoadProg,
    byte_order: ByteOrder,
) -> impl Iterator<Item = (u32, u32, u32)> + '_ {
    let of = move |column: &'static Column| column.read(&load.core_relos, byte_order);
    of(&RELO_KIND)
        .zip(of(&RELO_TYPE))
        .zip(of(&RELO_INSN))
        .map(|((kind, ty), insn)| (kind, ty, insn))
}

/// Has types of which only the id is asked found by their names.
pub fn find_by_name(commands: &mut [Command], byte_order: ByteOrder) -> Result<()> {
    let Some((btf, _)) = read(commands, byte_order)? else {
        return Ok(());
    };
    let symbol = |id: u32| {
        let ty = btf.get(id)?;
        let name = String::from_utf8_lossy(btf.string(ty.words[NAME])?).into_owned();
        // What follows is the object's own: a flavour.
        let name = names::without_flavour(&name).to_owned();
        (!name.is_empty()).then(|| Symbol {
            name,
            kind: Some(ty.kind()),
            weak: false,
        })
    };
    // CO-RE looks for these anyway; or says whether they are there.
    let others: BTreeSet<_> = loads(commands)
        .flat_map(|load| relocations(load, byte_order))
        .filter(|(kind, ..)| *kind != TYPE_ID_TARGET)
        .filter_map(|(_, id, _)| symbol(id))
        .collect();

    for command in commands {
        let Command::LoadProg(load) = command else {
            continue;
        };
        let found: BTreeMap<_, _> = relocations(load, byte_order)
            .filter(|(kind, ..)| *kind == TYPE_ID_TARGET)
            .filter(|(.., insn)| load.insns.get(*insn as usize) == Some(&LD_IMM64))
            .filter_map(|(_, id, insn)| Some((insn, symbol(id)?)))
            .filter(|(_, symbol)| !others.contains(symbol))
            .collect();
        let size = RELO_KIND.size;
        load.core_relos = load
            .core_relos
            .chunks_exact(size)
            .filter(|record| {
                let insn = RELO_INSN.read(record, byte_order).next();
                insn.is_none_or(|insn| !found.contains_key(&insn))
            })
            .flatten()
            .copied()
            .collect();
        let count = (load.core_relos.len() / size) as u32;
        let at = prog_load::CORE_RELO_CNT as usize;
        if let Some(place) = load.attr.get_mut(at..at + 4) {
            place.copy_from_slice(&byte_order.u32(count));
        }
        for (insn, symbol) in found {
            // It had the object's own number, which counts no more.
            let imm = insn as usize + 4;
            load.insns[imm..imm + 4].fill(0);
            load.uses.push(Use {
                insn,
                symbol,
                how: How::TypeId,
            });
        }
    }
    Ok(())
}

/// Takes out of the BTF what no command needs.
pub fn shrink(commands: &mut [Command], byte_order: ByteOrder) -> Result<()> {
    let Some((old, bytes)) = read(commands, byte_order)? else {
        return Ok(());
    };

    // Such a number becomes a constant of the prog, and counts in its tag.
    let number_matters = |(kind, ..): (u32, u32, u32)| kind == TYPE_ID_LOCAL;
    if loads(commands).any(|load| relocations(load, byte_order).any(number_matters)) {
        return Ok(());
    }

    let mut marks = Marks {
        btf: &old,
        kept: vec![false; old.types.len()],
    };
    for command in commands.iter_mut() {
        for map in maps(command) {
            for at in MAP_TYPES {
                marks.keep(byte_order.read_u32(&map.attr, at as u32).unwrap_or(0));
            }
        }
        if let Command::LoadProg(load) | Command::LoadLayout(load) = command {
            FUNC_TYPE
                .read(&load.func_info, byte_order)
                .for_each(|id| marks.keep(id));
            RELO_TYPE
                .read(&load.core_relos, byte_order)
                .for_each(|id| marks.keep(id));
        }
    }
    marks.keep_tags();
    // BTF without a type is refused.
    if !marks.kept.contains(&true) {
        return Ok(());
    }

    let mut next = 0;
    let number = |kept: &bool| {
        next += u32::from(*kept);
        if *kept {
            next
        } else {
            0
        }
    };
    let mut new = Renumber {
        old: &old,
        types: marks.kept.iter().map(number).collect(),
        strings: BTreeMap::new(),
        section: Vec::new(),
    };
    // The first is empty.
    new.string(0);
    let mut types = Vec::new();
    for ty in old
        .types
        .iter()
        .zip(&marks.kept)
        .filter_map(|(ty, kept)| kept.then_some(ty))
    {
        let mut ty = ty.clone();
        let (names, of) = ty.references();
        for at in names {
            ty.words[at] = new.string(ty.words[at]);
        }
        for at in of {
            ty.words[at] = new.ty(ty.words[at]);
        }
        types.push(ty);
    }
    for command in commands.iter_mut() {
        for map in maps(command) {
            for at in MAP_TYPES {
                let id = byte_order
                    .read_u32(&map.attr, at as u32)
                    .map_or(0, |id| new.ty(id));
                if let Some(place) = map.attr.get_mut(at..at + 4) {
                    place.copy_from_slice(&byte_order.u32(id));
                }
            }
        }
        if let Command::LoadProg(load) | Command::LoadLayout(load) = command {
            FUNC_TYPE.change(&mut load.func_info, byte_order, |id| new.ty(id));
            RELO_TYPE.change(&mut load.core_relos, byte_order, |id| new.ty(id));
            for column in [FILE, LINE] {
                column.change(&mut load.line_info, byte_order, |at| new.string(at));
            }
            ACCESS.change(&mut load.core_relos, byte_order, |at| new.string(at));
            if load.replaces.is_some() {
                ATTACHED.change(&mut load.attr, byte_order, |id| new.ty(id));
            }
        }
    }
    let new = Btf {
        byte_order,
        types,
        strings: new.section,
    };
    for command in commands.iter_mut() {
        if let Command::LoadBtf { btf } = command {
            *btf = new.write(&bytes);
        }
    }
    Ok(())
}

/// Whether a prog's arrays have records of the sizes that are known here.
fn known(load: &LoadProg, byte_order: ByteOrder) -> bool {
    [
        (&load.func_info, prog_load::FUNC_INFO_REC_SIZE, FUNC_TYPE),
        (&load.line_info, prog_load::LINE_INFO_REC_SIZE, LINE),
        (&load.core_relos, prog_load::CORE_RELO_REC_SIZE, ACCESS),
    ]
    .into_iter()
    .all(|(records, size, column)| {
        records.is_empty() || byte_order.read_u32(&load.attr, size) == Some(column.size as u32)
    })
}
