// SPDX-License-Identifier: GPL-2.0

//! Global variables: the sections of an object's BTF as Rust types.
//!
//! Any bytes must be a value of these types, because progs write them. So there are integers, arrays and
//! structs of such; what is anything else (a union, a bit field, a float) becomes bytes. What the kernel keeps
//! in a map's value for itself (a reference, a lock, a list) is left out: any bytes will not do for that.

use crate::args::{self, Args};
use crate::libbpf::Type;
use crate::object::{Map, Prog};
use crate::skeleton::ByteOrder;
use crate::{names, Error, Result};
use libbpf_rs::btf::types::{
    Array, Composite, DataSec, Enum, Enum64, Float, Int, IntEncoding, Linkage, MemberAttr, Struct,
    Var,
};
use libbpf_rs::btf::{Btf, BtfKind, HasSize, ReferencesType, TypeId};
use serde::{Deserialize, Serialize};

/// All that an object's globals and arguments need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Globals {
    /// Types of globals and arguments, each before those that use it.
    pub structs: Vec<Layout>,
    /// The sections that have globals.
    pub sections: Vec<Section>,
    /// What progs take that are called.
    pub args: Vec<Args>,
}

/// A section of globals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The number of its map.
    pub map: usize,
    /// As in `.rodata`.
    pub name: String,
    /// What is in it.
    pub layout: Layout,
}

/// Fields at their places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// The type's name in Rust.
    pub name: String,
    /// In order; without padding.
    pub fields: Vec<Field>,
    /// In bytes.
    pub size: u32,
    /// In bytes.
    pub align: u32,
}

/// A variable, or a member of a struct.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its name in C.
    pub name: String,
    /// From the start of the section or struct, in bytes.
    pub offset: u32,
    /// What it holds.
    pub kind: Kind,
    /// In bytes.
    pub size: u32,
}

/// A type in Rust.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Kind {
    /// As in `u32`.
    Integer(String),
    /// An array.
    Array(Box<Kind>, u32),
    /// One of [`Globals::structs`].
    Struct(String),
}

/// A type that was understood.
pub(crate) struct Known {
    pub(crate) kind: Kind,
    pub(crate) size: u32,
    pub(crate) align: u32,
}

/// How deep types may be nested: more than C programmers do, and less than the stack holds.
const MAX_DEPTH: usize = 32;

impl Globals {
    /// Reads the sections that have maps, and what progs take.
    pub(crate) fn read(btf: &Btf<'_>, maps: &[Map], progs: &[Prog]) -> Result<Self> {
        let mut reader = Reader::new(btf);
        let mut sections = Vec::new();
        for (number, map) in maps.iter().enumerate().filter(|(_, map)| map.internal) {
            // As in `iterator.rodata`: libbpf puts the object's name before the section's.
            let Some(dot) = map.name.find('.') else {
                continue;
            };
            let name = &map.name[dot..];
            let Some(section) = btf.type_by_name::<DataSec<'_>>(name) else {
                continue;
            };
            let layout = reader.section(&section, map.value_size);
            if !layout.fields.is_empty() {
                sections.push(Section {
                    map: number,
                    name: name.to_owned(),
                    layout: Layout {
                        name: names::section_type(name),
                        ..layout
                    },
                });
            }
        }
        let args = args::read(&mut reader, progs)?;
        let globals = Self {
            structs: reader.structs,
            sections,
            args,
        };
        globals.check()?;
        Ok(globals)
    }

    /// Turns the integers in the value of `.kconfig` into the object's byte order. libbpf writes them in the build host's.
    pub(crate) fn swap_kconfig(&self, map: usize, byte_order: ByteOrder, value: &mut [u8]) {
        if byte_order == ByteOrder::NATIVE {
            return;
        }
        let sections = self
            .sections
            .iter()
            .filter(|section| section.map == map && section.name == ".kconfig");
        for field in sections.flat_map(|section| &section.layout.fields) {
            let end = (field.offset as usize).saturating_add(field.size as usize);
            if let (Kind::Integer(_), Some(integer)) =
                (&field.kind, value.get_mut(field.offset as usize..end))
            {
                integer.reverse();
            }
        }
    }

    /// Two variables may have one name in Rust if one is called `type` and the other `type_`.
    fn check(&self) -> Result<()> {
        let layouts = self
            .sections
            .iter()
            .map(|section| &section.layout)
            .chain(&self.structs);
        for layout in layouts {
            let mut seen = std::collections::BTreeSet::new();
            for field in &layout.fields {
                if !seen.insert(names::ident(&field.name)) {
                    return Err(Error::unsupported(
                        format!(
                            "global '{}' is there twice in `{}`",
                            field.name, layout.name
                        ),
                        "rename it",
                    ));
                }
            }
        }
        Ok(())
    }
}

