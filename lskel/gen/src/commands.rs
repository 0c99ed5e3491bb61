// SPDX-License-Identifier: GPL-2.0

//! What has to be done to load an object, in order: our own list, made of libbpf's recording.
//!
//! Where the recording is wrong the list is right: a symbol is weak if the object says so, a target in a module is
//! looked up by the name of its function, prog arrays are filled, and `.kconfig` is in the object's byte order.

use crate::btf;
use crate::insn::{self, INSN_SIZE};
use crate::names;
use crate::object::{Object, Recording};
use crate::ops::Ops;
use crate::recording::{self, Action};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// One thing to do. All bytes are in the object's byte order.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Loads the object's BTF.
    LoadBtf {
        /// The BTF.
        btf: Vec<u8>,
    },
    /// Creates a map.
    CreateMap {
        /// Its number.
        map: usize,
        /// How.
        new: NewMap,
        /// A map like those that go into it, if it is a map of maps.
        inner: Option<NewMap>,
    },
    /// Says what is in a map before anything else is done with it.
    Value {
        /// Its number.
        map: usize,
        /// The value of its one element.
        value: Vec<u8>,
    },
    /// Puts a map into a map of maps.
    UpdateMap {
        /// The map of maps.
        map: usize,
        /// Its key.
        index: u32,
        /// What goes into it.
        inner: usize,
    },
    /// Freezes a map.
    FreezeMap {
        /// Its number.
        map: usize,
    },
    /// Loads the prog that asks for the layout of the kernel's structs.
    LoadLayout(Box<LoadProg>),
    /// Loads a prog.
    LoadProg(Box<LoadProg>),
    /// Puts a prog into a prog array.
    PutProg {
        /// The prog array.
        map: usize,
        /// Its key.
        index: u32,
        /// What goes into it.
        prog: usize,
    },
}

/// How a map is created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMap {
    /// The `bpf_attr`, without fds.
    pub attr: Vec<u8>,
    /// Whether it takes the fd of the BTF.
    pub btf: bool,
    /// The kernel's type of its value, if that is one of the kernel's.
    pub value_type: Option<Symbol>,
    /// And the struct that is in it, if that is one of callbacks.
    pub struct_type: Option<Symbol>,
}

/// How a prog is loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadProg {
    /// Its number.
    pub prog: usize,
    /// The `bpf_attr`, without fds, addresses and what is looked up.
    pub attr: Vec<u8>,
    /// With its NUL.
    pub license: Vec<u8>,
    /// Its instructions.
    pub insns: Vec<u8>,
    /// Which types its functions have.
    pub func_info: Vec<u8>,
    /// Which lines its instructions come from.
    pub line_info: Vec<u8>,
    /// Its CO-RE relocations.
    pub core_relos: Vec<u8>,
    /// Whether it takes the fd of the BTF.
    pub btf: bool,
    /// What it is attached to.
    pub target: Option<Symbol>,
    /// The prog of which it replaces a function, whose type's id the attr has.
    pub replaces: Option<usize>,
    /// What else it needs of the kernel.
    pub uses: Vec<Use>,
}

/// Something that is looked up in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// A `BTF_KIND_*`; none if it is an address that is wanted.
    pub kind: Option<u32>,
    /// Whether it may be missing.
    pub weak: bool,
}

/// An instruction that uses a symbol.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// Offset of the instruction, in bytes.
    pub insn: u32,
    /// What it uses.
    pub symbol: Symbol,
    /// In what way.
    pub how: How,
}

/// How an instruction uses a symbol.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum How {
    /// It calls a function, by its id.
    Call,
    /// It loads the address of a variable, by its id.
    Variable,
    /// It loads an address.
    Address,
    /// It loads the id of a type.
    TypeId,
}

/// `BPF_PROG_TYPE_EXT`
const PROG_EXT: u32 = 28;

/// In `map_flags`: a link registers what is in the map.
const F_LINK: u32 = 1 << 13;

/// Commands of bpf(2).
pub mod cmd {
    #![allow(missing_docs, reason = "names stay with C")]
    pub const MAP_CREATE: u32 = 0;
    pub const MAP_UPDATE_ELEM: u32 = 2;
    pub const PROG_LOAD: u32 = 5;
    pub const BTF_LOAD: u32 = 18;
    pub const MAP_FREEZE: u32 = 22;
}

