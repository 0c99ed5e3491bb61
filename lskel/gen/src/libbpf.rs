// SPDX-License-Identifier: GPL-2.0

//! The one place that calls libbpf: object file in, what it knows and records out.
//!
//! libbpf trusts objects more than they deserve, so this runs in a process of its own; see
//! [`worker`](crate::worker).

use crate::elf::{Elf, Relocation};
use crate::globals::{self, Globals};
use crate::object::{Map, Object, Prog, Recording, Slot};
use crate::ops::{self, Ops, Place};
use crate::worker::Request;
use crate::{host, Error, Result};
use libbpf_rs::btf::types::{DataSec, Var};
use libbpf_rs::btf::{Btf, BtfType};
use libbpf_rs::{AsRawLibbpf, MapType, ObjectBuilder, OpenObject, PrintLevel, ProgramType};
use std::ffi::{c_char, CStr, CString};
use std::fs;
use std::ops::Range;
use std::sync::Mutex;

/// Map and prog types that are treated in a way of their own.
mod kind {
    pub const MAP_PROG_ARRAY: u32 = 3;
    pub const MAPS_OF_MAPS: [u32; 2] = [12, 13];
    pub const PROG_STRUCT_OPS: u32 = 27;
    pub const MAP_STRUCT_OPS: u32 = 26;
}

/// What libbpf said.
static LOG: Mutex<String> = Mutex::new(String::new());

fn record(_: PrintLevel, message: String) {
    if let Ok(mut log) = LOG.lock() {
        log.push_str(&message);
    }
}

/// The version of the libbpf that is linked in.
pub fn version() -> String {
    // SAFETY: without preconditions; the string is static.
    let version = unsafe { CStr::from_ptr(libbpf_sys::libbpf_version_string()) };
    version.to_string_lossy().trim_start_matches('v').to_owned()
}

/// Has libbpf load an object in name only.
pub fn run(request: &Request) -> Result<Object> {
    libbpf_rs::set_print(Some((PrintLevel::Warn, record)));

    let bytes = fs::read(&request.path).map_err(Error::io("read", &request.path))?;
    let elf = Elf::parse(&bytes)?;
    elf.check()?;
    if !elf.has_license() && !request.no_license {
        return Err(Error::unsupported(
            "the object has no license (section 'license')",
            "add: char LICENSE[] SEC(\"license\") = \"GPL\"; or give --no-license",
        ));
    }
    let externs = elf.externs();
    let names: Vec<_> = externs.iter().map(|e| e.name.clone()).collect();
    let kconfig = kconfig(request, &names)?;
    host::set(&names, &kconfig.release);

    let mut bytes = bytes.clone();
    let object = open(&request.name, &kconfig.text, &bytes)?;
    let (slots, others) = prog_array_slots(&object, &elf)?;
    if !slots.is_empty() {
        bytes = elf.keep_map_relocations(&others);
    }
    let (wanted, others): (Vec<_>, Vec<_>) = ops::places(&btf(&object)?)
        .into_iter()
        .partition(|place| place.is_wanted(&request.load));
    let selected = Selected {
        callbacks: ops::callbacks(&elf, wanted.iter()),
        left_out: ops::callbacks(&elf, others.iter()),
        maps: wanted,
    };
    // Each load takes an object of its own.
    let reopen = || {
        let mut object = open(&request.name, &kconfig.text, &bytes)?;
        selected.select(&mut object, request)?;
        Ok(object)
    };
    let object = reopen()?;
    check_maps(&object)?;
    check_progs(&object, &selected.callbacks)?;
    let slots = resolve_slots(&object, slots)?;
    let maps = maps(&object);
    // The number of a map is in the instructions that use it. libbpf has struct_ops behind all others.
    let is_in_place =
        |(number, map): (usize, &Map)| number == map.place || map.map_type == kind::MAP_STRUCT_OPS;
    if !maps.iter().enumerate().all(is_in_place) {
        return Err(Error::unsupported(
            "libbpf has struct_ops maps before others",
            "use the libbpf-sys of Cargo.lock",
        ));
    }
    let progs = progs(&object);
    let globals = Globals::read(&btf(&object)?, &maps, &progs)?;
    let ops = Ops::read(&btf(&object)?, &elf, &maps, &progs)?;
    let mut recordings = Vec::new();
    let hidden = || {
        let mut object = reopen()?;
        hide_ops(&mut object)?;
        Ok(object)
    };
    record_progs(&hidden, 0..progs.len(), &mut recordings)?;
    Ok(Object {
        byte_order: request.byte_order,
        maps,
        progs,
        enums: match ops[..] {
            [] => Vec::new(),
            _ => ops::enums(&globals),
        },
        ops,
        slots,
        weak: externs
            .into_iter()
            .filter(|e| e.weak)
            .map(|e| e.name)
            .collect(),
        recordings,
        globals,
    })
}

