// SPDX-License-Identifier: GPL-2.0
//! The three tasks: test, demo, shell.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context, Result};
use clap::Parser;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use lskel_gen::skeleton::ByteOrder;
use scenarios::{
    is_debug, mode, End, Need, Scenario, APART, BLOB, BPFTOOL, C_MODULE, FOREIGN_BLOB, GALLERY,
    INIT, MODULE_DIR, OBJECTS_DIR, OTHER_SHARD, SCENARIOS, SELFTEST, SHORT, SIGNED_DIR,
    SIGNING_BPFTOOL, SS,
};

use crate::corpus;
use crate::initramfs::Initramfs;
use crate::machine::{self, Accel, Machine};
use crate::signed;
use crate::snapshot::Snapshots;
use crate::vm::{Boot, Error, Passed};

/// Exit code when a test failed.
pub const FAILED: u8 = 1;
/// Exit code when nothing is known about the module.
pub const COULD_NOT_RUN: u8 = 2;

/// What a provider is called that is built in.
const BUILT_IN: &str = "bpf_preload_rs";

/// What goes into a kernel tree beside the module.
const GRAFT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../graft");

/// Memory of a machine, in MiB.
const MEMORY: u32 = 512;
/// The same for the debug kernel. For an arena's 4 GiB of addresses KASAN takes 512 MiB, and gives them back late.
const DEBUG_MEMORY: u32 = 4096;
/// What the debug kernel is told. kmemleak sees leaks only with red zones. Unit tests run when asked for. With
/// five levels of page tables, KASAN takes good addresses for bad ones in an interrupt at the very start.
const DEBUG_CMDLINE: &str = "slab_debug=FZ kunit.autorun=0 no5lvl";

/// From QEMU's start to the guest's hello; 3 s on an idle machine.
const BOOT_LIMIT: Duration = Duration::from_secs(90);
/// From hello, or the last line of the report, to power-off.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// How many times slower the debug kernel is.
const DEBUG_FACTOR: u32 = 5;
/// The same for a guest that is meant to hang.
const HANG_LIMIT: Duration = Duration::from_secs(5);
/// KVM that works boots well within this.
const KVM_LIMIT: Duration = Duration::from_secs(20);

/// A module as it was when the run started: `make check` signs and removes it meanwhile.
struct Module {
    /// Of its file.
    name: String,
    content: Vec<u8>,
}

impl Module {
    fn read(file: &Path) -> Result<Self> {
        Ok(Module {
            name: file
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            content: std::fs::read(file)
                .with_context(|| format!("{} cannot be read", file.display()))?,
        })
    }
}

/// The other modules in the folder of one.
fn beside(module: &Path) -> Result<Vec<Module>> {
    let folder = module.parent().unwrap_or(Path::new("."));
    let cannot = || format!("{} cannot be read", folder.display());
    let mut modules = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        if path.extension().is_some_and(|it| it == "ko") && path.file_name() != module.file_name() {
            modules.push(Module::read(&path)?);
        }
    }
    Ok(modules)
}

/// A kernel with the modules that were built for it.
pub struct Kernel {
    release: String,
    machine: &'static Machine,
    image: PathBuf,
    module: Option<Module>,
    /// What is beside the module under test: it is of the same project.
    other_modules: Vec<Module>,
    c_module: Option<Module>,
    test_modules: Option<PathBuf>,
    guest: PathBuf,
}

impl Kernel {
    /// Checks what can be checked without a boot.
    pub fn new(
        release: String,
        image: PathBuf,
        module: Option<PathBuf>,
        c_module: Option<PathBuf>,
        test_modules: Option<PathBuf>,
    ) -> Result<Self> {
        ensure!(image.is_file(), "there is no file {}", image.display());
        let arch = release.rsplit('-').next().unwrap_or_default();
        let other_modules = match module.as_deref() {
            Some(module) => beside(module)?,
            None => Vec::new(),
        };
        Ok(Kernel {
            machine: machine::find(arch)?,
            release,
            image,
            module: module.as_deref().map(Module::read).transpose()?,
            other_modules,
            c_module: c_module.as_deref().map(Module::read).transpose()?,
            test_modules,
            guest: PathBuf::new(),
        })
    }

    /// The modules of the project.
    fn modules(&self) -> impl Iterator<Item = &Module> {
        self.module.iter().chain(&self.other_modules)
    }

    /// The folder of the test modules.
    fn test_modules(&self) -> Result<&Path> {
        self.test_modules.as_deref().context(
            "this needs the test modules: give --test-modules (scripts/test-modules builds them)",
        )
    }