pub(crate) struct Reader<'a, 'b> {
    pub(crate) btf: &'a Btf<'b>,
    pub(crate) structs: Vec<Layout>,
    /// Of each of `structs`.
    ids: Vec<TypeId>,
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(crate) fn new(btf: &'a Btf<'b>) -> Self {
        Self {
            btf,
            structs: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// The variables that are visible outside of their C file.
    fn section(&mut self, section: &DataSec<'_>, size: u32) -> Layout {
        let mut fields = Vec::new();
        for info in section.iter() {
            let Some(var) = self.btf.type_by_id::<Var<'_>>(info.ty) else {
                continue;
            };
            let Some(name) = var.name() else {
                continue;
            };
            let target = target_of(&var);
            if var.linkage() == Linkage::Static || self.is_kernels(target, 0) {
                continue;
            }
            let known = self
                .read(target, 0)
                .unwrap_or_else(|| bytes(info.size as u32));
            fields.push((name.to_string_lossy().into_owned(), info.offset, known));
        }
        layout(String::new(), fields, size).unwrap_or(Layout {
            name: String::new(),
            fields: Vec::new(),
            size,
            align: 1,
        })
    }

    /// Whether the kernel has something of its own in this, as `btf_parse_fields()` finds it: by a type's name, or
    /// the tag of what a pointer is to.
    fn is_kernels(&self, id: TypeId, depth: usize) -> bool {
        const TYPES: [&str; 11] = [
            "bpf_dynptr",
            "bpf_list_head",
            "bpf_list_node",
            "bpf_rb_node",
            "bpf_rb_root",
            "bpf_refcount",
            "bpf_res_spin_lock",
            "bpf_spin_lock",
            "bpf_task_work",
            "bpf_timer",
            "bpf_wq",
        ];
        const TAGS: [&str; 4] = ["kptr", "kptr_untrusted", "percpu_kptr", "uptr"];

        let Some(ty) = resolve(self.btf, id).filter(|_| depth <= MAX_DEPTH) else {
            return false;
        };
        match ty.kind() {
            // As `btf_type_tag_walk()`: the tag may stand behind other tags and modifiers.
            BtfKind::Ptr => modifiers(self.btf, ty).any(|to| {
                to.kind() == BtfKind::TypeTag
                    && to
                        .name()
                        .is_some_and(|tag| TAGS.iter().any(|kernels| tag == *kernels))
            }),
            BtfKind::Array => {
                Array::try_from(ty).is_ok_and(|array| self.is_kernels(array.ty(), depth + 1))
            }
            BtfKind::Struct | BtfKind::Union => {
                ty.name()
                    .is_some_and(|name| TYPES.iter().any(|kernels| name == *kernels))
                    || Composite::try_from(ty).is_ok_and(|of| {
                        of.iter()
                            .any(|member| self.is_kernels(member.ty, depth + 1))
                    })
            }
            _ => false,
        }
    }

    /// None if it cannot be expressed.
    pub(crate) fn read(&mut self, id: TypeId, depth: usize) -> Option<Known> {
        if depth > MAX_DEPTH {
            return None;
        }
        let ty = resolve(self.btf, id)?;
        match ty.kind() {
            BtfKind::Int => {
                let int = Int::try_from(ty).ok()?;
                // Characters are bytes, whatever sign C gives them.
                let char = ty.name().is_some_and(|name| name == "char");
                let signed = matches!(int.encoding, IntEncoding::Signed) && !char;
                integer(int.size() as u32, signed)
            }
            BtfKind::Enum => {
                let of = Enum::try_from(ty).ok()?;
                integer(of.size() as u32, of.is_signed())
            }
            BtfKind::Enum64 => {
                let of = Enum64::try_from(ty).ok()?;
                integer(of.size() as u32, of.is_signed())
            }
            BtfKind::Ptr => integer(8, false),
            BtfKind::Array => {
                let array = Array::try_from(ty).ok()?;
                let of = self.read(array.ty(), depth + 1)?;
                let count = u32::try_from(array.capacity()).ok()?;
                Some(Known {
                    size: of.size.checked_mul(count)?,
                    align: of.align,
                    kind: Kind::Array(Box::new(of.kind), count),
                })
            }
            BtfKind::Struct => self.composite(Struct::try_from(ty).ok()?, depth),
            BtfKind::Union => {
                let union = Composite::try_from(ty).ok()?;
                let align = union.alignment().map_or(1, |align| align.get() as u32);
                words(union.size() as u32, align)
            }
            BtfKind::Float => {
                let size = Float::try_from(ty).ok()?.size() as u32;
                words(size, size)
            }
            _ => None,
        }
    }

    fn composite(&mut self, of: Struct<'_>, depth: usize) -> Option<Known> {
        let known = |layout: &Layout| Known {
            kind: Kind::Struct(layout.name.clone()),
            size: layout.size,
            align: layout.align,
        };
        if let Some(at) = self.ids.iter().position(|id| *id == of.type_id()) {
            return Some(known(&self.structs[at]));
        }
        let size = of.size() as u32;
        let mut fields = Vec::new();
        for member in of.iter() {
            let MemberAttr::Normal { offset } = member.attr else {
                return bytes_of(size);
            };
            let Some(name) = member.name else {
                return bytes_of(size);
            };
            if offset % 8 != 0 {
                return bytes_of(size);
            }
            let Some(read) = self.read(member.ty, depth + 1) else {
                return bytes_of(size);
            };
            fields.push((name.to_string_lossy().into_owned(), offset / 8, read));
        }
        let name = of.name().map(|name| name.to_string_lossy().into_owned());
        let mut name = names::ident(&name.unwrap_or_else(|| "anonymous".into()));
        // Generated code has types of its own there.
        while ["Args", "Frozen", "Var", "Zeroable"].contains(&&*name)
            || self.structs.iter().any(|layout| layout.name == name)
        {
            name.push('_');
        }
        let Some(layout) = layout(name, fields, size) else {
            return bytes_of(size);
        };
        let result = known(&layout);
        self.structs.push(layout);
        self.ids.push(of.type_id());
        Some(result)
    }
}

/// None if the fields overlap, or are not where Rust could put them.
pub(crate) fn layout(
    name: String,
    mut fields: Vec<(String, u32, Known)>,
    size: u32,
) -> Option<Layout> {
    fields.sort_by_key(|(_, offset, _)| *offset);
    let mut end = 0;
    let mut align = 1;
    let mut placed = Vec::new();
    for (name, offset, mut known) in fields {
        if offset % known.align != 0 {
            known = bytes(known.size);
        }
        // What has no size has no use.
        if known.size == 0 {
            continue;
        }
        if offset < end || offset.checked_add(known.size)? > size {
            return None;
        }
        end = offset + known.size;
        align = align.max(known.align);
        placed.push(Field {
            name,
            offset,
            kind: known.kind,
            size: known.size,
        });
    }
    Some(Layout {
        name,
        fields: placed,
        size: size.next_multiple_of(align),
        align,
    })
}

fn integer(size: u32, signed: bool) -> Option<Known> {
    if size == 16 {
        return words(16, 8);
    }
    matches!(size, 1 | 2 | 4 | 8).then(|| Known {
        kind: Kind::Integer(format!("{}{}", if signed { 'i' } else { 'u' }, size * 8)),
        size,
        align: size,
    })
}

/// Integers as wide as the alignment.
fn words(size: u32, align: u32) -> Option<Known> {
    let align = align.clamp(1, 8);
    let word = integer(align, false)?;
    (size % align == 0).then(|| Known {
        kind: Kind::Array(Box::new(word.kind), size / align),
        size,
        align,
    })
}

fn bytes(size: u32) -> Known {
    Known {
        kind: Kind::Array(Box::new(Kind::Integer("u8".into())), size),
        size,
        align: 1,
    }
}

fn bytes_of(size: u32) -> Option<Known> {
    Some(bytes(size))
}

/// The type of a variable or a function.
pub(crate) fn target_of<'btf>(of: &impl ReferencesType<'btf>) -> TypeId {
    of.referenced_type_id()
}

/// The typedefs and modifiers that stand between a type and what it leads to.
fn modifiers<'btf>(btf: &'btf Btf<'_>, ty: Type<'btf>) -> impl Iterator<Item = Type<'btf>> {
    let next = |ty: &Type<'btf>| {
        ty.next_type()
            .and_then(|next| btf.type_by_id(next.type_id()))
    };
    std::iter::successors(next(&ty), next)
        .take(MAX_DEPTH)
        .take_while(|ty: &Type<'btf>| ty.is_mod() || ty.kind() == BtfKind::Typedef)
}

/// The type behind typedefs and modifiers.
pub(crate) fn resolve<'btf>(btf: &'btf Btf<'_>, mut id: TypeId) -> Option<Type<'btf>> {
    for _ in 0..MAX_DEPTH {
        let ty: Type<'btf> = btf.type_by_id(id)?;
        if !ty.is_mod() && ty.kind() != BtfKind::Typedef {
            return Some(ty);
        }
        id = ty.next_type()?.type_id();
    }
    None
}