/// Records the load of these progs, in halves if it is too much for one.
fn record_progs(
    reopen: &impl Fn() -> Result<OpenObject>,
    progs: Range<usize>,
    recordings: &mut Vec<Recording>,
) -> Result<()> {
    let mut object = reopen()?;
    let loaded = object.progs_mut().filter(|prog| prog.autoload());
    for (number, mut prog) in loaded.enumerate() {
        prog.set_autoload(progs.contains(&number));
    }
    if let Some((data, insns)) = gen_loader(&object)? {
        recordings.push(Recording {
            first_prog: progs.start,
            data,
            insns,
        });
        return Ok(());
    }
    if progs.len() < 2 {
        return Err(Error::unsupported(
            "libbpf's loader prog would be longer than a jump can reach",
            "split the object",
        ));
    }
    let middle = progs.start + progs.len() / 2;
    record_progs(reopen, progs.start..middle, recordings)?;
    record_progs(reopen, middle..progs.end, recordings)
}

fn open(name: &str, kconfig: &CStr, bytes: &[u8]) -> Result<OpenObject> {
    let mut builder = ObjectBuilder::default();
    let opened = builder.name(name).and_then(|builder| {
        // SAFETY: the options belong to the builder, which nothing else refers to now.
        let options = unsafe { builder.as_libbpf_object().as_mut() };
        // The strings outlive the opening, which copies them. An empty path: ask the host for no token.
        options.kconfig = kconfig.as_ptr();
        options.bpf_token_path = c"".as_ptr();
        builder.open_memory(bytes)
    });
    opened.map_err(|e| error("open the object", &e.to_string()))
}

/// The kernel's configuration as libbpf is to see it.
struct Kconfig {
    text: CString,
    release: String,
}

/// Takes the configuration of the request; without one, refuses objects that need it.
fn kconfig(request: &Request, externs: &[String]) -> Result<Kconfig> {
    const VERSION: &str = "LINUX_KERNEL_VERSION";
    let needed = |name: &&String| name.starts_with("CONFIG_") || *name == VERSION;
    let needed: Vec<_> = externs.iter().filter(needed).collect();
    let Some(path) = &request.kconfig else {
        if let Some(first) = needed.first() {
            return Err(Error::unsupported(
                format!("extern '{first}' is a value of the kernel's configuration"),
                "give --kconfig FILE, the .config of the kernels that this is for",
            ));
        }
        return Ok(Kconfig {
            text: CString::default(),
            release: String::new(),
        });
    };
    let text = fs::read_to_string(path).map_err(Error::io("read", path))?;
    // As in "# Linux/x86 7.3.4 Kernel Configuration".
    let release = text
        .lines()
        .filter(|line| line.starts_with("# Linux/") && line.ends_with(" Kernel Configuration"))
        .find_map(|line| line.split(' ').nth(2))
        .unwrap_or_default()
        .to_owned();
    if release.is_empty() && externs.iter().any(|name| name == VERSION) {
        return Err(Error::unsupported(
            format!("extern '{VERSION}' is not in {}", path.display()),
            "give a .config whose first lines name the kernel's version",
        ));
    }
    let text = CString::new(text)
        .map_err(|_| Error::Input(format!("{}: not a text file", path.display())))?;
    Ok(Kconfig { text, release })
}