/// Offsets in `union bpf_attr`, by command.
pub mod attr {
    #![allow(missing_docs, reason = "names stay with C")]
    pub mod btf_load {
        pub const BTF: u32 = 0;
        pub const BTF_SIZE: u32 = 16;
        pub const SIZE: u32 = 28;
    }
    pub mod map_create {
        pub const MAP_TYPE: u32 = 0;
        pub const KEY_SIZE: u32 = 4;
        pub const VALUE_SIZE: u32 = 8;
        pub const MAX_ENTRIES: u32 = 12;
        pub const MAP_FLAGS: u32 = 16;
        pub const INNER_MAP_FD: u32 = 20;
        pub const BTF_FD: u32 = 48;
        pub const BTF_KEY_TYPE_ID: u32 = 52;
        pub const BTF_VALUE_TYPE_ID: u32 = 56;
        pub const BTF_VMLINUX_VALUE_TYPE_ID: u32 = 60;
        pub const VALUE_TYPE_BTF_OBJ_FD: u32 = 72;
    }
    pub mod map_update {
        pub const MAP_FD: u32 = 0;
        pub const KEY: u32 = 8;
        pub const VALUE: u32 = 16;
        pub const SIZE: u32 = 24;
    }
    pub mod prog_load {
        pub const PROG_TYPE: u32 = 0;
        pub const INSN_CNT: u32 = 4;
        pub const INSNS: u32 = 8;
        pub const LICENSE: u32 = 16;
        pub const LOG_BUF: u32 = 32;
        pub const PROG_FLAGS: u32 = 44;
        pub const PROG_NAME: u32 = 48;
        pub const PROG_BTF_FD: u32 = 72;
        pub const FUNC_INFO_REC_SIZE: u32 = 76;
        pub const FUNC_INFO: u32 = 80;
        pub const FUNC_INFO_CNT: u32 = 88;
        pub const LINE_INFO_REC_SIZE: u32 = 92;
        pub const LINE_INFO: u32 = 96;
        pub const LINE_INFO_CNT: u32 = 104;
        pub const ATTACH_BTF_ID: u32 = 108;
        pub const ATTACH_BTF_OBJ_FD: u32 = 112;
        pub const CORE_RELO_CNT: u32 = 116;
        pub const FD_ARRAY: u32 = 120;
        pub const CORE_RELOS: u32 = 128;
        pub const CORE_RELO_REC_SIZE: u32 = 136;
    }
}
use attr::*;

/// The commands that load an object.
pub fn read(object: &Object) -> Result<Vec<Command>> {
    let mut commands = Vec::new();
    for (number, recording) in object.recordings.iter().enumerate() {
        let mut reader = Reader::new(object, recording);
        let insns = insn::read(&recording.insns, object.byte_order);
        let actions = match recording::read(&insns) {
            Ok(actions) => actions,
            Err(unknown) => {
                // As far as it goes, to say what it is about.
                unknown
                    .before
                    .iter()
                    .try_for_each(|action| reader.action(*action))?;
                return Err(reader.unknown(&unknown.what));
            }
        };
        for action in actions {
            reader.action(action)?;
        }
        // Each recording creates the maps; once is enough.
        let of_progs = |command: &Command| matches!(command, Command::LoadProg(_));
        commands.extend(
            reader
                .commands
                .into_iter()
                .filter(|c| number == 0 || of_progs(c)),
        );
    }
    let loaded = commands
        .iter()
        .filter(|c| matches!(c, Command::LoadProg(_)))
        .count();
    let created = commands
        .iter()
        .filter(|c| matches!(c, Command::CreateMap { .. }))
        .count();
    if (loaded, created) != (object.progs.len(), object.maps.len()) {
        return Err(Error::Input(format!(
            "libbpf's loader prog loads {loaded} of {} progs and creates {created} of {} maps",
            object.progs.len(),
            object.maps.len()
        )));
    }
    restore_ops(object, &mut commands);
    restore_freplace(object, &mut commands)?;
    commands.extend(object.slots.iter().map(|slot| Command::PutProg {
        map: slot.map,
        index: slot.index,
        prog: slot.prog,
    }));
    Ok(commands)
}

