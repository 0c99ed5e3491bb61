// SPDX-License-Identifier: GPL-2.0

//! `lskel-gen`: see `--help`.

use anyhow::{bail, Context, Result};
use clap::Parser;
use lskel_gen::input::{self, Compiler};
use lskel_gen::sign::{self, Signer};
use lskel_gen::worker::{self, Worker};
use lskel_gen::{output, Options};
use std::path::PathBuf;
use std::process::ExitCode;

/// Makes a Rust light skeleton of a BPF object, for a kernel module.
///
/// A light skeleton loads an object's maps and progs from within the kernel, without libbpf at run time.
/// From NAME.bpf.c (compiled with clang for both byte orders) or NAME.bpf.o come, for each byte order E:
///
///   NAME.lskel-E.rs      names and numbers, to be included in the module
///   NAME.lskel-E.data    what the loader prog works on
///   NAME.lskel-E.txt     the same as text, to be read
///   NAME.lskel-E.sig     with --sign-key: the signature that the kernel checks
///
/// and NAME.lskel.lock with the hashes of all files and the versions of the tools. The same input gives
/// the same bytes, in whatever folder.
#[derive(Parser)]
#[command(version, verbatim_doc_comment)]
struct Args {
    /// Sources (NAME.bpf.c) or objects (NAME.bpf.o; of each name one for each byte order at most).
    /// With --verify: generated data (NAME.lskel-E.data).
    #[arg(required = true, value_name = "SOURCE.bpf.c|OBJECT.bpf.o")]
    files: Vec<PathBuf>,

    /// Where the files go.
    #[arg(short, long, value_name = "DIR", required_unless_present = "verify")]
    output: Option<PathBuf>,

    /// Write nothing: compare with what is in DIR, name what differs, and end with status 1 if anything does.
    #[arg(long)]
    check: bool,

    /// Sign with this private key, a file in PEM that nobody else can read. The module then loads the object only through the
    /// signature, which kernels from 7.3 on check.
    #[arg(long, value_name = "FILE", requires = "cert")]
    sign_key: Option<PathBuf>,

    /// The certificate of the key, in PEM or DER.
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,

    /// Generate nothing: check the signatures of generated data with --cert.
    #[arg(long, requires = "cert", conflicts_with_all = ["sign_key", "check", "output"])]
    verify: bool,

    /// Load this prog, or create this struct_ops map, though its section, SEC("?…"), says otherwise. May be repeated.
    #[arg(long, value_name = "NAME")]
    load: Vec<String>,

    /// The .config of the kernels that this is for. Needed where the object declares CONFIG_… or
    /// LINUX_KERNEL_VERSION with __kconfig: nothing is taken from the kernel that lskel-gen runs on.
    #[arg(long, value_name = "FILE")]
    kconfig: Option<PathBuf>,

    /// Take objects without SEC("license") too. Such progs may not call GPL-only helpers.
    #[arg(long)]
    no_license: bool,

    /// Leave out which lines of the source the instructions come from: a third of the data. The kernel names them where it
    /// refuses a prog, and bpftool shows them.
    #[arg(long)]
    no_line_info: bool,

    /// Leave the data out of the module: it gets NAME.lskel-E.data from elsewhere, a file say, and takes only these
    /// (Skeleton::open_with()).
    #[arg(long)]
    data_apart: bool,

    /// Whose loader: libbpf's own prog and its data are written as well, as NAME.lskel-E.libbpf.*, for tests.
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t = Loader::Ours)]
    loader: Loader,

    /// The path of the runtime's module in the generated code.
    #[arg(long, value_name = "PATH", default_value = "crate::lskel")]
    runtime: String,

    /// The clang to compile with.
    #[arg(long, value_name = "PROGRAM", default_value = "clang")]
    clang: PathBuf,

    /// One more argument for clang, as in --cflag=-D__TARGET_ARCH_x86. May be repeated.
    #[arg(long = "cflag", value_name = "ARG", allow_hyphen_values = true)]
    cflags: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Loader {
    Ours,
    Libbpf,
}

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == worker::ARGUMENT)
    {
        return report(worker::serve().context("worker"));
    }
    report(run(&Args::parse()))
}

fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("lskel-gen: error: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn verify(args: &Args) -> Result<()> {
    let certificate = sign::certificate(args.cert.as_deref().context("--verify needs --cert")?)?;
    for file in &args.files {
        sign::verify_file(&certificate, file)?;
        println!("{}: the signature is good", file.display());
    }
    Ok(())
}

fn run(args: &Args) -> Result<()> {
    if args.verify {
        return verify(args);
    }
    let output = args.output.as_deref().context("--output is missing")?;
    let signer = match (&args.sign_key, &args.cert) {
        (Some(key), Some(certificate)) => Some(Signer::read(key, certificate)?),
        (None, Some(_)) => bail!("--cert is for --sign-key or --verify"),
        _ => None,
    };
    let compiler = Compiler {
        clang: args.clang.clone(),
        cflags: args.cflags.clone(),
    };
    let options = Options {
        runtime: args.runtime.clone(),
        load: args.load.clone(),
        kconfig: args.kconfig.clone(),
        no_license: args.no_license,
        no_line_info: args.no_line_info,
        data_apart: args.data_apart,
        libbpf: args.loader == Loader::Libbpf,
        signer,
    };
    let worker = Worker::of_this_program()?;

    // All or nothing: no file is written before each object has been a success.
    let mut files = lskel_gen::Files::new();
    for input in input::collect(&args.files, &compiler)? {
        files.extend(lskel_gen::generate(&input, &options, &worker)?);
    }
    if !args.check {
        return Ok(output::write(output, &files)?);
    }
    let differ = output::differences(output, &files);
    if !differ.is_empty() {
        bail!("{}; run lskel-gen without --check", differ.join("\n"));
    }
    Ok(())
}
