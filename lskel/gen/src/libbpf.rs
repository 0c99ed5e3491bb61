// SPDX-License-Identifier: GPL-2.0

//! The one place that calls libbpf: object in, light skeleton out.
//!
//! libbpf trusts objects more than they deserve, so this runs in a process of its own; see
//! [`worker`](crate::worker).

use crate::skeleton::{Map, Prog, Skeleton};
use crate::worker::Request;
use crate::{Error, Result};
use libbpf_rs::{AsRawLibbpf, ObjectBuilder, OpenObject, PrintLevel};
use std::ffi::c_char;
use std::sync::Mutex;

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
    let version = unsafe { std::ffi::CStr::from_ptr(libbpf_sys::libbpf_version_string()) };
    version.to_string_lossy().trim_start_matches('v').to_owned()
}

/// Makes a light skeleton.
pub fn run(request: &Request) -> Result<Skeleton> {
    libbpf_rs::set_print(Some((PrintLevel::Warn, record)));

    let mut object = ObjectBuilder::default()
        .name(&request.name)
        .and_then(|builder| builder.open_file(&request.path))
        .map_err(|e| error("open the object", &e.to_string()))?;
    for mut prog in object.progs_mut() {
        let name = prog.name().to_string_lossy().into_owned();
        if request.load.contains(&name) {
            prog.set_autoload(true);
        }
    }
    let (data, insns) = gen_loader(&object)?;
    Ok(Skeleton {
        maps: maps(&object),
        progs: progs(&object),
        data,
        insns,
    })
}

/// Has libbpf load the object in name only. Gives the loader's data and the loader prog.
fn gen_loader(object: &OpenObject) -> Result<(Vec<u8>, Vec<u8>)> {
    let object = object.as_libbpf_object().as_ptr();
    let mut opts = libbpf_sys::gen_loader_opts {
        sz: size_of::<libbpf_sys::gen_loader_opts>() as _,
        ..Default::default()
    };
    // SAFETY: the object is open; `opts` outlives the load, which is the last to use it.
    let ret = unsafe { libbpf_sys::bpf_object__gen_loader(object, &mut opts) };
    if ret != 0 {
        return Err(error("make a loader", &errno(ret)));
    }
    // SAFETY: the object is open and not yet loaded.
    let ret = unsafe { libbpf_sys::bpf_object__load(object) };
    if ret != 0 {
        return Err(error("make a loader", &errno(ret)));
    }
    // SAFETY: after success these are buffers of the object, which is still open, of these sizes.
    Ok(unsafe {
        (
            bytes(opts.data, opts.data_sz),
            bytes(opts.insns, opts.insns_sz),
        )
    })
}

/// # Safety
///
/// `start` must be valid for reads of `size` bytes.
unsafe fn bytes(start: *const c_char, size: u32) -> Vec<u8> {
    // SAFETY: by this function's contract.
    unsafe { std::slice::from_raw_parts(start.cast::<u8>(), size as usize) }.to_vec()
}

fn maps(object: &OpenObject) -> Vec<Map> {
    let map = |map: libbpf_rs::OpenMap<'_>| {
        let raw = map.as_libbpf_object().as_ptr();
        Map {
            name: map.name().to_string_lossy().into_owned(),
            // SAFETY: the map belongs to an open object.
            internal: unsafe { libbpf_sys::bpf_map__is_internal(raw) },
            // SAFETY: as above.
            map_type: unsafe { libbpf_sys::bpf_map__type(raw) },
            key_size: map.key_size(),
            value_size: map.value_size(),
            max_entries: map.max_entries(),
        }
    };
    object.maps().map(map).collect()
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

/// libbpf's own warnings are the cause, where it gave any.
fn error(step: &str, otherwise: &str) -> Error {
    let log = LOG.lock().map(|mut log| std::mem::take(&mut *log));
    let mut cause = log.unwrap_or_default().trim_end().replace("libbpf: ", "");
    if cause.is_empty() {
        cause = otherwise.to_owned();
    }
    Error::Libbpf {
        step: step.into(),
        cause,
    }
}