    /// Without a file of the module it is built into the kernel, under its usual name.
    fn module_name(&self) -> &str {
        self.module.as_ref().map_or(BUILT_IN, |module| &module.name)
    }
}

/// Everything that a boot is made of.
pub struct Bench {
    kernels: Vec<Kernel>,
    logs: PathBuf,
    accel: Accel,
    /// For the kernel's command line.
    cmdline: String,
    /// What scenarios start from that need no boot of their own. Without it each boots.
    snapshots: Option<Snapshots>,
}

impl Bench {
    /// Finds the guests.
    pub fn new(
        mut kernels: Vec<Kernel>,
        guest: Option<PathBuf>,
        logs: PathBuf,
        cmdline: String,
        snapshots: Option<PathBuf>,
    ) -> Result<Self> {
        for kernel in &mut kernels {
            kernel.guest = match &guest {
                Some(guest) => guest.clone(),
                None => find_guest(kernel.machine)?,
            };
            ensure!(
                kernel.guest.is_file(),
                "there is no {}; qemu-test/README.md says how to build it",
                kernel.guest.display()
            );
        }
        let cannot = || format!("{} cannot be made", logs.display());
        std::fs::create_dir_all(&logs).with_context(cannot)?;
        let logs = logs.canonicalize().with_context(cannot)?;
        Ok(Bench {
            kernels,
            logs,
            accel: Accel::Tcg,
            // Words for the kernel of one run are not worth a snapshot.
            snapshots: snapshots.filter(|_| cmdline.is_empty()).map(Snapshots::new),
            cmdline,
        })
    }

    /// Tries KVM once, if the machine is the host's, and believes only a guest that says hello.
    pub fn probe(&mut self) -> Result<()> {
        if !self.kernels[0].machine.is_host() {
            return Ok(());
        }
        let tcg = |why: &str| eprintln!("KVM cannot be used ({why}): going on with TCG");
        if let Err(error) = std::fs::File::options()
            .read(true)
            .write(true)
            .open("/dev/kvm")
        {
            tcg(&format!("/dev/kvm: {error}"));
            return Ok(());
        }
        let mut boot = self.boot(&self.kernels[0], "probe-kvm", &[], &[mode::HELLO])?;
        boot.accel = Accel::Kvm;
        boot.boot_limit = KVM_LIMIT;
        match boot.run() {
            Ok(_) => self.accel = Accel::Kvm,
            Err(Error::Failed(why) | Error::NotRun(why) | Error::Hung(why)) => tcg(&why),
        }
        Ok(())
    }

    /// A boot of the first kernel, to which the caller may add files.
    pub fn first(&self, log: &str, args: &[&str]) -> Result<Boot> {
        self.boot(&self.kernels[0], log, &[], args)
    }

    /// The same, with what scenarios may need.
    pub fn first_with(&self, log: &str, needs: &[Need], args: &[&str]) -> Result<Boot> {
        self.boot(&self.kernels[0], log, needs, args)
    }

    /// Has a boot of the first kernel start from a snapshot, as scenarios do.
    pub fn resume_first(&self, boot: &mut Boot) {
        self.resume(&self.kernels[0], boot);
    }

    /// The release of the first kernel.
    pub fn release(&self) -> &str {
        &self.kernels[0].release
    }

