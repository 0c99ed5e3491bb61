// SPDX-License-Identifier: GPL-2.0
//! What loading, mounting and reading cost beside the kernel's own provider: measures, and tells it as a table, a
//! picture, or JSON.

mod picture;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use lskel_gen::skeleton::ByteOrder;
use scenarios::costs::{
    part, read_figures, series, Baseline, Figures, Subject, C, CALLS, C_BY_LSKEL, C_WITHOUT_BTF,
    MANY, OURS, PROGS, SUBJECTS,
};
use scenarios::{mode, Need, MODULE_DIR};

use crate::machine::Accel;
use crate::run::Bench;
use crate::vm::Error;

/// From QEMU's start to the guest's hello: counting is slow, and what else the host does is not to matter.
const BOOT_LIMIT: Duration = Duration::from_secs(600);
/// From hello, or the last line of the report, to power-off.
const RUN_LIMIT: Duration = Duration::from_secs(900);
/// Boots at a time.
const BOOTS: usize = 2;

/// The top folder of the checkout.
const TOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Where the tables are, between two comments.
const PAGES: [&str; 2] = ["README.md", "qemu-test/README.md"];

/// What is measured, and how it is told.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the modules as they are installed: scripts/bench makes it
    #[arg(long, value_name = "DIR")]
    modules: PathBuf,
    /// The C provider's light skeleton, a header in C
    #[arg(long, value_name = "FILE")]
    c_skeleton: PathBuf,
    /// All figures, as JSON
    #[arg(long)]
    json: bool,
    /// Write what is checked in: the ratios, or these, the tables and the picture
    #[arg(long, value_enum, conflicts_with = "only")]
    record: Option<Record>,
    /// Measure only this part, by the name of its boot
    #[arg(long, value_name = "PART")]
    only: Option<String>,
}

/// What is checked in of what was measured.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Record {
    /// qemu-test/bench.toml.
    Ratios,
    /// The tables of the machine too, and for the host's qemu-test/bench.svg.
    All,
}

/// A boot that measures a part.
struct Part {
    /// For its log and for messages.
    name: String,
    args: Vec<&'static str>,
    needs: &'static [Need],
    subjects: Vec<&'static Subject>,
}

impl Part {
    fn new(name: &'static str) -> Self {
        Part {
            name: name.to_owned(),
            args: vec![mode::BENCH, name],
            needs: &[],
            subjects: Vec::new(),
        }
    }

    /// What takes longest comes first.
    fn all() -> Vec<Self> {
        let mut all = vec![
            Part {
                needs: &[Need::Bpftool],
                subjects: vec![&C, &OURS],
                ..Part::new(part::ROWS)
            },
            Part::new(part::MANY),
        ];
        all.extend(SUBJECTS.map(|subject| Part {
            name: subject.key.to_owned(),
            args: vec![mode::BENCH, part::SUBJECT, subject.key],
            needs: &[],
            subjects: vec![subject],
        }));
        all.push(Part {
            subjects: SUBJECTS.to_vec(),
            ..Part::new(part::PHASES)
        });
        all.push(Part {
            needs: &[Need::CModule],
            ..Part::new(part::SHARE)
        });
        all
    }

    /// Boots, and gives what the guest has said.
    fn measure(&self, bench: &Bench, modules: &Path) -> Result<Figures> {
        let mut boot = bench.first_with(&format!("bench-{}", self.name), self.needs, &self.args)?;
        boot.accel = Accel::CountedTcg;
        boot.boot_limit = BOOT_LIMIT;
        boot.run_limit = RUN_LIMIT;
        let content = |key: &str| {
            let file = modules.join(key).with_extension("ko");
            fs::read(&file).with_context(|| format!("reading {}", file.display()))
        };
        for subject in &self.subjects {
            boot.initramfs.bytes(subject.file(), &content(subject.key)?);
        }
        if let [subject] = self.subjects[..] {
            let module = content(subject.key)?;
            boot.initramfs
                .modprobe(bench.release(), [(subject.module, &*module)].into_iter())?;
        }
        if self.name == part::MANY {
            for module in [MANY, CALLS] {
                boot.initramfs
                    .bytes(format!("{MODULE_DIR}/{module}.ko"), &content(module)?);
            }
        }
        bench.resume_first(&mut boot);
        if let Err(Error::Failed(why) | Error::NotRun(why) | Error::Hung(why)) = boot.run() {
            bail!("{}: {why}; {} says more", self.name, boot.log.display());
        }
        let log = fs::read(&boot.log)?;
        let log = String::from_utf8_lossy(&log);
        let mut figures = Figures::new();
        let said = log
            .lines()
            .filter_map(|line| line.strip_prefix("[ktap] # "));
        read_figures(said, &mut figures);
        ensure!(
            !figures.is_empty(),
            "{}: the guest has said no figure; {} says more",
            self.name,
            boot.log.display()
        );
        Ok(figures)
    }
}