/// Writes a field of an attr.
fn set(object: &Object, attr: &mut Vec<u8>, field: u32, number: u32) {
    let end = field as usize + 4;
    if attr.len() < end {
        attr.resize(end, 0);
    }
    attr[field as usize..end].copy_from_slice(&object.byte_order.u32(number));
}

/// Makes struct_ops of what libbpf was shown in their place.
fn restore_ops(object: &Object, commands: &mut [Command]) {
    let set = |attr: &mut Vec<u8>, field, number| set(object, attr, field, number);
    let is_struct = |name: String| Symbol {
        name,
        kind: Some(btf::kind::STRUCT),
        weak: false,
    };
    for command in commands {
        match command {
            Command::CreateMap { map, new, .. } => {
                let Some(ops) = object.ops.iter().find(|ops| ops.map == *map) else {
                    continue;
                };
                let flags = if ops.link { F_LINK } else { 0 };
                for (field, number) in [
                    (map_create::MAP_TYPE, object.maps[*map].map_type),
                    (map_create::KEY_SIZE, object.maps[*map].key_size),
                    // The runtime knows it.
                    (map_create::VALUE_SIZE, 0),
                    (map_create::MAX_ENTRIES, object.maps[*map].max_entries),
                    (map_create::MAP_FLAGS, flags),
                    (map_create::VALUE_TYPE_BTF_OBJ_FD, 0),
                ] {
                    set(&mut new.attr, field, number);
                }
                new.btf = true;
                new.struct_type = Some(is_struct(ops.kernel_type.clone()));
                new.value_type = Some(is_struct(format!("bpf_struct_ops_{}", ops.kernel_type)));
            }
            Command::LoadProg(load) => {
                let calls = |ops: &&Ops| {
                    let mut progs = ops.members.iter().map(|m| ops.prog(m, object.byte_order));
                    progs.any(|prog| prog == Some(load.prog))
                };
                if let Some(ops) = object.ops.iter().find(calls) {
                    let prog_type = object.progs[load.prog].prog_type;
                    set(&mut load.attr, prog_load::PROG_TYPE, prog_type);
                    load.target = Some(is_struct(ops.kernel_type.clone()));
                }
            }
            _ => {}
        }
    }
}

/// The same for progs that replace a function of another prog. They are loaded after all others.
fn restore_freplace(object: &Object, commands: &mut Vec<Command>) -> Result<()> {
    let is_ext = |command: &Command| match command {
        Command::LoadProg(load) => object.progs[load.prog].prog_type == PROG_EXT,
        _ => false,
    };
    let (others, mut own): (Vec<_>, Vec<_>) = std::mem::take(commands)
        .into_iter()
        .partition(|c| !is_ext(c));
    for command in &mut own {
        let Command::LoadProg(load) = command else {
            continue;
        };
        let (target, function) = target_of(object, load.prog, &others)?;
        set(object, &mut load.attr, prog_load::PROG_TYPE, PROG_EXT);
        set(object, &mut load.attr, prog_load::ATTACH_BTF_ID, function);
        load.replaces = Some(target);
    }
    *commands = others;
    commands.append(&mut own);
    Ok(())
}

/// The prog that has the function which this one's section names, and the id of the function's type.
fn target_of(object: &Object, prog: usize, others: &[Command]) -> Result<(usize, u32)> {
    let own = &object.progs[prog];
    let said = format!("prog '{}' (SEC(\"{}\"))", own.name, own.section);
    let Some((_, name)) = own
        .section
        .split_once('/')
        .filter(|(_, name)| !name.is_empty())
    else {
        return Err(Error::unsupported(
            format!("{said} does not say which function it replaces"),
            "name it: SEC(\"freplace/FUNCTION\")",
        ));
    };
    let found = btf::progs_with(others, name, object.byte_order)?;
    // It may be in several, and be one of them as well.
    let of_its_own = found
        .iter()
        .find(|(prog, _)| object.progs[*prog].name == name);
    match (of_its_own, &found[..]) {
        (Some(found), _) | (None, [found]) => Ok(*found),
        (None, []) => Err(Error::unsupported(
            format!("{said} replaces '{name}', which no prog of the object has"),
            "put one with such a global function beside it, and attach_to() the other one",
        )),
        (None, _) => Err(Error::unsupported(
            format!("{said} replaces '{name}', which more than one prog has"),
            "let one of them call it",
        )),
    }
}

/// What was looked up last.
struct Found {
    name: String,
    kind: u32,
    checked: bool,
}

