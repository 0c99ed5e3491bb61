// SPDX-License-Identifier: GPL-2.0
//! A module project of a user's own: its tests, its demo, a shell with it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{ensure, Context, Result};
use clap::Parser;
use libtest_mimic::Arguments;
use scenarios::{mode, Need, DEMO, SIGNING_CERT, TESTS_DIR};

use crate::run::{self, Bench, Tally};
use crate::vm::{Boot, Error, Passed};

/// Which project, and what to do with it.
#[derive(clap::Args)]
pub struct Args {
    /// Its folder
    dir: PathBuf,
    #[command(subcommand)]
    task: Task,
}

#[derive(clap::Subcommand)]
enum Task {
    /// Run each tests/*.sh in a machine of its own: it passes if it ends with status 0 and the kernel has no complaint
    #[command(disable_help_flag = true)]
    Test {
        /// Filters and options of the test harness; --help lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        harness: Vec<OsString>,
    },
    /// Run the commands of the file demo, one a line, and show them
    Demo,
    /// A shell in a guest with the module loaded
    Shell,
}

/// Does it, with the first kernel.
pub fn run(mut bench: Bench, args: Args) -> Result<ExitCode> {
    match args.task {
        Task::Test { harness } => test(bench, args.dir, harness),
        Task::Demo => {
            bench.probe()?;
            let mut boot = bench.first_with("demo", &TOOLS, &[mode::SCRIPT, DEMO])?;
            boot.initramfs.file(DEMO, &args.dir.join("demo"))?;
            add_cert(&mut boot, &args.dir)?;
            run::show(&boot)
        }
        Task::Shell => {
            bench.probe()?;
            let mut boot = bench.first_with("shell", &TOOLS, &[mode::SHELL])?;
            add_tests(&mut boot, &args.dir)?;
            run::give_terminal(boot, bench.release())
        }
    }
}

/// What a script finds in the guest.
const TOOLS: [Need; 2] = [Need::Busybox, Need::Bpftool];

/// Runs the tests of a project.
fn test(mut bench: Bench, dir: PathBuf, harness: Vec<OsString>) -> Result<ExitCode> {
    let names = scripts(&dir.join("tests"))?;
    let program = OsString::from("test");
    let mut args = Arguments::parse_from(std::iter::once(program).chain(harness));
    args.test_threads.get_or_insert(2);
    if !args.list {
        bench.probe()?;
    }
    let bench = Arc::new(bench);
    let tally = Tally::default();
    let trials = names
        .into_iter()
        .map(|name| {
            let (bench, dir) = (bench.clone(), dir.clone());
            let release = bench.release().to_owned();
            let script = format!("{name}.sh");
            tally.trial(&name, &release, move || {
                script_in_guest(&bench, &dir, &script)
            })
        })
        .collect();
    tally.run(&args, trials)
}

/// The names of the scripts in a folder of tests, in their order.
fn scripts(tests: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(tests).with_context(|| format!("reading {}", tests.display()))? {
        let path = entry?.path();
        if let (Some("sh"), Some(stem)) = (
            path.extension().and_then(|extension| extension.to_str()),
            path.file_stem().and_then(|stem| stem.to_str()),
        ) {
            names.push(stem.to_owned());
        }
    }
    ensure!(
        !names.is_empty(),
        "there is no test: put a shell script into {}, NAME.sh",
        tests.display()
    );
    names.sort();
    Ok(names)
}

/// Adds the certificate of a project whose progs are signed.
fn add_cert(boot: &mut Boot, dir: &Path) -> Result<()> {
    let cert = dir.join(SIGNING_CERT.trim_start_matches('/'));
    if cert.exists() {
        boot.initramfs.file(SIGNING_CERT, &cert)?;
    }
    Ok(())
}

/// Adds the files of the folder of tests: scripts, and what they use.
fn add_tests(boot: &mut Boot, dir: &Path) -> Result<()> {
    add_cert(boot, dir)?;
    let Ok(entries) = fs::read_dir(dir.join("tests")) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        if entry.path().is_file() {
            let inside = Path::new(TESTS_DIR).join(entry.file_name());
            boot.initramfs.file(inside, &entry.path())?;
        }
    }
    Ok(())
}

/// Runs a script in a machine of its own.
fn script_in_guest(bench: &Bench, dir: &Path, script: &str) -> Result<Passed, Error> {
    let boot = || -> Result<Boot> {
        let path = format!("{TESTS_DIR}/{script}");
        let mut boot = bench.first_with(
            script.trim_end_matches(".sh"),
            &TOOLS,
            &[mode::SCRIPT, &path],
        )?;
        add_tests(&mut boot, dir)?;
        bench.resume_first(&mut boot);
        Ok(boot)
    };
    let boot = boot().map_err(|error| Error::NotRun(format!("{error:#}")))?;
    boot.run().map_err(|error| boot.with_log(error))
}

#[cfg(test)]
mod tests {
    use super::scripts;

    #[test]
    fn only_shell_scripts_are_tests() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["b.sh", "a.sh", "data.txt", "sh"] {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        assert_eq!(scripts(folder.path()).unwrap(), ["a", "b"]);
    }

    #[test]
    fn no_test_is_an_error_that_names_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let error = scripts(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&*folder.path().to_string_lossy()), "{error}");
        let missing = scripts(&folder.path().join("none")).unwrap_err();
        assert!(missing.to_string().contains("none"), "{missing:#}");
    }
}