    /// Its machine.
    pub fn machine(&self) -> &'static Machine {
        self.kernels[0].machine
    }

    /// A boot; the module's name goes after the first of `args`.
    fn boot(&self, kernel: &Kernel, log: &str, needs: &[Need], args: &[&str]) -> Result<Boot> {
        let debug = is_debug(&kernel.release);
        let factor = if debug { DEBUG_FACTOR } else { 1 };
        let mut cmdline = vec![self.cmdline.clone()];
        if debug {
            cmdline.push(DEBUG_CMDLINE.to_owned());
        }
        let mut initramfs = Initramfs::new(kernel.machine);
        initramfs.file(INIT, &kernel.guest)?;
        let module = kernel.module_name();
        for module in kernel.modules() {
            initramfs.bytes(format!("{MODULE_DIR}/{}.ko", module.name), &module.content);
        }
        for need in needs {
            match need {
                Need::CModule => {
                    let c_module = kernel.c_module.as_ref().context(
                        "this needs the C provider: give --c-module (scripts/c-module builds it)",
                    )?;
                    initramfs.bytes(C_MODULE, &c_module.content);
                }
                Need::Modprobe => {
                    ensure!(
                        kernel.module.is_some(),
                        "this needs the module: give --module"
                    );
                    let modules = kernel.modules().map(|m| (&*m.name, &*m.content));
                    initramfs.modprobe(&kernel.release, modules)?;
                }
                Need::Blob => {
                    let guest = kernel.machine.byte_order;
                    for order in ByteOrder::ALL {
                        let path = if order == guest { BLOB } else { FOREIGN_BLOB };
                        initramfs.bytes(path, &corpus::of_the_module(order, guest)?);
                    }
                }
                Need::Apart => {
                    let folder = kernel.test_modules()?;
                    let order = kernel.machine.byte_order;
                    initramfs.file(APART, &folder.join(format!("apart.lskel-{order}.data")))?;
                }
                Need::Signatures => {
                    for (name, content) in signed::files(kernel.machine.byte_order)? {
                        initramfs.bytes(format!("{SIGNED_DIR}/{name}"), &content);
                    }
                    if let Some(folder) = &kernel.test_modules {
                        let cert = folder.join("signed_progs.cert");
                        initramfs.file(format!("{SIGNED_DIR}/cert_of_progs"), &cert)?;
                    }
                }
                Need::SigningBpftool => {
                    let folder = kernel.test_modules()?;
                    let bpftool = folder.join("bpftool");
                    if bpftool.exists() {
                        initramfs.program(SIGNING_BPFTOOL, &bpftool.to_string_lossy())?;
                        initramfs.file(
                            format!("{SIGNED_DIR}/key"),
                            &folder.join("signed_progs.key"),
                        )?;
                        let object =
                            signed::object("iterators/iterators.bpf.c", kernel.machine.byte_order)?;
                        initramfs.bytes(format!("{SIGNED_DIR}/iterators.o"), &object);
                    }
                }
                Need::Object(name) => {
                    let source = format!("qemu-test/modules/{name}.bpf.c");
                    let object = signed::object(&source, kernel.machine.byte_order)?;
                    initramfs.bytes(format!("{OBJECTS_DIR}/{name}.o"), &object);
                }
                Need::TwoCpus
                | Need::OwnBoot
                | Need::DebugKernel
                | Need::Builtin(_)
                | Need::CountedTime
                | Need::Short
                | Need::Shard(_) => {}
                Need::Selftest => {
                    initramfs.program("/bin/busybox", "/usr/bin/busybox")?;
                    initramfs.file(
                        SELFTEST,
                        &Path::new(GRAFT).join("selftest/test_bpf_preload.sh"),
                    )?;
                }
                Need::Cmdline(words) => cmdline.push((*words).to_owned()),
                Need::Bpftool => {
                    initramfs.program(BPFTOOL, "/usr/sbin/bpftool")?;
                }
                Need::Busybox => {
                    initramfs.program("/bin/busybox", "/usr/bin/busybox")?;
                }
                Need::Ss => {
                    initramfs.program(SS, "/usr/bin/ss")?;
                }
                Need::TestModule(name) => {
                    let folder = kernel.test_modules()?;
                    let file = format!("{name}.ko");
                    initramfs.file(format!("{MODULE_DIR}/{file}"), &folder.join(&file))?;
                }
                Need::ModuleIfAny(name) => {
                    let file = kernel.test_modules()?.join(format!("{name}.ko"));
                    if file.exists() {
                        initramfs.file(format!("{MODULE_DIR}/{name}.ko"), &file)?;
                    }
                }
            }
        }
        let mut words = args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        words.insert(1, module.to_owned());
        Ok(Boot {
            machine: kernel.machine,
            accel: if needs.contains(&Need::CountedTime) {
                Accel::CountedTcg
            } else {
                self.accel
            },
            cpus: if needs.contains(&Need::TwoCpus) { 2 } else { 1 },
            image: kernel.image.clone(),
            initramfs,
            snapshot: None,
            disk: None,
            memory: if debug { DEBUG_MEMORY } else { MEMORY },
            cmdline,
            args: words,
            log: self.logs.join(&kernel.release).join(format!("{log}.log")),
            boot_limit: BOOT_LIMIT * factor,
            run_limit: RUN_LIMIT * factor,
        })
    }

    /// Has a boot start from a snapshot instead, where there is one or one can be made.
    fn resume(&self, kernel: &Kernel, boot: &mut Boot) {
        let Some(snapshots) = &self.snapshots else {
            return;
        };
        let counted = match boot.accel {
            Accel::CountedTcg => "-counted",
            Accel::Kvm | Accel::Tcg => "",
        };
        let machine = format!("{}cpu{counted}", boot.cpus);
        let kind = format!("{}-{machine}", kernel.release);
        boot.snapshot = snapshots.get(&kind, || {
            let mut initramfs = Initramfs::new(kernel.machine);
            initramfs.file(INIT, &kernel.guest)?;
            Ok(Boot {
                initramfs,
                args: vec![mode::WAIT.to_owned()],
                log: boot.log.with_file_name(format!("snapshot-{machine}.log")),
                cmdline: boot.cmdline.clone(),
                image: boot.image.clone(),
                snapshot: None,
                disk: None,
                ..*boot
            })
        });
    }

    /// Runs a scenario and compares its end with the expected one.
    fn scenario(&self, kernel: &Kernel, scenario: &Scenario) -> Result<Passed, Error> {
        let mut boot = self
            .boot(
                kernel,
                scenario.name,
                scenario.needs,
                &[mode::TEST, scenario.name],
            )
            .map_err(|error| Error::NotRun(format!("{error:#}")))?;
        if !scenario.has_own_boot() {
            self.resume(kernel, &mut boot);
        }
        if scenario.name == "runner_fails_a_guest_that_hangs" {
            boot.run_limit = HANG_LIMIT;
        }
        match (scenario.end, boot.run()) {
            (End::Passes, passed @ Ok(_)) => passed,
            (End::FailsWith(text), Err(Error::Failed(why))) if why.contains(text) => {
                Ok(Passed::Tested)
            }
            (End::CannotRun(text), Err(Error::NotRun(why))) if why.contains(text) => {
                Ok(Passed::Tested)
            }
            (End::Passes, Err(error))
            | (End::FailsWith(_), Err(error @ (Error::NotRun(_) | Error::Hung(_)))) => {
                Err(boot.with_log(error))
            }
            (end, seen) => Err(boot.with_log(Error::Failed(format!(
                "a test of the runner: expected {end:?}, seen {seen:?}"
            )))),
        }
    }
}