/// What the last bpf command gave an fd for.
#[derive(Clone, Copy, PartialEq)]
enum Gave {
    Btf,
    Map,
    Prog,
}

struct Reader<'a> {
    object: &'a Object,
    data: &'a [u8],
    commands: Vec<Command>,
    /// The map, and prog, that comes next.
    map: usize,
    prog: usize,
    /// What was written where: addresses, what was copied in the data, what came from the stack.
    pointers: BTreeMap<u32, u32>,
    copies: BTreeMap<u32, u32>,
    from_stack: BTreeMap<u32, i32>,
    gave: Option<Gave>,
    /// Where the stack has the fd of the BTF, and of an inner map.
    btf_slot: Option<i32>,
    inner_slot: Option<i32>,
    /// The map that was created last.
    new: Option<NewMap>,
    inner: Option<NewMap>,
    /// The initial value that comes next.
    value: Option<(u32, u32)>,
    found: Option<Found>,
    target: Option<Symbol>,
    /// The instruction that is being dealt with, and what others use; offsets in the data.
    insn: Option<u32>,
    uses: Vec<Use>,
}

impl<'a> Reader<'a> {
    fn new(object: &'a Object, recording: &'a Recording) -> Self {
        Self {
            object,
            data: &recording.data,
            commands: Vec::new(),
            map: 0,
            prog: recording.first_prog,
            pointers: BTreeMap::new(),
            copies: BTreeMap::new(),
            from_stack: BTreeMap::new(),
            gave: None,
            btf_slot: None,
            inner_slot: None,
            new: None,
            inner: None,
            value: None,
            found: None,
            target: None,
            insn: None,
            uses: Vec::new(),
        }
    }

    /// The map or prog that the recording is at, and what is unknown there.
    fn unknown(&self, what: &str) -> Error {
        let map = self
            .object
            .maps
            .get(self.map)
            .map(|map| format!("map '{}'", map.name));
        let prog = self
            .object
            .progs
            .get(self.prog)
            .map(|prog| format!("prog '{}'", prog.name));
        Error::unsupported(
            format!(
                "{}: libbpf's loader prog does what lskel-gen does not know: {what}",
                map.or(prog).as_deref().unwrap_or("the end")
            ),
            "use the libbpf-sys of Cargo.lock",
        )
    }

    fn number(&self, at: u32) -> Result<u32> {
        let number = self.object.byte_order.read_u32(self.data, at);
        number.ok_or_else(|| self.unknown(&format!("a number at {at:#x}")))
    }

    fn bytes(&self, at: u32, size: u32) -> Result<Vec<u8>> {
        let start = at as usize;
        let bytes = start
            .checked_add(size as usize)
            .and_then(|end| self.data.get(start..end));
        Ok(bytes
            .ok_or_else(|| self.unknown(&format!("{size} bytes at {at:#x}")))?
            .to_vec())
    }