/// Adds figures to others.
fn add(figures: &mut Figures, more: Figures) {
    for (name, subjects) in more {
        figures.entry(name).or_default().extend(subjects);
    }
}

/// Measures all parts, some at a time.
fn measure(bench: &Bench, args: &Args) -> Result<Figures> {
    let mut parts = Part::all();
    let only = match args.record {
        Some(Record::Ratios) => Some(part::SHARE),
        _ => args.only.as_deref(),
    };
    if let Some(only) = only {
        let known: Vec<_> = parts.iter().map(|part| part.name.clone()).collect();
        parts.retain(|part| part.name == only);
        ensure!(
            !parts.is_empty(),
            "there is no part '{only}'; there are {}",
            known.join(", ")
        );
    }
    let parts = Mutex::new(parts.into_iter());
    let figures = Mutex::new(Figures::new());
    let worker = || -> Result<()> {
        loop {
            let Some(part) = parts.lock().expect("no thread panics here").next() else {
                return Ok(());
            };
            let start = Instant::now();
            let more = part.measure(bench, &args.modules)?;
            add(&mut figures.lock().expect("no thread panics here"), more);
            eprintln!(
                "  measured {} in {} s",
                part.name,
                start.elapsed().as_secs()
            );
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..BOOTS).map(|_| scope.spawn(worker)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("a thread that does not panic"))
    })?;
    Ok(figures.into_inner().expect("no thread panics here"))
}

/// The number after this in a header in C.
fn number_after(text: &str, what: &str) -> Result<u64> {
    let digits: String = text
        .split_once(what)
        .with_context(|| format!("expected {what:?} in the C provider's light skeleton"))?
        .1
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Ok(digits.parse()?)
}

/// What needs no boot: sizes of files, of loader progs, and of their data.
fn sizes(args: &Args, order: ByteOrder) -> Result<Figures> {
    let mut figures = Figures::new();
    let mut say = |name: &str, subject: &Subject, value: u64| {
        figures
            .entry(name.to_owned())
            .or_default()
            .insert(subject.key.to_owned(), value);
    };
    let size = |path: &Path| -> Result<u64> {
        Ok(fs::metadata(path)
            .with_context(|| path.display().to_string())?
            .len())
    };
    for subject in SUBJECTS {
        let file = args.modules.join(subject.key).with_extension("ko");
        say("ko_bytes", subject, size(&file)?);
    }
    let header = fs::read_to_string(&args.c_skeleton)
        .with_context(|| format!("reading {}", args.c_skeleton.display()))?;
    for subject in [&C, &C_WITHOUT_BTF] {
        let insns = number_after(&header, "opts.insns_sz = ")?;
        say("loader_slots", subject, insns / 8);
        say(
            "data_bytes",
            subject,
            number_after(&header, "opts.data_sz = ")?,
        );
    }
    let order = match order {
        ByteOrder::Little => "little-endian",
        ByteOrder::Big => "big-endian",
    };
    let loader = size(Path::new(&format!("{TOP}/lskel/loader-{order}.insns")))?;
    for (subject, object) in [
        (&OURS, "iterators/iterators"),
        (&C_BY_LSKEL, "qemu-test/gallery/generated/c_iterators"),
    ] {
        let data = PathBuf::from(format!("{TOP}/{object}.lskel-{order}.data"));
        say("loader_slots", subject, loader / 8);
        say("data_bytes", subject, size(&data)?);
    }
    Ok(figures)
}