/// The guest as cargo leaves it with static.toml: TARGET/release/guest, two folders above this program.
fn find_guest(machine: &Machine) -> Result<PathBuf> {
    let runner = std::env::current_exe()?;
    let folder = runner
        .ancestors()
        .nth(2)
        .context("a program in no folder")?;
    Ok(folder.join(machine.target).join("release/guest"))
}

/// Prints what has to be built for the scenarios of a shard that have this word in their names: scripts/qemu asks.
pub fn needs(shard: Option<&str>, word: &str) -> ExitCode {
    let wanted = |scenario: &&Scenario| {
        scenario.name.contains(word) && shard.is_none_or(|shard| scenario.is_in(shard))
    };
    let needs = || SCENARIOS.iter().filter(wanted).flat_map(|s| s.needs);
    if needs().any(|need| *need == Need::CModule) {
        println!("c-module");
    }
    if needs().any(|need| matches!(need, Need::TestModule(_) | Need::ModuleIfAny(_))) {
        println!("test-modules");
    }
    if needs().any(|need| *need == Need::TestModule(GALLERY)) {
        println!("gallery");
    }
    ExitCode::SUCCESS
}

/// How many of the slowest scenarios are named at the end.
const SLOWEST: usize = 10;

/// What became of the trials of a run, as far as the harness does not know.
#[derive(Clone, Default)]
pub struct Tally(Arc<Mutex<Counts>>);

#[derive(Default)]
struct Counts {
    /// How many failed, but for those that could not run.
    failed: usize,
    times: Vec<(Duration, String)>,
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("no thread panics here")
    }

    /// A trial of the test harness, for a kernel.
    pub fn trial(
        &self,
        name: &str,
        release: &str,
        run: impl FnOnce() -> Result<Passed, Error> + Send + 'static,
    ) -> Trial {
        let tally = self.clone();
        let timed = name.to_owned();
        let runner = move || {
            let start = Instant::now();
            let seen = run();
            let mut counts = tally.counts();
            counts.times.push((start.elapsed(), timed));
            match seen {
                Ok(Passed::Skipped(reason)) => Ok(Completion::ignored_with(reason)),
                Ok(_) => Ok(Completion::Completed),
                Err(error) => {
                    if matches!(error, Error::Failed(_)) {
                        counts.failed += 1;
                    }
                    Err(Failed::from(error))
                }
            }
        };
        Trial::ignorable_test(name, runner).with_kind(release)
    }

    /// Runs trials of its own, prints the slowest, and says how they ended.
    pub fn run(&self, args: &Arguments, trials: Vec<Trial>) -> Result<ExitCode> {
        let conclusion = libtest_mimic::run(args, trials);
        self.print_slowest();
        Ok(if args.list {
            ExitCode::SUCCESS
        } else if self.counts().failed > 0 {
            ExitCode::from(FAILED)
        } else if conclusion.has_failed() {
            ExitCode::from(COULD_NOT_RUN)
        } else if conclusion.num_passed == 0 && conclusion.num_ignored > 0 {
            bail!("no test ran: each was skipped, for the reason that it gives")
        } else if conclusion.num_passed == 0 {
            bail!("no test ran; --list shows what there is")
        } else {
            ExitCode::SUCCESS
        })
    }

    fn print_slowest(&self) {
        let times = &mut self.counts().times;
        times.sort_by(|a, b| b.cmp(a));
        if times.len() <= SLOWEST {
            return;
        }
        println!("the slowest, in s:");
        for (time, name) in &times[..SLOWEST] {
            println!("{:>7.1}  {name}", time.as_secs_f32());
        }
        println!();
    }
}

