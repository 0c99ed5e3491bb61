// SPDX-License-Identifier: GPL-2.0
//! Boots stock kernels under QEMU with the module, and runs scenarios in them.

mod bench;
mod console;
mod corpus;
mod distro;
mod initramfs;
mod ktap;
mod machine;
mod project;
mod run;
mod signed;
mod snapshot;
mod terminal;
mod vm;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{ensure, Result};
use clap::{Args, Parser, Subcommand};

use run::{Bench, Kernel};

/// Boots stock kernels under QEMU with bpf_preload_rs.ko. Run it through scripts/in-toolroot.
///
/// Exit codes: 0 passed, 1 failed, 2 could not run.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Task,
}

/// What is booted. scripts/kdir and scripts/c-module print it. For several kernels give each of the first
/// five options several times, in the same order.
#[derive(Args)]
struct Options {
    /// Release of the kernel
    #[arg(long, env = "KERNEL_RELEASE", required = true)]
    kernel_release: Vec<String>,
    /// Its image
    #[arg(long, env = "KERNEL_IMAGE", value_name = "FILE")]
    image: Vec<PathBuf>,
    /// The module under test, built for it; empty if it is built in
    #[arg(long, env = "MODULE", value_name = "FILE")]
    module: Vec<OsString>,
    /// The C provider bpf_preload.ko, built for it
    #[arg(long, env = "C_MODULE", value_name = "FILE")]
    c_module: Vec<OsString>,
    /// Folder of the modules of qemu-test/modules, built for it
    #[arg(long, env = "TEST_MODULES", value_name = "DIR")]
    test_modules: Vec<OsString>,
    /// The guest's init [default: where cargo puts it beside this program]
    #[arg(long, env = "GUEST", value_name = "FILE")]
    guest: Option<PathBuf>,
    /// Folder for a log of each boot
    #[arg(
        long,
        env = "LOGS",
        value_name = "DIR",
        default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../build/logs"),
        hide_default_value = true,
    )]
    logs: PathBuf,
    /// The project's cache folder, where snapshots of booted guests are kept; without one each scenario boots
    #[arg(long, env = "BPF_PRELOAD_RS_CACHE", value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Words for the kernel's command line; NAME=N goes to the guest's environment
    #[arg(long, env = "CMDLINE", default_value = "")]
    cmdline: String,
}

#[derive(Subcommand)]
enum Task {
    /// Run every scenario, each in a machine of its own
    #[command(disable_help_flag = true)]
    Test {
        /// Only this shard
        #[arg(long, env = "SHARD")]
        shard: Option<String>,
        /// In an order that this number makes
        #[arg(long, value_name = "SEED")]
        shuffle: Option<u64>,
        /// Filters and options of the test harness; --help lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        harness: Vec<OsString>,
    },
    /// Say which modules the scenarios of a shard take, or those that have a word in their names: c-module, test-modules,
    /// gallery
    #[command(hide = true)]
    Needs {
        #[arg(long, env = "SHARD")]
        shard: Option<String>,
        #[arg(default_value = "")]
        word: String,
    },
    /// Show the module at work
    Demo,
    /// Make a picture, in SVG, of a session that comes by stdin
    Picture,
    /// A shell in a guest with the module loaded
    Shell,
    /// Load the light skeletons of a folder of BPF objects
    Corpus(corpus::Args),
    /// Measure what loading, mounting and reading cost
    Bench(bench::Args),
    /// Test or show a module project
    Project(project::Args),
    /// Boot a whole Debian
    Distro(distro::Args),
}

impl Options {
    fn bench(self) -> Result<Bench> {
        let count = self.kernel_release.len();
        for (option, seen) in [
            ("--image", self.image.len()),
            ("--module", self.module.len()),
        ] {
            ensure!(
                seen == count,
                "{option}: expected {count}, one for each --kernel-release, seen {seen}"
            );
        }
        // Empty in the environment: none.
        let mut c_modules = self.c_module.into_iter().filter(|path| !path.is_empty());
        let mut test_modules = self
            .test_modules
            .into_iter()
            .filter(|path| !path.is_empty());
        let kernels = self
            .kernel_release
            .into_iter()
            .zip(self.image)
            .zip(self.module)
            .map(|((release, image), module)| {
                Kernel::new(
                    release,
                    image,
                    Some(module)
                        .filter(|path| !path.is_empty())
                        .map(PathBuf::from),
                    c_modules.next().map(PathBuf::from),
                    test_modules.next().map(PathBuf::from),
                )
            })
            .collect::<Result<_>>()?;
        let snapshots = self.cache.map(|cache| cache.join("snapshots"));
        Bench::new(kernels, self.guest, self.logs, self.cmdline, snapshots)
    }
}

fn picture() -> Result<ExitCode> {
    print!(
        "{}",
        terminal::svg(&std::io::read_to_string(std::io::stdin())?)?
    );
    Ok(ExitCode::SUCCESS)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = cli.options.bench().and_then(|bench| match cli.command {
        Task::Test {
            shard,
            shuffle,
            harness,
        } => run::test(
            bench,
            shard.filter(|shard| !shard.is_empty()),
            shuffle,
            harness,
        ),
        Task::Needs { shard, word } => Ok(run::needs(
            shard.as_deref().filter(|shard| !shard.is_empty()),
            &word,
        )),
        Task::Demo => run::demo(bench),
        Task::Picture => picture(),
        Task::Shell => run::shell(bench),
        Task::Corpus(args) => corpus::run(bench, &args),
        Task::Bench(args) => bench::run(bench, &args),
        Task::Project(args) => project::run(bench, args),
        Task::Distro(args) => distro::run(bench, args),
    });
    result.unwrap_or_else(|error| {
        eprintln!("qemu-test: error: {error:#}");
        ExitCode::from(run::COULD_NOT_RUN)
    })
}
