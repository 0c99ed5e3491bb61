// SPDX-License-Identifier: GPL-2.0
//! Light skeletons of a folder of BPF objects, loaded in kernel context: which of them load, and why the
//! others do not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use lskel_gen::skeleton::{ByteOrder, Map, Prog, Skeleton, What};
use lskel_gen::worker::{Request, Worker};
use scenarios::{mode, CORPUS_DIR, CORPUS_TESTMOD, LIBBPFS, MODULE_DIR, SAME_STATE};

use crate::run::{Bench, FAILED};

/// Objects of one boot. Some 720 loads in one were seen to hang a stock kernel.
const BATCH: usize = 100;
/// From hello to power-off of one boot.
const RUN_LIMIT: Duration = Duration::from_secs(900);
/// `BPF_MAP_TYPE_RINGBUF` and `BPF_MAP_TYPE_USER_RINGBUF`, which may leave their size to the loader.
const RING_BUFFERS: [u32; 2] = [27, 31];
/// The size that they get: any power of two that is a multiple of the page size, in bytes.
const RING_BUFFER_SIZE: u32 = 64 << 10;

/// What is to be loaded, with what.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of objects
    #[arg(long, value_name = "DIR")]
    objects: PathBuf,
    /// The generator
    #[arg(long, value_name = "FILE")]
    lskel_gen: PathBuf,
    /// lskel_blob.ko
    #[arg(long, value_name = "FILE")]
    blob_module: PathBuf,
    /// A module to load first: bpf_testmod.ko of the kernel's selftests
    #[arg(long, value_name = "FILE")]
    testmod: Option<PathBuf>,
    /// The kernel's configuration, for objects that ask for its values
    #[arg(long, value_name = "FILE")]
    kconfig: Option<PathBuf>,
    /// Load bpftool's light skeletons too, and fail where one of them loads and ours does not
    #[arg(long)]
    compare: bool,
    /// `libbpf`: load each object by libbpf's own loader prog, too, and fail where that leaves the kernel in another state
    #[arg(long, value_name = "NAME", value_parser = ["libbpf"])]
    loader: Option<String>,
}

/// What is written to /dev/lskel_blob for one object, and what for the same by libbpf's own loader prog.
struct Requests {
    ours: Vec<u8>,
    libbpfs: Option<Vec<u8>>,
}

/// How far one object came: `Err` says why no further, `Ok` whether libbpf's own loader prog was seen to do the same.
type Outcome = Result<bool, String>;

/// What a line begins with that says that the two have not done the same.
const ANOTHER_STATE: &str = "not loaded: libbpf's loader leaves another state";