/// Runs the scenarios that the kernel can run, or one shard of them.
pub fn test(
    mut bench: Bench,
    shard: Option<String>,
    shuffle: Option<u64>,
    harness: Vec<OsString>,
) -> Result<ExitCode> {
    let known = |shard: &str| SCENARIOS.iter().any(|scenario| scenario.is_in(shard));
    if let Some(shard) = shard.as_deref().filter(|shard| !known(shard)) {
        let mut shards: Vec<_> = SCENARIOS.iter().map(Scenario::shard).collect();
        shards.push(SHORT);
        shards.sort_unstable();
        shards.dedup();
        bail!(
            "there is no shard '{shard}'; there are {}",
            shards.join(", ")
        );
    }
    let program = OsString::from("qemu-test test");
    let mut args = Arguments::parse_from(std::iter::once(program).chain(harness));
    // On the debug kernel each waits much: for kmemleak.
    let debug = bench.kernels.iter().any(|kernel| is_debug(&kernel.release));
    args.test_threads.get_or_insert(if debug { 3 } else { 2 });
    if !args.list {
        bench.probe()?;
    }
    let bench = Arc::new(bench);
    let tally = Tally::default();
    let mut trials = Vec::new();
    // What takes long comes first: nothing waits for it alone at the end.
    let mut scenarios: Vec<_> = SCENARIOS.iter().collect();
    scenarios.sort_by_key(|scenario| scenario.shard() == OTHER_SHARD);
    if let Some(seed) = shuffle {
        scenarios.sort_by_key(|scenario| {
            let mut hasher = DefaultHasher::new();
            (seed, scenario.name).hash(&mut hasher);
            hasher.finish()
        });
    }
    for index in 0..bench.kernels.len() {
        for &scenario in &scenarios {
            let release = bench.kernels[index].release.clone();
            let wanted = match &shard {
                Some(shard) => scenario.is_in(shard),
                // There the rest takes half an hour more.
                None => !is_debug(&release) || scenario.shard() != OTHER_SHARD,
            };
            if !wanted || !scenario.is_for(&release) {
                continue;
            }
            let bench = bench.clone();
            trials.push(tally.trial(scenario.name, &release, move || {
                bench.scenario(&bench.kernels[index], scenario)
            }));
        }
    }
    tally.run(&args, trials)
}

/// Shows the module at work.
pub fn demo(mut bench: Bench) -> Result<ExitCode> {
    bench.probe()?;
    show(&bench.first_with("demo", &[Need::Busybox], &[mode::DEMO])?)
}

/// Runs a boot that is there to be looked at.
pub fn show(boot: &Boot) -> Result<ExitCode> {
    match boot.run() {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(Error::NotRun(why) | Error::Hung(why)) => {
            bail!("{why}; {} says more", boot.log.display())
        }
        Err(Error::Failed(why)) => {
            eprintln!("qemu-test: error: {why}; {} says more", boot.log.display());
            Ok(ExitCode::from(FAILED))
        }
    }
}

/// Gives the terminal to a shell in the guest.
pub fn shell(mut bench: Bench) -> Result<ExitCode> {
    bench.probe()?;
    let boot = bench.first_with("shell", &[Need::Busybox, Need::Bpftool], &[mode::SHELL])?;
    give_terminal(boot, bench.release())
}

/// Becomes a boot that has a shell.
pub fn give_terminal(boot: Boot, release: &str) -> Result<ExitCode> {
    eprintln!(
        "A guest with {release} boots; its kernel's messages go to {}.",
        boot.log.display()
    );
    eprintln!("To leave: 'exit' or Ctrl-D in its shell. If it hangs: Ctrl-A, then X.");
    Err(boot.become_shell().into())
}
