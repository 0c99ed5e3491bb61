// SPDX-License-Identifier: GPL-2.0

//! struct_ops maps: structs of callbacks and numbers, which a part of the kernel takes under its own struct's name.
//!
//! The object has the struct as its C file knows it. Where the kernel that loads it has each member, it says itself:
//! [`layout`](crate::layout) makes the prog that asks.

use crate::elf::Elf;
use crate::globals::{self, resolve, target_of, Globals, Kind, Known, Layout, Reader};
use crate::libbpf::Type;
use crate::object::{Map, Prog};
use crate::skeleton::ByteOrder;
use crate::{names, Error, Result};
use libbpf_rs::btf::types::{Array, DataSec, MemberAttr, Struct, Var};
use libbpf_rs::btf::{Btf, BtfKind, HasSize};
use serde::{Deserialize, Serialize};

/// The sections, and whether a link registers what is in them. What is behind a `?` is left out unless it is asked for.
const SECTIONS: [(&str, bool); 4] = [
    (".struct_ops", false),
    (".struct_ops.link", true),
    ("?.struct_ops", false),
    ("?.struct_ops.link", true),
];

/// Where the object has a struct_ops map.
pub(crate) struct Place {
    /// Its name.
    pub(crate) name: String,
    section: &'static str,
    link: bool,
    start: u64,
    of: u32,
    size: usize,
}

impl Place {
    /// Whether it is to be created.
    pub(crate) fn is_wanted(&self, load: &[String]) -> bool {
        !self.section.starts_with('?') || load.contains(&self.name)
    }

    /// The progs that it has as callbacks: where in it, and their names.
    fn progs<'a>(&self, elf: &'a Elf<'_>) -> impl Iterator<Item = (u32, Option<&'a str>)> {
        let (start, size) = (self.start, self.size as u64);
        let relocations = elf.relocations(self.section).into_iter();
        relocations.filter_map(move |relocation| {
            let offset = relocation.offset.checked_sub(start)?;
            (offset < size).then(|| (offset as u32, elf.symbol_name(relocation.symbol)))
        })
    }
}

/// Where the object has its struct_ops maps.
pub(crate) fn places(btf: &Btf<'_>) -> Vec<Place> {
    let mut places = Vec::new();
    for (section, link) in SECTIONS {
        let Some(vars) = btf.type_by_name::<DataSec<'_>>(section) else {
            continue;
        };
        // libbpf has found the types when it opened the object.
        places.extend(vars.iter().filter_map(|info| {
            let var = btf.type_by_id::<Var<'_>>(info.ty)?;
            let of = Struct::try_from(resolve(btf, target_of(&var))?).ok()?;
            Some(Place {
                name: var.name()?.to_string_lossy().into_owned(),
                section,
                link,
                start: info.offset.into(),
                of: of.type_id().into(),
                size: of.size(),
            })
        }));
    }
    places
}

/// A struct_ops map of an object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ops {
    /// The number of its map.
    pub map: usize,
    /// The kernel's name of the struct.
    pub kernel_type: String,
    /// Whether a link registers it; else it is registered as soon as it has its value.
    pub link: bool,
    /// The struct as the object has it, with the number of a prog, counted from 1, for each callback.
    pub value: Vec<u8>,
    /// Those members that count.
    pub members: Vec<Member>,
    /// The same as a type in Rust.
    pub layout: Layout,
}

/// A member of the struct.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// In bytes, in the object's struct.
    pub offset: u32,
    /// In bytes.
    pub size: u32,
    /// The type in the object's BTF; none for a callback.
    pub data: Option<u32>,
}

impl Ops {
    /// Where the number of the prog is that a callback has at first, if it has one.
    pub fn prog(&self, member: &Member, byte_order: ByteOrder) -> Option<usize> {
        if member.data.is_some() {
            return None;
        }
        let half = match byte_order {
            ByteOrder::Little => 0,
            ByteOrder::Big => 4,
        };
        let number = byte_order.read_u32(&self.value, member.offset + half)?;
        (number as usize).checked_sub(1)
    }