/// The straight line through the costs of objects of some progs, by least squares: of none, and of each one more.
fn line(figures: &Figures) -> Option<(f64, f64)> {
    let points: Option<Vec<_>> = PROGS
        .iter()
        .map(|count| {
            let cpu = figures.get(&format!("progs_{count}_cpu"))?.get(OURS.key)?;
            Some((f64::from(*count), *cpu as f64))
        })
        .collect();
    let points = points?;
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let both: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let square: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = both / square;
    Some((y - slope * x, slope))
}

/// Puts the tables of a machine into the page that has a place for them.
fn put_into_page(arch: &str, tables: &str) -> Result<()> {
    let [start, end] = [
        format!("<!-- make bench, {arch} -->\n"),
        format!("<!-- the end of make bench, {arch} -->\n"),
    ];
    for page in PAGES {
        let path = format!("{TOP}/{page}");
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        let parts = text
            .split_once(&start)
            .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
        if let Some((before, after)) = parts {
            fs::write(&path, format!("{before}{start}{tables}{end}{after}"))?;
            return Ok(());
        }
    }
    bail!("no page has a place for the tables of {arch}: a line {start:?}")
}

/// Writes what is checked in.
fn record(bench: &Bench, what: Record, figures: &Figures, tables: &str) -> Result<()> {
    let path = format!("{TOP}/qemu-test/bench.toml");
    let mut baseline = Baseline::parse(&fs::read_to_string(&path)?).context(path.clone())?;
    let ratios = figures
        .iter()
        .filter_map(|(name, of)| {
            let name = name.strip_prefix("share_")?;
            let ratio = *of.get(OURS.key)? as f64 / *of.get(C.key)? as f64;
            Some((name.to_owned(), (ratio * 1e4).round() / 1e4))
        })
        .collect();
    baseline.0.insert(series(bench.release()), ratios);
    fs::write(&path, baseline.text()?)?;
    if what == Record::Ratios {
        eprintln!("{path} has the ratios of {}", bench.release());
        return Ok(());
    }
    put_into_page(bench.machine().arch, tables)?;
    if bench.machine().is_host() {
        fs::write(
            format!("{TOP}/qemu-test/bench.svg"),
            picture::svg(bench.release(), figures),
        )?;
    }
    Ok(())
}

/// Measures, and tells it.
pub fn run(bench: Bench, args: &Args) -> Result<ExitCode> {
    let release = bench.release().to_owned();
    let mut figures = sizes(args, bench.machine().byte_order)?;
    add(&mut figures, measure(&bench, args)?);
    let text = tables::markdown(&release, &figures);
    if let Some(what) = args.record {
        record(&bench, what, &figures, &text)?;
    }
    if args.json {
        let slope = line(&figures).map(|(none, each)| {
            serde_json::json!({ "of none": none.round(), "of each one more": each.round() })
        });
        let json = serde_json::json!({
            "kernel": release,
            "unit": "instructions of the machine, where the name says no other",
            "figures": figures,
            "load by progs": slope,
        });
        println!("{json:#}");
    } else if args.record != Some(Record::Ratios) {
        print!("{text}");
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::{line, number_after, Figures, PROGS};

    #[test]
    fn the_line_goes_through_points_that_are_on_one() {
        let mut figures = Figures::new();
        for count in PROGS {
            figures
                .entry(format!("progs_{count}_cpu"))
                .or_default()
                .insert("ours".into(), 1_000 + 30 * u64::from(count));
        }
        let (none, each) = line(&figures).unwrap();
        assert!((none - 1_000.0).abs() < 1e-6 && (each - 30.0).abs() < 1e-6);
        figures.remove("progs_1_cpu");
        assert_eq!(line(&figures), None);
    }

    #[test]
    fn sizes_are_read_from_a_header() {
        let header = "\topts.data_sz = 6208;\n\topts.insns_sz = 2456;\n";
        assert_eq!(number_after(header, "opts.insns_sz = ").unwrap(), 2456);
        assert!(number_after(header, "opts.none = ").is_err());
    }
}