/// Generates, loads, prints the table.
pub fn run(mut bench: Bench, args: &Args) -> Result<ExitCode> {
    let objects = objects(&args.objects)?;
    bench.probe()?;

    eprintln!("  generating light skeletons of {} objects", objects.len());
    let worker = Worker {
        program: args.lskel_gen.clone(),
        time_limit: Duration::from_secs(60),
    };
    let ours = generate(&objects, |path| {
        let skeleton = lskel(&worker, path, args)?;
        let sizes = ring_sizes(&skeleton);
        let theirs = skeleton.libbpf.as_ref().filter(|_| args.loader.is_some());
        Ok(Requests {
            ours: request(ByteOrder::Little, &skeleton, &sizes),
            libbpfs: theirs.map(|theirs| {
                libbpfs_request(&sizes, skeleton.progs.len(), &theirs.data, &theirs.insns)
            }),
        })
    });
    let loaded = load(&bench, args, "corpus", &ours)?;
    let theirs = if args.compare {
        eprintln!("  the same with bpftool");
        // bpftool's header does not tell the maps' types; ours does, and they are the same maps.
        let theirs = generate(&objects, |path| {
            let sizes = lskel(&worker, path, args).map(|skeleton| ring_sizes(&skeleton));
            Ok(Requests {
                ours: bpftool(path, sizes.unwrap_or_default())?,
                libbpfs: None,
            })
        });
        Some(load(&bench, args, "corpus-bpftool", &theirs)?)
    } else {
        None
    };

    let mut behind = 0;
    for (name, outcome) in &loaded {
        let bpftools = theirs.as_ref().and_then(|theirs| theirs.get(name));
        let mark = match (outcome, bpftools) {
            (Err(_), Some(Ok(_))) => {
                behind += 1;
                "  [bpftool's loads]"
            }
            (Ok(_), Some(Err(_))) => "  [bpftool's does not]",
            _ => "",
        };
        match outcome {
            Ok(_) if mark.is_empty() => {}
            Ok(_) => println!("{name:<44} loaded{mark}"),
            Err(why) => println!("{name:<44} {why}{mark}"),
        }
    }
    let generated = ours.values().filter(|request| request.is_ok()).count();
    let loads = loaded.values().filter(|outcome| outcome.is_ok()).count();
    if let Some(theirs) = &theirs {
        println!(
            "bpftool: {} loaded; {behind} of these not by ours",
            theirs.values().filter(|outcome| outcome.is_ok()).count()
        );
    }
    let others = |why: &String| why.starts_with(ANOTHER_STATE);
    let other_states = loaded
        .values()
        .filter(|outcome| outcome.as_ref().is_err_and(others))
        .count();
    if args.loader.is_some() {
        println!(
            "libbpf's loader: {} in the same state, {other_states} in another",
            loaded
                .values()
                .filter(|outcome| **outcome == Ok(true))
                .count()
        );
    }
    println!(
        "{generated} generated, {loads} loaded, {} refused",
        loaded.len() - loads
    );
    Ok(if behind + other_states > 0 {
        ExitCode::from(FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

/// The objects of a folder, by name.
fn objects(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let cannot = || format!("{} cannot be read", folder.display());
    let mut objects = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.extension().is_some_and(|extension| extension == "o") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            objects.insert(name.trim_end_matches(".bpf").to_owned(), path);
        }
    }
    ensure!(
        !objects.is_empty(),
        "there is no object (*.o) in {}",
        folder.display()
    );
    Ok(objects)
}

/// What `make` makes of each object, two at a time.
fn generate(
    objects: &BTreeMap<String, PathBuf>,
    make: impl Fn(&Path) -> Result<Requests, String> + Sync,
) -> BTreeMap<String, Result<Requests, String>> {
    let todo = Mutex::new(objects.iter());
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| loop {
                let next = todo.lock().expect("no thread panics here").next();
                let Some((name, path)) = next else { break };
                let made = make(path).map_err(|why| format!("not generated: {}", one_line(&why)));
                done.lock()
                    .expect("no thread panics here")
                    .insert(name.clone(), made);
            });
        }
    });
    done.into_inner().expect("no thread panics here")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lskel(worker: &Worker, path: &Path, args: &Args) -> Result<Skeleton, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let request = Request {
        name: name.split('.').next().unwrap_or_default().to_owned(),
        path: path.to_owned(),
        byte_order: ByteOrder::Little,
        load: Vec::new(),
        kconfig: args.kconfig.clone(),
        no_license: true,
        no_line_info: false,
    };
    lskel_gen::skeleton(&request, worker).map_err(|error| error.to_string())
}

/// `max_entries` of each map, where the object leaves it to the loader; 0 for the others.
fn ring_sizes(skeleton: &Skeleton) -> Vec<u32> {
    let size = |map: &Map| match map.max_entries {
        0 if RING_BUFFERS.contains(&map.map_type) => RING_BUFFER_SIZE,
        _ => 0,
    };
    skeleton.maps.iter().map(size).collect()
}

/// Numbers and names, as /dev/lskel_blob takes them.
struct Words {
    bytes: Vec<u8>,
    order: ByteOrder,
}

impl Words {
    fn number(&mut self, number: u32) {
        self.bytes.extend(match self.order {
            ByteOrder::Little => number.to_le_bytes(),
            ByteOrder::Big => number.to_be_bytes(),
        });
    }

    fn numbers(&mut self, numbers: &[usize]) {
        for number in numbers {
            self.number(*number as u32);
        }
    }

    fn name(&mut self, name: &str) {
        self.number(name.len() as u32);
        self.bytes.extend(name.as_bytes());
        self.bytes.push(0);
    }
}