/// Hides struct_ops from libbpf, whose gen_loader does not have them: `commands.rs` knows what they are.
fn hide_ops(object: &mut OpenObject) -> Result<()> {
    for mut map in object.maps_mut() {
        if map.map_type() == MapType::StructOps {
            // A kind for which libbpf leaves out the BTF of key and value.
            map.set_type(MapType::PerfEventArray)
                .and_then(|()| map.set_value_size(4))
                .and_then(|()| map.set_map_flags(0))
                // gen_loader fails if there are fewer maps than the object has: `commands.rs` leaves it out.
                .and_then(|()| map.set_autocreate(true))
                .map_err(|e| error("hide a struct_ops map", &e.to_string()))?;
        }
    }
    for mut prog in object.progs_mut() {
        if prog.prog_type() == ProgramType::StructOps {
            let section = prog.section().to_string_lossy();
            let sleeps = section.trim_start_matches('?').starts_with("struct_ops.s");
            // libbpf sees to this flag by the section, which counts no more once there is another type.
            prog.set_flags(if sleeps {
                libbpf_sys::BPF_F_SLEEPABLE
            } else {
                0
            });
            prog.set_prog_type(ProgramType::RawTracepoint);
        }
        // Nor does it have progs that replace a function of another one.
        if prog.prog_type() == ProgramType::Ext {
            prog.set_prog_type(ProgramType::RawTracepoint);
        }
    }
    Ok(())
}

/// What of the object is wanted, as far as struct_ops go.
struct Selected {
    /// The maps.
    maps: Vec<Place>,
    /// The progs that they call.
    callbacks: Vec<String>,
    /// The progs that others would call, which are not wanted.
    left_out: Vec<String>,
}

impl Selected {
    /// Turns on what was asked for by name and what that calls, and turns off what only others call.
    fn select(&self, object: &mut OpenObject, request: &Request) -> Result<()> {
        for mut map in object.maps_mut() {
            if map.map_type() == MapType::StructOps {
                let is_wanted = self.maps.iter().any(|of| map.name() == &*of.name);
                map.set_autocreate(is_wanted)
                    .map_err(|e| error("leave out a map", &e.to_string()))?;
            }
        }
        for mut prog in object.progs_mut() {
            let name = prog.name().to_string_lossy().into_owned();
            if self.callbacks.contains(&name) || request.load.contains(&name) {
                prog.set_autoload(true);
            } else if self.left_out.contains(&name) {
                prog.set_autoload(false);
            }
        }
        let is_there = |name: &str| {
            object.progs().any(|prog| prog.name() == name)
                || self.maps.iter().any(|map| map.name == name)
        };
        check_names(object, request.load.iter().find(|name| !is_there(name)))
    }
}

/// What was asked for by name has to be there.
fn check_names(object: &OpenObject, missing: Option<&String>) -> Result<()> {
    let Some(missing) = missing else {
        return Ok(());
    };
    let is_ops = |map: &libbpf_rs::OpenMap<'_>| map.map_type() == MapType::StructOps;
    let progs = object.progs().map(|p| p.name().to_string_lossy());
    let maps = object
        .maps()
        .filter(is_ops)
        .map(|m| m.name().to_string_lossy());
    let there: Vec<_> = progs.chain(maps).collect();
    Err(Error::Input(format!(
        "there is no prog or struct_ops map '{missing}' to load; there are: {}",
        there.join(", ")
    )))
}