    /// A string with its NUL, which is counted.
    fn name(&self, at: u32, size: u32) -> Result<String> {
        let bytes = self.bytes(at, size)?;
        let name = bytes
            .strip_suffix(&[0])
            .filter(|name| !name.is_empty() && !name.contains(&0));
        let name = name.ok_or_else(|| self.unknown(&format!("a name at {at:#x}")))?;
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    /// What the address at this place leads to.
    fn pointer(&self, at: u32) -> Result<u32> {
        let to = self.pointers.get(&at).copied();
        to.ok_or_else(|| self.unknown(&format!("no address at {at:#x}")))
    }

    /// The map whose fd stands at this offset.
    fn map_at(&self, at: u32) -> Result<usize> {
        let map = self.wanted_map_at(at);
        map.ok_or_else(|| self.unknown(&format!("an fd at {at:#x}")))
    }

    /// The same if it is not left out.
    fn wanted_map_at(&self, at: u32) -> Option<usize> {
        let place = at as usize / size_of::<u32>();
        self.object.maps.iter().position(|map| map.place == place)
    }

    fn take_found(&mut self, what: &str) -> Result<Symbol> {
        let found = self.found.take().ok_or_else(|| self.unknown(what))?;
        Ok(Symbol {
            name: found.name,
            kind: Some(found.kind),
            weak: !found.checked,
        })
    }

    fn action(&mut self, action: Action) -> Result<()> {
        match action {
            // The loader prog closes what it has opened, and so do we; what is in the context the runtime writes.
            Action::Start { .. }
            | Action::Close
            | Action::Give
            | Action::FromCtx { .. }
            | Action::End => {}
            // Those of an instruction that uses the same as another: the one before told it.
            Action::CopyOff { .. } | Action::MayBeMissing => {}
            Action::Pointer { to, at } => {
                self.pointers.insert(at, to);
            }
            Action::FromStack { slot, at } => {
                self.from_stack.insert(at, slot);
            }
            Action::Copy { from, at } => self.copy(from, at)?,
            Action::Bpf { cmd, attr, size } => self.bpf(cmd, attr, size)?,
            Action::Check => {
                if let Some(found) = &mut self.found {
                    found.checked = true;
                }
            }
            Action::ToStack { slot } => match self.gave.take() {
                Some(Gave::Btf) => self.btf_slot = Some(slot),
                Some(Gave::Map) => (self.inner, self.inner_slot) = (self.new.take(), Some(slot)),
                Some(Gave::Prog) => self.prog += 1,
                None => return Err(self.unknown("an fd of nothing")),
            },
            Action::ToData { at } => {
                let (Some(Gave::Map), Some(new)) = (self.gave.take(), self.new.take()) else {
                    return Err(self.unknown("an fd of nothing"));
                };
                let inner = self.inner.take();
                let Some(map) = self.wanted_map_at(at) else {
                    return Ok(());
                };
                if map != self.map {
                    return Err(self.unknown("maps in another order"));
                }
                self.commands.push(Command::CreateMap { map, new, inner });
                self.map += 1;
            }
            Action::FindBtf { name, size, kind } => {
                let name = self.name(name, size)?;
                self.found = Some(Found {
                    name,
                    kind,
                    checked: false,
                });
            }
            Action::Target { .. } => {
                let found = self.take_found("a target that was not looked up")?;
                self.target = Some(Symbol {
                    name: without_module(&found.name),
                    ..found
                });
            }
            Action::Insn { insn } => self.insn = Some(insn),
            Action::Call => self.use_found(How::Call)?,
            Action::Variable => self.use_found(How::Variable)?,
            Action::FindKsym { name, size } => {
                let name = self.name(name, size)?;
                let weak = self.object.weak.contains(&name);
                let symbol = Symbol {
                    name,
                    kind: None,
                    weak,
                };
                self.use_symbol(symbol, How::Address)?;
            }
            Action::Value { value, size } => self.value = Some((value, size)),
        }
        Ok(())
    }

    fn use_found(&mut self, how: How) -> Result<()> {
        let mut symbol = self.take_found("a symbol that was not looked up")?;
        // libbpf's gen_loader forgets that functions have flavours, too.
        if symbol.kind == Some(btf::kind::FUNC) {
            symbol.name = names::without_flavour(&symbol.name).to_owned();
        }
        self.use_symbol(symbol, how)
    }

    fn use_symbol(&mut self, symbol: Symbol, how: How) -> Result<()> {
        let insn = self
            .insn
            .ok_or_else(|| self.unknown("a symbol that nothing uses"))?;
        self.uses.push(Use { insn, symbol, how });
        Ok(())
    }

    /// Either an fd of a map, or what an instruction uses that uses the same as one before.
    fn copy(&mut self, from: u32, at: u32) -> Result<()> {
        let Some(insn) = self.insn else {
            self.copies.insert(at, from);
            return Ok(());
        };
        if self.uses.iter().any(|with| with.insn == insn) {
            return Ok(());
        }
        let first = at
            .checked_sub(insn)
            .and_then(|field| from.checked_sub(field));
        let same = self.uses.iter().find(|with| Some(with.insn) == first);
        let same = same.ok_or_else(|| self.unknown("a symbol that was not looked up"))?;
        self.uses.push(Use {
            insn,
            ..same.clone()
        });
        Ok(())
    }

    fn bpf(&mut self, cmd: u32, attr: u32, size: u32) -> Result<()> {
        self.insn = None;
        // All of it is there; so are its fields.
        self.bytes(attr, size)?;
        match cmd {
            cmd::BTF_LOAD => {
                let size = self.number(attr + btf_load::BTF_SIZE)?;
                let btf = self.bytes(self.pointer(attr + btf_load::BTF)?, size)?;
                self.commands.push(Command::LoadBtf { btf });
                self.gave = Some(Gave::Btf);
            }
            cmd::MAP_CREATE => {
                let new = NewMap {
                    attr: self.bytes(attr, size)?,
                    btf: self.takes(attr + map_create::BTF_FD, self.btf_slot)?,
                    value_type: None,
                    struct_type: None,
                };
                if self.takes(attr + map_create::INNER_MAP_FD, self.inner_slot)?
                    != self.inner.is_some()
                {
                    return Err(self.unknown("an inner map that is not used"));
                }
                self.new = Some(new);
                self.gave = Some(Gave::Map);
            }
            cmd::MAP_UPDATE_ELEM => {
                let map = self.copies.get(&(attr + map_update::MAP_FD)).copied();
                let map = map.ok_or_else(|| self.unknown("an update of no map"))?;
                let map = self.map_at(map)?;
                let value = self.pointer(attr + map_update::VALUE)?;
                let command = match self.value.take() {
                    Some((at, size)) if at == value => {
                        let mut value = self.bytes(value, size)?;
                        self.object
                            .globals
                            .swap_kconfig(map, self.object.byte_order, &mut value);
                        Command::Value { map, value }
                    }
                    Some(_) => return Err(self.unknown("another value")),
                    None => Command::UpdateMap {
                        map,
                        index: self.number(self.pointer(attr + map_update::KEY)?)?,
                        inner: self.map_at(value)?,
                    },
                };
                self.commands.push(command);
            }
            cmd::MAP_FREEZE => {
                let map = self.copies.get(&attr).copied();
                let map = map.ok_or_else(|| self.unknown("a freeze of no map"))?;
                let map = self.map_at(map)?;
                self.commands.push(Command::FreezeMap { map });
            }
            cmd::PROG_LOAD if self.prog < self.object.progs.len() => {
                let load = self.prog_load(attr, size)?;
                self.commands.push(Command::LoadProg(Box::new(load)));
                self.gave = Some(Gave::Prog);
            }
            _ => return Err(self.unknown(&format!("bpf({cmd})"))),
        }
        Ok(())
    }

    /// Whether the fd of this slot goes there.
    fn takes(&self, at: u32, slot: Option<i32>) -> Result<bool> {
        match self.from_stack.get(&at) {
            None => Ok(false),
            from if from == slot.as_ref() => Ok(true),
            Some(_) => Err(self.unknown(&format!("an fd of nothing at {at:#x}"))),
        }
    }

    fn prog_load(&mut self, attr: u32, size: u32) -> Result<LoadProg> {
        let array = |pointer: u32, count: u32, size: u32| match count.checked_mul(size) {
            Some(0) => Ok(Vec::new()),
            Some(size) => self.bytes(self.pointer(attr + pointer)?, size),
            None => Err(self.unknown("too large an array")),
        };
        let records = |pointer: u32, count: u32, size: u32| {
            array(
                pointer,
                self.number(attr + count)?,
                self.number(attr + size)?,
            )
        };
        let insns_at = self.pointer(attr + prog_load::INSNS)?;
        let insns = array(
            prog_load::INSNS,
            self.number(attr + prog_load::INSN_CNT)?,
            INSN_SIZE as u32,
        )?;
        let license_at = self.pointer(attr + prog_load::LICENSE)?;
        let license = self.data.get(license_at as usize..).unwrap_or_default();
        let license = license
            .split_inclusive(|&byte| byte == 0)
            .next()
            .unwrap_or_default()
            .to_vec();
        let (func_info, line_info, core_relos) = (
            records(
                prog_load::FUNC_INFO,
                prog_load::FUNC_INFO_CNT,
                prog_load::FUNC_INFO_REC_SIZE,
            )?,
            records(
                prog_load::LINE_INFO,
                prog_load::LINE_INFO_CNT,
                prog_load::LINE_INFO_REC_SIZE,
            )?,
            records(
                prog_load::CORE_RELOS,
                prog_load::CORE_RELO_CNT,
                prog_load::CORE_RELO_REC_SIZE,
            )?,
        );
        let btf = self.takes(attr + prog_load::PROG_BTF_FD, self.btf_slot)?;
        let attr = self.bytes(attr, size)?;
        let mut uses = std::mem::take(&mut self.uses);
        for with in &mut uses {
            let insn = with
                .insn
                .checked_sub(insns_at)
                .filter(|insn| (*insn as usize) < insns.len());
            with.insn = insn.ok_or_else(|| self.unknown("a symbol in another prog"))?;
        }
        Ok(LoadProg {
            prog: self.prog,
            attr,
            license,
            insns,
            func_info,
            line_info,
            core_relos,
            btf,
            target: self.target.take(),
            replaces: None,
            uses,
        })
    }
}

/// Leaves out which lines instructions come from: the kernel does without.
pub fn drop_line_info(commands: &mut [Command]) {
    for command in commands {
        if let Command::LoadProg(load) = command {
            load.line_info.clear();
            for field in [prog_load::LINE_INFO_REC_SIZE, prog_load::LINE_INFO_CNT] {
                load.attr[field as usize..][..4].fill(0);
            }
        }
    }
}

/// What libbpf puts before a target's name, by kind of prog.
const PREFIXES: [&str; 3] = ["btf_trace_", "bpf_lsm_", "bpf_iter_"];

/// The target's name without that of its module, as in `SEC("fentry/nf_nat:nf_nat_setup_info")`.
///
/// libbpf looks into that module only; the kernel, when it is asked for a name, looks into vmlinux and then into each
/// module, and knows no such names.
fn without_module(name: &str) -> String {
    let Some((before, function)) = name.split_once(':') else {
        return name.to_owned();
    };
    let prefix = PREFIXES.iter().find(|prefix| before.starts_with(*prefix));
    format!("{}{function}", prefix.unwrap_or(&""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::globals::Globals;
    use crate::skeleton::ByteOrder;

    /// A name of a module would never be found.
    #[test]
    fn a_target_in_a_module_is_looked_up_by_its_function() {
        assert_eq!(
            without_module("btf_trace_some_mod:event"),
            "btf_trace_event"
        );
        assert_eq!(
            without_module("nf_nat:nf_nat_setup_info"),
            "nf_nat_setup_info"
        );
        assert_eq!(without_module("do_unlinkat"), "do_unlinkat");
    }

    fn object(insns: &[[u8; 8]]) -> Object {
        let prog = |name: &str| crate::object::Prog {
            name: name.into(),
            section: "socket".into(),
            prog_type: 1,
            expected_attach_type: 0,
        };
        Object {
            byte_order: ByteOrder::Little,
            maps: Vec::new(),
            progs: vec![prog("first"), prog("second")],
            ops: Vec::new(),
            enums: Vec::new(),
            slots: Vec::new(),
            weak: Vec::new(),
            globals: Globals::default(),
            recordings: vec![Recording {
                first_prog: 1,
                data: vec![0; 64],
                insns: insns.concat(),
            }],
        }
    }

    /// Nothing is guessed, and the message says where to look.
    #[test]
    fn what_the_reader_does_not_know_is_refused_with_the_prog_that_it_is_about() {
        // r5 = 1
        let unknown = read(&object(&[[0xb7, 5, 0, 0, 1, 0, 0, 0]])).unwrap_err();
        let message = unknown.to_string();
        assert!(
            message.contains("prog 'second'") && message.contains("slot 0: r5 = 1"),
            "{message}"
        );
        // bpf(99): of a form that is known, with a command that is not.
        let bpf = [
            [0xb7, 1, 0, 0, 99, 0, 0, 0],
            [0x18, 0x62, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 8, 0, 0, 0],
            [0xb7, 3, 0, 0, 8, 0, 0, 0],
            [0x85, 0, 0, 0, 166, 0, 0, 0],
            [0xbf, 7, 0, 0, 0, 0, 0, 0],
        ];
        let message = read(&object(&bpf)).unwrap_err().to_string();
        assert!(
            message.contains("prog 'second'") && message.contains("bpf(99)"),
            "{message}"
        );
        // An attr that is not all there.
        let mut outside = bpf;
        outside[2] = [0, 0, 0, 0, 60, 0, 0, 0];
        let message = read(&object(&outside)).unwrap_err().to_string();
        assert!(message.contains("8 bytes at 0x3c"), "{message}");
    }

    #[test]
    fn a_recording_that_lacks_a_prog_is_refused() {
        let message = read(&object(&[])).unwrap_err().to_string();
        assert!(message.contains("loads 0 of 2 progs"), "{message}");
    }
}