    /// Reads those of an object.
    pub(crate) fn read(
        btf: &Btf<'_>,
        elf: &Elf<'_>,
        maps: &[Map],
        progs: &[Prog],
    ) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        for place in places(btf) {
            let map = maps.iter().position(|map| map.name == place.name);
            let of = btf.type_by_id::<Struct<'_>>(place.of.into());
            // The others are left out.
            let (Some(map), Some(of)) = (map, of) else {
                continue;
            };
            let number = |prog: Option<&str>| progs.iter().position(|of| prog == Some(&*of.name));
            let reader = MapReader {
                btf,
                name: &place.name,
                callbacks: (place.progs(elf))
                    .map(|(offset, prog)| (offset, number(prog)))
                    .collect(),
                value: (elf.content(place.section).get(place.start as usize..))
                    .and_then(|value| value.get(..place.size))
                    .unwrap_or_default(),
            };
            all.push(Self {
                map,
                link: place.link,
                ..reader.read(&of, elf.byte_order())?
            });
        }
        check_progs(&all, progs, elf.byte_order())?;
        Ok(all)
    }
}

/// The progs that these maps have as callbacks, by name.
pub(crate) fn callbacks<'a>(elf: &Elf<'_>, places: impl Iterator<Item = &'a Place>) -> Vec<String> {
    places
        .flat_map(|place| place.progs(elf))
        .filter_map(|(_, prog)| prog.map(str::to_owned))
        .collect()
}

/// What one map is read from.
struct MapReader<'a, 'b> {
    btf: &'a Btf<'b>,
    name: &'a str,
    callbacks: Vec<(u32, Option<usize>)>,
    value: &'a [u8],
}

impl MapReader<'_, '_> {
    fn read(&self, of: &Struct<'_>, byte_order: ByteOrder) -> Result<Ops> {
        let mut types = Reader::new(self.btf);
        // Rust has it aligned to 8.
        let mut value = vec![0; of.size().next_multiple_of(8)];
        let (mut members, mut fields) = (Vec::new(), Vec::new());
        let own_name = of.name().unwrap_or_default().to_string_lossy().into_owned();

        // To the next member, or to the end.
        let starts: Vec<_> = of.iter().map(|member| start_of(&member.attr)).collect();
        for (number, member) in of.iter().enumerate() {
            let end = starts.get(number + 1).copied().unwrap_or(of.size() as u32);
            let name = member.name.unwrap_or_default().to_string_lossy();
            let offset = starts[number];
            let ty = resolve(self.btf, member.ty);
            let callback = self.callbacks.iter().find(|(at, _)| *at == offset);
            let data = ty.filter(|ty| {
                let whole = matches!(member.attr, MemberAttr::Normal { offset } if offset % 8 == 0);
                callback.is_none() && whole && !name.is_empty() && is_number(self.btf, ty)
            });
            let read = data.and_then(|ty| types.read(ty.type_id(), 0));
            let known = match (callback, read) {
                (Some((_, Some(prog))), _) => {
                    let bytes = byte_order.u64(*prog as u64 + 1);
                    put(&mut value, offset, &bytes);
                    Known {
                        kind: Kind::Integer("Callback".into()),
                        size: 8,
                        align: 8,
                    }
                }
                (Some((_, None)), _) => {
                    return Err(Error::unsupported(
                        format!("map '{}' has in '{name}' what is no prog", self.name),
                        "put a prog of SEC(\"struct_ops\") there",
                    ))
                }
                (None, Some(known)) if known.size > 0 => {
                    put(&mut value, offset, self.bytes(offset, known.size));
                    known
                }
                (None, _) => {
                    self.check_zero(&name, offset, end.saturating_sub(offset))?;
                    continue;
                }
            };
            members.push(Member {
                name: name.clone().into_owned(),
                offset,
                size: known.size,
                data: data.map(|ty| ty.type_id().into()),
            });
            fields.push((name.into_owned(), offset, known));
        }
        if let Some((_, prog)) = self
            .callbacks
            .iter()
            .find(|(at, _)| !members.iter().any(|member| member.offset == *at))
        {
            return Err(Error::unsupported(
                format!(
                    "map '{}' has prog {prog:?} where `{own_name}` has no member",
                    self.name
                ),
                "put it into a callback of the struct",
            ));
        }
        let size = (of.size() as u32).next_multiple_of(8);
        let layout = globals::layout(names::ops_type(self.name), fields, size);
        Ok(Ops {
            map: 0,
            link: false,
            kernel_type: names::without_flavour(&own_name).to_owned(),
            value,
            members,
            layout: layout.ok_or_else(|| {
                Error::unsupported(
                    format!("map '{}': Rust cannot lay out `{own_name}`", self.name),
                    "leave out of the struct what overlaps",
                )
            })?,
        })
    }

    fn bytes(&self, offset: u32, size: u32) -> &[u8] {
        let start = offset as usize;
        self.value
            .get(start..start.saturating_add(size as usize))
            .unwrap_or_default()
    }