fn check_maps(object: &OpenObject) -> Result<()> {
    for map in object.maps() {
        let name = map.name().to_string_lossy().into_owned();
        let raw = map.as_libbpf_object().as_ptr();
        // SAFETY: the map belongs to an open object.
        let (map_type, pinned, inner) = unsafe {
            (
                libbpf_sys::bpf_map__type(raw),
                !libbpf_sys::bpf_map__pin_path(raw).is_null(),
                libbpf_sys::bpf_map__inner_map(raw),
            )
        };
        if pinned {
            return Err(Error::unsupported(
                format!("map '{name}' asks to be pinned, which a loader prog cannot do"),
                "remove its __uint(pinning, …) and pin it after the load",
            ));
        }
        if kind::MAPS_OF_MAPS.contains(&map_type) && inner.is_null() {
            return Err(Error::unsupported(
                format!("map '{name}' does not say what kind of maps go into it"),
                "declare them: __array(values, struct { … })",
            ));
        }
    }
    Ok(())
}

/// Sections that come with libbpf 1.8, and what there is instead.
const NEWER: &[(&str, &str)] = &[
    ("fentry.multi", MULTI),
    ("fexit.multi", MULTI),
    ("fsession.multi", MULTI),
    ("tp_btf.s", SLEEPS),
    ("raw_tp.s", SLEEPS),
    ("raw_tracepoint.s", SLEEPS),
    ("tp.s", SLEEPS),
    ("tracepoint.s", SLEEPS),
];
const MULTI: &str = "use kprobe.multi, or a prog for each function, instead";
const SLEEPS: &str = "use one that does not sleep, or fentry.s, instead";

fn check_progs(object: &OpenObject, callbacks: &[String]) -> Result<()> {
    let mut loaded = 0;
    for prog in object.progs().filter(|prog| prog.autoload()) {
        loaded += 1;
        let raw = prog.as_libbpf_object().as_ptr();
        let is_callback = callbacks.iter().any(|name| prog.name() == &**name);
        let section = prog.section().to_string_lossy();
        let newer = NEWER
            .iter()
            .find(|(start, _)| section.trim_start_matches('?').starts_with(start))
            .map(|(_, instead)| *instead);
        let prog = format!(
            "prog '{}' (SEC(\"{}\"))",
            prog.name().to_string_lossy(),
            prog.section().to_string_lossy()
        );
        // SAFETY: the prog belongs to an open object.
        match unsafe { libbpf_sys::bpf_program__type(raw) } {
            0 if newer.is_some() => {
                return Err(Error::unsupported(
                    format!("{prog} is what libbpf before 1.8 does not have"),
                    newer.unwrap_or_default(),
                ))
            }
            0 => {
                return Err(Error::unsupported(
                    format!("{prog}: libbpf does not know what kind of prog this section has"),
                    "use one of libbpf's section names, as in SEC(\"tp_btf/sched_switch\")",
                ))
            }
            kind::PROG_STRUCT_OPS if !is_callback => {
                return Err(Error::unsupported(
                    format!("{prog} is in no struct_ops map"),
                    "put it into one, or a ? before its section's name",
                ))
            }
            _ => {}
        }
    }
    if loaded == 0 && maps(object).is_empty() {
        let all = object.progs().count();
        return Err(match all {
            0 => Error::unsupported("the object has no prog and no map", "is it the right file?"),
            _ => Error::unsupported(
                format!("none of its {all} progs is to be loaded, and there is no map"),
                "name those to load: --load PROG",
            ),
        });
    }
    Ok(())
}

/// A prog array's slot, by names.
struct NamedSlot {
    map: String,
    index: u64,
    prog: String,
}

