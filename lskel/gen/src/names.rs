// SPDX-License-Identifier: GPL-2.0

//! Rust names for what C and ELF call something else.

use crate::skeleton::Map;
use crate::{Error, Result};
use std::collections::BTreeMap;

/// Words that cannot be a field's name, in any edition.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];
/// Words that cannot be one even as `r#…`.
const NEVER: &[&str] = &["_", "crate", "self", "Self", "super"];

/// A name of the kernel without the object's flavour of it: `f` for `f___compat`.
pub fn without_flavour(name: &str) -> &str {
    // As libbpf and the kernel have it: the last three underscores between others.
    let is_between = |at: usize| {
        let around = (name[..at].chars().last(), name[at + 3..].chars().next());
        matches!(around, (Some(before), Some(behind)) if before != '_' && behind != '_')
    };
    let at = name
        .rmatch_indices("___")
        .map(|(at, _)| at)
        .find(|at| is_between(*at));
    at.map_or(name, |at| &name[..at])
}

/// A Rust identifier that resembles `name`.
pub fn ident(name: &str) -> String {
    let mut ident: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if ident.is_empty() || ident.starts_with(|c: char| c.is_ascii_digit()) {
        ident.insert(0, '_');
    }
    if NEVER.contains(&ident.as_str()) {
        ident.push('_');
    } else if KEYWORDS.contains(&ident.as_str()) {
        ident.insert_str(0, "r#");
    }
    ident
}

/// A map's field: `rodata` for `iterator.rodata`, `data_read_mostly` for `.data.read_mostly`.
pub fn map_field(map: &Map) -> String {
    match map.name.split_once('.') {
        Some((_, section)) if map.internal => ident(section),
        _ => ident(&map.name),
    }
}

/// Types that a generated file has by name.
const TYPES: &[&str] = &[
    "Args",
    "CStr",
    "Callback",
    "Command",
    "EnumDef",
    "Frozen",
    "Globals",
    "MapDef",
    "MapId",
    "MemberDef",
    "Object",
    "ObjectDef",
    "Ops",
    "OpsDef",
    "OpsId",
    "ProgDef",
    "ProgId",
    "Section",
    "StructOps",
    "Var",
    "Zeroable",
];

/// The name of an object's type. Those of its sections are taken.
pub fn object_type(name: &str, sections: &[&str]) -> String {
    let name = type_name(name);
    match TYPES.contains(&&*name) || sections.contains(&&*name) {
        true => name + "Object",
        false => name,
    }
}

/// The name of the type of a section's globals.
pub fn section_type(name: &str) -> String {
    let name = type_name(name);
    match TYPES.contains(&&*name) {
        true => name + "Globals",
        false => name,
    }
}

/// The name of the type of what is in a struct_ops map.
pub fn ops_type(map: &str) -> String {
    let name = type_name(map);
    match TYPES.contains(&&*name) {
        true => name + "Map",
        false => name,
    }
}

/// A type's name: `BpfIter` for `bpf_iter`.
fn type_name(name: &str) -> String {
    let camel: String = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
        .collect();
    ident(&camel)
}

/// Refuses two things under one name.
pub fn check_unique<'a>(
    fields: impl Iterator<Item = (&'a String, &'a String)>,
    kind: &str,
) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (field, name) in fields {
        if let Some(other) = seen.insert(field, name) {
            return Err(Error::unsupported(
                format!("{kind}s '{other}' and '{name}' would both be called `{field}`"),
                "rename one of them",
            ));
        }
    }
    Ok(())
}
