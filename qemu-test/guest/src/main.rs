// SPDX-License-Identifier: GPL-2.0
//! PID 1 of the test machine: does what the kernel's command line says, reports, powers off.

mod bpf;
mod corpus;
mod costs;
mod kernel;
mod ktap;
mod lab;
mod port;
mod start;
mod suite;
mod user;
mod wait;

use std::ffi::CString;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::time::Duration;

use anyhow::{anyhow, bail, Context, Result};
use ktap::Ktap;
use rustix::system::{reboot, RebootCommand};
use scenarios::{mode, End, KTAP_PORT};

fn main() {
    // For scripts this is bpf-preload-pin, too, by that name.
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    if Path::new(&name).file_name() == Some(user::PIN.as_ref()) {
        std::process::exit(i32::from(!pin::cli::run(args)));
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // The child of kernel::insmod_in_child.
    if let ["insmod", path, params] = args[..] {
        let loaded = CString::new(params)
            .map_err(anyhow::Error::from)
            .and_then(|params| Ok(kernel::insmod_with(path, &params)??));
        std::process::exit(loaded.map_or(1, |()| 0));
    }
    // The child of costs::insmod.
    if let ["insmod-cost", path, params] = args[..] {
        if let Err(error) = costs::insmod_child(path, params) {
            eprintln!("guest: {path}: {error:#}");
            std::process::exit(1);
        }
        return;
    }
    // The child of lab::Fault.
    if let ["fault", nth, operation @ ..] = &args[..] {
        if let Err(error) = lab::child(nth, operation) {
            eprintln!("guest: a child with a fault: {error:#}");
            std::process::exit(1);
        }
        return;
    }
    // A child of suite::storms.
    if let ["storm", module, role, number] = args[..] {
        kernel::set_module(module);
        if let Err(error) = suite::storm_child(role, number) {
            eprintln!("guest: {role} {number} of the storm: {error:#}");
            std::process::exit(1);
        }
        return;
    }
    // A child of suite::hostile.
    if let ["hostile", module, role @ ..] = &args[..] {
        kernel::set_module(module);
        if let Err(error) = suite::hostile_child(role) {
            eprintln!("guest: {role:?}: {error:#}");
            std::process::exit(1);
        }
        return;
    }
    if std::process::id() != 1 {
        eprintln!("guest: error: this is the init of a test machine; scripts/in-toolroot qemu-test --help");
        std::process::exit(2);
    }
    if let Err(error) = run(&args) {
        // The console, thus the boot's log. The runner sees that the report is not complete.
        eprintln!("guest: {error:#}");
    }
    rustix::fs::sync();
    // There the console shows a line late, and the last one only with the next.
    if cfg!(target_arch = "s390x") {
        let _ = std::fs::write("/dev/kmsg", "the end");
        std::thread::sleep(Duration::from_millis(200));
    }
    let _ = reboot(RebootCommand::PowerOff);
}

fn run(args: &[&str]) -> Result<()> {
    kernel::mount_system()?;
    if let [mode::WAIT] = args {
        let args = wait::for_scenario()?;
        run_mode(&args.iter().map(String::as_str).collect::<Vec<_>>())
    } else {
        run_mode(args)
    }
}

fn run_mode(args: &[&str]) -> Result<()> {
    let (mode, module, rest) = match args {
        [mode, module, rest @ ..] => (*mode, *module, rest),
        _ => bail!("expected MODE MODULE as arguments, seen {args:?}"),
    };
    kernel::set_module(module);
    lab::start()?;
    match (mode, rest) {
        (mode::HELLO, []) => Ktap::hello(KTAP_PORT).map(drop),
        (mode::TEST, [name]) => test(name),
        (mode::DEMO, []) => report("demo", user::demo),
        (mode::SHELL, []) => user::shell(),
        (mode::SCRIPT, [scenarios::DEMO]) => report("demo", user::show_commands),
        (mode::SCRIPT, [path]) => report(path, || user::script(path)),
        (mode::CORPUS, []) => corpus::run(),
        (mode::BENCH, [part]) => report("bench", || costs::run(part, None)),
        (mode::BENCH, [part, of]) => report("bench", || costs::run(part, Some(of))),
        _ => bail!("{mode} {rest:?} is nothing that this guest knows"),
    }
}

/// Runs the scenario of a name.
fn test(name: &str) -> Result<()> {
    let (scenario, function) =
        suite::find(name).with_context(|| format!("no scenario is named {name}"))?;
    match scenario.end {
        End::Passes => report(name, function),
        // A test of the runner, which reports wrongly by itself.
        End::FailsWith(_) | End::CannotRun(_) => function(),
    }
}

/// Runs a function and reports it as the only test.
fn report(name: &str, function: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut ktap = Ktap::hello(KTAP_PORT)?;
    ktap.line("1..1")?;
    let result = catch_unwind(AssertUnwindSafe(function))
        .unwrap_or_else(|_| Err(anyhow!("the guest panicked: its message is on the console")))
        .and_then(|()| lab::expect_no_leak());
    ktap.result(name, &result)
}