/// Finds the slots of prog arrays that the object fills, and the relocations of `.maps` that remain.
///
/// libbpf's gen_loader knows how to fill maps of maps but gives up on prog arrays, so it must not see them.
fn prog_array_slots(
    object: &OpenObject,
    elf: &Elf<'_>,
) -> Result<(Vec<NamedSlot>, Vec<Relocation>)> {
    let mut slots = Vec::new();
    let mut others = Vec::new();
    let btf = btf(object)?;
    let vars = map_vars(&btf);
    for relocation in elf.relocations(".maps") {
        let var = vars
            .iter()
            .find(|var| (var.offset..var.offset + var.size).contains(&relocation.offset));
        let is_prog_array = |name: &str| {
            object.maps().any(|map| {
                let raw = map.as_libbpf_object().as_ptr();
                // SAFETY: the map belongs to an open object.
                let map_type = unsafe { libbpf_sys::bpf_map__type(raw) };
                map.name() == name && map_type == kind::MAP_PROG_ARRAY
            })
        };
        // libbpf has found all of this in order when it opened the object.
        match (var, elf.symbol_name(relocation.symbol)) {
            (Some(var), Some(prog)) if is_prog_array(&var.name) => slots.push(NamedSlot {
                map: var.name.clone(),
                index: (relocation.offset - var.offset).saturating_sub(var.values) / 8,
                prog: prog.to_owned(),
            }),
            _ => others.push(relocation),
        }
    }
    Ok((slots, others))
}

/// A map's definition in section `.maps`.
struct MapVar {
    name: String,
    offset: u64,
    size: u64,
    /// Where in the definition its values start.
    values: u64,
}

fn map_vars(btf: &Btf<'_>) -> Vec<MapVar> {
    let Some(section) = btf.type_by_name::<DataSec<'_>>(".maps") else {
        return Vec::new();
    };
    let var = |info: libbpf_rs::btf::types::VarSecInfo| {
        let var = btf.type_by_id::<Var<'_>>(info.ty)?;
        let def = globals::resolve(btf, globals::target_of(&var))?;
        let def = libbpf_rs::btf::types::Struct::try_from(def).ok()?;
        let last = def.iter().last()?;
        let libbpf_rs::btf::types::MemberAttr::Normal { offset } = last.attr else {
            return None;
        };
        Some(MapVar {
            name: var.name()?.to_string_lossy().into_owned(),
            offset: info.offset.into(),
            size: info.size as u64,
            values: u64::from(offset) / 8,
        })
    };
    section.iter().filter_map(var).collect()
}

/// Replaces names by numbers.
fn resolve_slots(object: &OpenObject, slots: Vec<NamedSlot>) -> Result<Vec<Slot>> {
    let maps = maps(object);
    let progs = progs(object);
    let number = |slot: NamedSlot| {
        let prog = progs.iter().position(|prog| prog.name == slot.prog);
        let map = maps.iter().position(|map| map.name == slot.map);
        match (map, prog) {
            (Some(map), Some(prog)) => Ok(Slot {
                map,
                index: slot.index as u32,
                prog,
            }),
            _ => Err(Error::unsupported(
                format!(
                    "map '{}' has prog '{}' in slot {}, which is not loaded",
                    slot.map, slot.prog, slot.index
                ),
                format!("give --load {}", slot.prog),
            )),
        }
    };
    slots.into_iter().map(number).collect()
}

/// The object's BTF, as libbpf has put it in order.
pub(crate) fn btf(object: &OpenObject) -> Result<Btf<'_>> {
    // SAFETY: the object is open for as long as it is borrowed.
    let raw = unsafe { &*object.as_libbpf_object().as_ptr() };
    match Btf::from_bpf_object(raw) {
        Ok(Some(btf)) => Ok(btf),
        _ => Err(Error::Input("the object's BTF is not readable".into())),
    }
}