/// One write to /dev/lskel_blob; see qemu-test/modules/lskel_blob.rs.
fn request(order: ByteOrder, skeleton: &Skeleton, max_entries: &[u32]) -> Vec<u8> {
    /// Of `max_entries` in the `bpf_attr` of a map's creation.
    const MAX_ENTRIES: usize = 12;

    let mut words = Words {
        bytes: Vec::new(),
        order,
    };
    words.numbers(&[
        1,
        skeleton.maps.len(),
        skeleton.progs.len(),
        skeleton.commands.len(),
        skeleton.ops.len(),
        skeleton.data.len(),
    ]);
    words.number(skeleton.btf.unwrap_or(0));
    for map in &skeleton.maps {
        words.number(map.attr);
        words.number(map.value.unwrap_or(0));
        words.number(map.value_size);
        words.name(&map.name);
    }
    for prog in &skeleton.progs {
        words.number(prog.attr);
        words.number(prog.prog_type);
        words.name(&prog.name);
    }
    for command in &skeleton.commands {
        let (op, a, b, name) = match &command.what {
            What::LoadBtf => (0, 0, 0, ""),
            What::CreateMap(map) => (1, *map, 0, ""),
            What::UpdateMap(map) => (2, *map, 0, ""),
            What::FreezeMap(map) => (3, *map, 0, ""),
            What::Find { prog, name } => (4, *prog, 0, &**name),
            What::LoadProg(prog) => (5, *prog, 0, ""),
            What::PutProg { map, prog } => (6, *map, *prog, ""),
            What::LoadLayout => (7, 0, 0, ""),
            What::FindType { map, name } => (8, *map, 0, &**name),
        };
        words.number(command.record);
        words.numbers(&[op, a, b]);
        words.name(name);
    }
    if let Some(layout) = skeleton.layout {
        words.numbers(&[layout as usize, skeleton.enums.len()]);
    }
    for ops in &skeleton.ops {
        let of = &ops.of;
        words.number(of.map as u32);
        words.number(ops.value_id);
        words.number(ops.struct_id);
        words.number(ops.module);
        words.number(of.link.into());
        words.number(ops.value);
        words.number(of.layout.size);
        words.number(of.members.len() as u32);
        words.name(&format!("bpf_struct_ops_{}", of.kernel_type));
        for member in &of.members {
            words.number(member.offset);
            words.number(member.size);
            words.number(member.data.is_none().into());
            words.name(&member.name);
        }
    }
    for of in &skeleton.enums {
        words.numbers(&[of.map, of.offset as usize]);
    }
    let mut data = skeleton.data.clone();
    for (map, size) in skeleton.maps.iter().zip(max_entries) {
        if *size != 0 {
            let at = map.attr as usize + MAX_ENTRIES;
            data[at..at + 4].copy_from_slice(&size.to_le_bytes());
        }
    }
    words.bytes.extend(data);
    words.bytes
}

/// The same for a loader prog that libbpf has written.
fn libbpfs_request(max_entries: &[u32], progs: usize, data: &[u8], insns: &[u8]) -> Vec<u8> {
    let mut words = Words {
        bytes: Vec::new(),
        order: ByteOrder::Little,
    };
    words.numbers(&[0, max_entries.len(), progs, data.len(), insns.len()]);
    for size in max_entries {
        words.number(*size);
    }
    words.bytes.extend(data);
    words.bytes.extend(insns);
    words.bytes
}

/// The module's own object for machines of the order `blobs`, as one request to a machine of the order `guest`.
pub fn of_the_module(blobs: ByteOrder, guest: ByteOrder) -> Result<Vec<u8>> {
    let file = |what| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../iterators");
        let path = format!("{folder}/iterators.lskel-{blobs}.{what}");
        fs::read(&path).with_context(|| format!("reading {path}"))
    };
    let text = String::from_utf8_lossy(&file("rs")?).into_owned();
    let mut skeleton = Skeleton {
        data: file("data")?,
        btf: number(&text, "btf: Some("),
        ..Skeleton::default()
    };
    for def in text.split("MapDef {").skip(1) {
        skeleton.maps.extend(map_def(def));
    }
    for def in text.split("ProgDef {").skip(1) {
        skeleton.progs.extend(prog_def(def));
    }
    Ok(request(guest, &skeleton, &[]))
}