    /// What has no type for it has to be 0.
    fn check_zero(&self, name: &str, offset: u32, size: u32) -> Result<()> {
        if self.bytes(offset, size).iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        Err(Error::unsupported(
            format!(
                "map '{}' has a value in '{name}', which is neither a callback nor a number or an array of such",
                self.name
            ),
            "leave it 0",
        ))
    }
}

fn put(value: &mut [u8], offset: u32, bytes: &[u8]) {
    let start = offset as usize;
    if let Some(place) = value.get_mut(start..start.saturating_add(bytes.len())) {
        place.copy_from_slice(bytes);
    }
}

/// Whether it is a number or an array of numbers.
fn is_number(btf: &Btf<'_>, ty: &Type<'_>) -> bool {
    match ty.kind() {
        BtfKind::Int | BtfKind::Enum | BtfKind::Enum64 => true,
        BtfKind::Array => Array::try_from(*ty)
            .ok()
            .and_then(|array| resolve(btf, array.ty()))
            .is_some_and(|of| is_number(btf, &of)),
        _ => false,
    }
}

/// In bytes.
fn start_of(attr: &MemberAttr) -> u32 {
    match attr {
        MemberAttr::Normal { offset } | MemberAttr::BitField { offset, .. } => offset / 8,
    }
}

/// A global that is to have the value of one of the kernel's enumerators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnumGlobal {
    /// The number of its map.
    pub map: usize,
    /// Where it is in the map's value; it has 8 bytes.
    pub offset: u32,
    /// The enum.
    pub of: String,
    /// Whether that one has values of 64 bits.
    pub is_wide: bool,
    /// The enumerator.
    pub name: String,
}

/// The enums of sched_ext, by what their enumerators start with.
const ENUMS: [(&str, &str, bool); 15] = [
    ("SCX_OPS_", "scx_public_consts", true),
    ("SCX_SLICE_", "scx_public_consts", true),
    ("SCX_DSQ_", "scx_dsq_id_flags", true),
    ("SCX_ENQ_", "scx_enq_flags", true),
    ("SCX_DEQ_", "scx_deq_flags", true),
    ("SCX_KICK_", "scx_kick_flags", false),
    ("SCX_RQ_", "scx_rq_flags", false),
    ("SCX_TASK_NONE", "scx_task_state", false),
    ("SCX_TASK_INIT", "scx_task_state", false),
    ("SCX_TASK_READY", "scx_task_state", false),
    ("SCX_TASK_ENABLED", "scx_task_state", false),
    ("SCX_TASK_NR_STATES", "scx_task_state", false),
    ("SCX_TASK_DSQ_", "scx_ent_dsq_flags", false),
    ("SCX_TASK_", "scx_ent_flags", false),
    ("SCX_TG_", "scx_tg_flags", false),
];

/// Schedulers have a global `__SCX_…` for each enumerator, which their programs set before the load.
pub(crate) fn enums(globals: &Globals) -> Vec<EnumGlobal> {
    let mut enums = Vec::new();
    for section in globals.sections.iter().filter(|of| of.name == ".rodata") {
        for field in section.layout.fields.iter().filter(|field| field.size == 8) {
            let Some(name) = field.name.strip_prefix("__") else {
                continue;
            };
            let of = ENUMS.iter().find(|(start, ..)| name.starts_with(start));
            enums.extend(of.map(|&(_, of, is_wide)| EnumGlobal {
                map: section.map,
                offset: field.offset,
                of: of.to_owned(),
                is_wide,
                name: name.to_owned(),
            }));
        }
    }
    enums
}

/// A prog is loaded as the callback of one member.
fn check_progs(all: &[Ops], progs: &[Prog], byte_order: ByteOrder) -> Result<()> {
    let mut seen: Vec<(usize, &str, &str)> = Vec::new();
    for ops in all {
        for member in &ops.members {
            let Some(prog) = ops.prog(member, byte_order) else {
                continue;
            };
            let (ty, name) = (&*ops.kernel_type, &*member.name);
            if let Some((_, other_ty, other)) = seen
                .iter()
                .find(|other| other.0 == prog && (other.1, other.2) != (ty, name))
            {
                return Err(Error::unsupported(
                    format!(
                        "prog '{}' is both '{other}' of `{other_ty}` and '{name}' of `{ty}`",
                        progs[prog].name
                    ),
                    "make two of it",
                ));
            }
            seen.push((prog, ty, name));
        }
    }
    Ok(())
}