/// Has libbpf load the object in name only. Gives the loader's data and the loader prog; none if that is longer than
/// a jump can reach.
fn gen_loader(object: &OpenObject) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    const STEP: &str = "make a loader prog";
    let object = object.as_libbpf_object().as_ptr();
    let mut opts = libbpf_sys::gen_loader_opts {
        sz: size_of::<libbpf_sys::gen_loader_opts>() as _,
        ..Default::default()
    };
    // SAFETY: the object is open; `opts` outlives the load, which is the last to use it.
    let ret = unsafe { libbpf_sys::bpf_object__gen_loader(object, &mut opts) };
    if ret != 0 {
        return Err(error(STEP, &errno(ret)));
    }
    // SAFETY: the object is open and not yet loaded.
    let ret = unsafe { libbpf_sys::bpf_object__load(object) };
    if ret == -libc::ERANGE {
        return Ok(None);
    }
    if ret != 0 {
        return Err(error(STEP, &errno(ret)));
    }
    // SAFETY: after success these are buffers of the object, which is still open, of these sizes.
    Ok(Some(unsafe {
        (
            bytes(opts.data, opts.data_sz),
            bytes(opts.insns, opts.insns_sz),
        )
    }))
}

/// # Safety
///
/// `start` must be valid for reads of `size` bytes.
unsafe fn bytes(start: *const c_char, size: u32) -> Vec<u8> {
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(start.cast::<u8>(), size as usize) }.to_vec()
}

/// The maps that are to be created.
fn maps(object: &OpenObject) -> Vec<Map> {
    let map = |(place, map): (usize, libbpf_rs::OpenMap<'_>)| {
        let raw = map.as_libbpf_object().as_ptr();
        // SAFETY: the map belongs to an open object.
        let (is_created, internal, map_type) = unsafe {
            (
                libbpf_sys::bpf_map__autocreate(raw),
                libbpf_sys::bpf_map__is_internal(raw),
                libbpf_sys::bpf_map__type(raw),
            )
        };
        is_created.then(|| Map {
            name: map.name().to_string_lossy().into_owned(),
            internal,
            map_type,
            key_size: map.key_size(),
            value_size: map.value_size(),
            max_entries: map.max_entries(),
            place,
        })
    };
    object.maps().enumerate().filter_map(map).collect()
}

fn progs(object: &OpenObject) -> Vec<Prog> {
    let prog = |prog: libbpf_rs::OpenProgram<'_>| {
        let raw = prog.as_libbpf_object().as_ptr();
        let section = prog.section().to_string_lossy();
        Prog {
            name: prog.name().to_string_lossy().into_owned(),
            section: section.strip_prefix('?').unwrap_or(&section).to_owned(),
            // SAFETY: the prog belongs to an open object.
            prog_type: unsafe { libbpf_sys::bpf_program__type(raw) },
            // SAFETY: as above.
            expected_attach_type: unsafe { libbpf_sys::bpf_program__expected_attach_type(raw) },
        }
    };
    object.progs().filter(|p| p.autoload()).map(prog).collect()
}

fn errno(ret: i32) -> String {
    std::io::Error::from_raw_os_error(-ret).to_string()
}

/// What to do about libbpf's complaints.
const REMEDIES: &[(&str, &str)] = &[
    (
        "no BTF-based attach target is specified",
        "name the function in the section, as in SEC(\"fentry/do_unlinkat\")",
    ),
    (
        "(strong): not resolved",
        "declare it __weak, or give a --kconfig FILE that has it",
    ),
    ("Total maps exceeds", "split the object"),
];

/// libbpf's own warnings are the cause, where it gave any.
fn error(step: &str, otherwise: &str) -> Error {
    let log = LOG.lock().map(|mut log| std::mem::take(&mut *log));
    let log = log.unwrap_or_default().replace("libbpf: ", "");
    // The last line only says that there was an error.
    let lines: Vec<_> = log
        .lines()
        .filter(|l| !l.starts_with("failed to load object"))
        .collect();
    let mut cause = lines.join("; ");
    if cause.is_empty() {
        cause = otherwise.to_owned();
    }
    if let Some((_, remedy)) = REMEDIES
        .iter()
        .find(|(complaint, _)| cause.contains(complaint))
    {
        cause = format!("{cause}; {remedy}");
    }
    Error::Libbpf {
        step: step.into(),
        cause,
    }
}

/// For the types that a variable or pointer leads to.
pub(crate) type Type<'btf> = BtfType<'btf>;