/// What stands behind `field` first.
fn number(text: &str, field: &str) -> Option<u32> {
    let (_, rest) = text.split_once(field)?;
    rest.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn c_str(text: &str) -> Option<String> {
    Some(
        text.split_once("name: c\"")?
            .1
            .split_once('"')?
            .0
            .to_owned(),
    )
}

/// What the loader asks for in a generated definition. [`None`] for what is none.
fn map_def(text: &str) -> Option<Map> {
    Some(Map {
        name: c_str(text)?,
        attr: number(text, "attr: ")?,
        value: number(text, "value: Some("),
        value_size: number(text, "value_size: ")?,
        internal: false,
        map_type: 0,
        key_size: 0,
        max_entries: 0,
        cell: 0,
        frozen: false,
    })
}

fn prog_def(text: &str) -> Option<Prog> {
    Some(Prog {
        name: c_str(text)?,
        attr: number(text, "attr: ")?,
        section: String::new(),
        prog_type: 0,
        expected_attach_type: 0,
    })
}

/// The blobs of bpftool's light skeleton, out of the C header that it writes.
fn bpftool(path: &Path, mut max_entries: Vec<u32>) -> Result<Vec<u8>, String> {
    let output = Command::new("bpftool")
        .args(["gen", "skeleton", "-L"])
        .arg(path)
        .output()
        .map_err(|e| format!("bpftool cannot be run: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let header = String::from_utf8_lossy(&output.stdout);
    let blob = |name: &str| {
        let start = header.find(&format!("static const char {name}[]"))?;
        let text = header[start..].split('"').nth(1)?;
        // "\0" and "\x12", and a backslash before each end of line.
        text.replace("\\\n", "")
            .split('\\')
            .skip(1)
            .map(|byte| u8::from_str_radix(byte.trim_start_matches('x'), 16).ok())
            .collect::<Option<Vec<u8>>>()
    };
    let count = |what: &str| header.matches(what).count();
    let no = || "bpftool's header is not understood".to_owned();
    let (maps, progs) = (
        count("struct bpf_map_desc "),
        count("struct bpf_prog_desc "),
    );
    if maps + progs == 0 {
        return Err("the object has no prog and no map".into());
    }
    max_entries.resize(maps, 0);
    Ok(libbpfs_request(
        &max_entries,
        progs,
        &blob("opts_data").ok_or_else(no)?,
        &blob("opts_insn").ok_or_else(no)?,
    ))
}

/// Loads what was generated, in as many boots as it takes.
fn load(
    bench: &Bench,
    args: &Args,
    log: &str,
    requests: &BTreeMap<String, Result<Requests, String>>,
) -> Result<BTreeMap<String, Outcome>> {
    let mut outcomes = BTreeMap::new();
    let mut todo = Vec::new();
    for (name, request) in requests {
        match request {
            Ok(request) => todo.push((name, request)),
            Err(why) => {
                outcomes.insert(name.clone(), Err(why.clone()));
            }
        }
    }
    for boot in 1.. {
        if todo.is_empty() {
            break;
        }
        let batch: Vec<_> = todo.drain(..todo.len().min(BATCH)).collect();
        eprintln!(
            "  boot {boot}: loading {} objects, {} to go",
            batch.len(),
            todo.len()
        );
        let mut vm = bench.first(&format!("{log}-{boot}"), &[mode::CORPUS])?;
        vm.initramfs
            .file(format!("{MODULE_DIR}/lskel_blob.ko"), &args.blob_module)?;
        if let Some(testmod) = &args.testmod {
            vm.initramfs.file(CORPUS_TESTMOD, testmod)?;
        }
        for (name, request) in &batch {
            vm.initramfs
                .bytes(format!("{CORPUS_DIR}/{name}"), &request.ours);
            if let Some(request) = &request.libbpfs {
                vm.initramfs
                    .bytes(format!("{CORPUS_DIR}/{name}{LIBBPFS}"), request);
            }
        }
        vm.memory = 3072;
        vm.run_limit = RUN_LIMIT;
        let end = vm.run();
        let seen = read_report(&vm.log)?;
        let mut lost: Vec<_> = batch
            .into_iter()
            .filter(|(name, _)| !seen.contains_key(*name))
            .collect();
        outcomes.extend(seen);
        if !lost.is_empty() {
            // The first without a result is what ended the boot; those behind it get another one.
            let why = end
                .err()
                .map_or("no result".into(), |error| error.to_string());
            let (name, _) = lost.remove(0);
            outcomes.insert(
                name.clone(),
                Err(format!("ended the boot: {why}; see {}", vm.log.display())),
            );
            todo.splice(..0, lost);
        }
    }
    Ok(outcomes)
}

/// The results in the log of a boot. Diagnostics belong to the result that follows them.
fn read_report(log: &Path) -> Result<BTreeMap<String, Outcome>> {
    let text = fs::read(log).with_context(|| format!("{} cannot be read", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let mut outcomes = BTreeMap::new();
    let mut why = String::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("[ktap] ")) {
        let name = |result: &str| result.split(' ').nth(1).unwrap_or_default().to_owned();
        if let Some(diagnostic) = line.strip_prefix("# ") {
            why = diagnostic.to_owned();
        } else if let Some(result) = line.strip_prefix("ok ") {
            outcomes.insert(name(result), Ok(why == SAME_STATE));
            why.clear();
        } else if let Some(result) = line.strip_prefix("not ok ") {
            outcomes.insert(name(result), Err(format!("not loaded: {why}")));
        }
    }
    Ok(outcomes)
}
