// SPDX-License-Identifier: GPL-2.0

//! A boot policy that root cannot take off: see `gate.bpf.c` for what it refuses, README.md for how
//! it is used.
//!
//! It is open until it is sealed, by `seal=1` or by a `1` written to `/dev/gate`, and unloads like
//! any module. From then on it stays until the machine goes down. Built in, it is there before init
//! runs.

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(target_endian = "little", path = "gate.lskel-little-endian.rs")]
#[cfg_attr(target_endian = "big", path = "gate.lskel-big-endian.rs")]
mod gate;
mod lskel;

use bpf::{
    link::{
        IterLink,
        Link, //
    },
    module::{
        stay_loaded,
        Filled,
        Slot, //
    },
    syscall::{
        IterTarget,
        SIGNATURES_COVER_MAPS, //
    }, //
};
use gate::{
    args,
    globals,
    maps,
    progs,
    Bss,
    Gate as Object, //
};
#[cfg(not(MODULE))]
use kernel::sync::SetOnce;
use kernel::{
    fmt,
    fs::{
        File,
        Kiocb, //
    },
    impl_has_delayed_work,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    miscdevice::{
        MiscDevice,
        MiscDeviceOptions,
        MiscDeviceRegistration, //
    },
    new_delayed_work,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Arc,
        ArcBorrow, //
    },
    time::msecs_to_jiffies,
    workqueue::{
        self,
        DelayedWork,
        WorkItem, //
    }, //
};
#[cfg(not(MODULE))]
use lskel::initcall::late_initcall_sync;
use lskel::{
    param_value,
    Function,
    LoadError,
    Loaded,
    Shared,
    Skeleton,
    Var, //
};

module! {
    type: GateModule,
    name: "gate",
    authors: ["The bpf_preload_rs developers"],
    description: "Boot policy in BPF that root cannot take off once it is sealed",
    license: "GPL",
    imports_ns: ["BPF_INTERNAL"],
    params: {
        seal: u8 { default: 0, description: "1: sealed as soon as it is loaded", },
        rescue: u8 { default: 0, description: "1: it cannot be sealed", },
        progs: u8 { default: 1, description: "0: BPF progs need no signature", },
        modules: u8 { default: 1, description: "0: modules need no signature", },
        kexec: u8 { default: 1, description: "0: kernel images need no signature", },
        memory: u8 { default: 1, description: "0: memory of the kernel can be had", },
        kprobes: u8 { default: 1, description: "0: kprobes can be set", },
        ptrace: u8 { default: 1, description: "0: processes of other users can be traced", },
        updates: u8 { default: 1, description: "0: BPF links can be updated", },
        keyring: i32 { default: 0, description: "a keyring that is trusted beside the kernel's", },
    },
}

/// The rules, in the order of `enum rule`.
const RULES: [&str; 9] = [
    "progs", "modules", "kexec", "memory", "kprobes", "ptrace", "updates", "own", "unload",
];

/// As in `gate.bpf.c`: there is no prog's type to tell.
const SHARED: u32 = u32::MAX;

/// How often dmesg is told what was refused, and of how much each time.
const TURN_MS: u32 = 500;
const LINES: usize = 8;

/// Where `/dev/gate` finds what it seals.
static STATE: Slot<State> = Slot::new();

// In the order in which they go: the device first, as it leads to the rest.
struct Gate {
    _device: Pin<KBox<MiscDeviceRegistration<State>>>,
    _attached: Attached,
}

impl Gate {
    fn new(module: &'static ThisModule) -> Result<Self> {
        let attached = Attached::new(module)?;
        let options = MiscDeviceOptions { name: c"gate" };
        let device = KBox::pin_init(MiscDeviceRegistration::register(options), GFP_KERNEL)
            .map_err(unmade)?;

        // Last, as nothing may fail after it.
        if param_value::<u8>(module_parameters::seal.value()) != 0 {
            State::seal(attached.state.as_arc_borrow())?;
        }
        Ok(Self {
            _device: device,
            _attached: attached,
        })
    }
}

/// As a module: there from when it is loaded.
struct GateModule {
    _gate: Option<Gate>,
}

impl kernel::Module for GateModule {
    fn init(module: &'static ThisModule) -> Result<Self> {
        // Built in, this is too early: nothing can be attached yet.
        #[cfg(not(MODULE))]
        OWNER.populate(module);

        Ok(Self {
            _gate: if cfg!(MODULE) {
                Some(Gate::new(module)?)
            } else {
                None
            },
        })
    }
}

/// Built in: what `init` was told.
#[cfg(not(MODULE))]
static OWNER: SetOnce<&'static ThisModule> = SetOnce::new();

/// Built in: there for good.
#[cfg(not(MODULE))]
static BUILT_IN: SetOnce<Gate> = SetOnce::new();

#[cfg(not(MODULE))]
fn start_built_in() -> Result {
    BUILT_IN.populate(Gate::new(OWNER.copy().ok_or(ENODEV)?)?);
    Ok(())
}
#[cfg(not(MODULE))]
late_initcall_sync!(start_built_in);

struct Attached {
    state: Arc<State>,
    _filled: Filled<State>,
    _links: KVec<Link>,
    _counts: IterLink,
}

impl Attached {
    fn new(module: &'static ThisModule) -> Result<Self> {
        let mut skel = Skeleton::<Object>::open();
        let rodata = skel.globals_mut(globals::rodata).map_err(said)?;

        for (rule, (value, left_out)) in rodata.rules.iter_mut().zip([
            (
                param_value::<u8>(module_parameters::progs.value()),
                cfg!(without_progs),
            ),
            (
                param_value::<u8>(module_parameters::modules.value()),
                cfg!(without_modules),
            ),
            (
                param_value::<u8>(module_parameters::kexec.value()),
                cfg!(without_kexec),
            ),
            (
                param_value::<u8>(module_parameters::memory.value()),
                cfg!(without_memory),
            ),
            (
                param_value::<u8>(module_parameters::kprobes.value()),
                cfg!(without_kprobes),
            ),
            (
                param_value::<u8>(module_parameters::ptrace.value()),
                cfg!(without_ptrace),
            ),
            (
                param_value::<u8>(module_parameters::updates.value()),
                cfg!(without_updates),
            ),
        ]) {
            rule.set(if left_out { 0 } else { value });
        }
        rodata.verdicts.set(SIGNATURES_COVER_MAPS.into());
        rodata
            .keyring
            .set(param_value::<i32>(module_parameters::keyring.value()));

        let skel = skel.load().map_err(said)?;
        let bss = skel.globals(globals::bss).map_err(said)?;
        let links = attach(&skel)?;

        // Attaching was a bpf command, once the prog for these was there.
        if bss.asked.get() == 0 {
            pr_err!("progs are not asked: the kernel's command line needs lsm=...,bpf\n");
            return Err(ENODEV);
        }
        let denials = skel.prog(progs::denials);
        let counts = denials
            .attach_iter(IterTarget::Map(skel.map(maps::counts)))
            .map_err(said)?;
        let shown = denials.id().map_err(said)?;

        note(&bss.own_links, links.iter().map(Link::id))?;
        note_loaded(&bss, &skel, shown)?;

        let next = skel.prog(progs::next).function().map_err(said)?;
        let state = Arc::pin_init(
            pin_init!(State {
                module,
                bss,
                next,
                is_sealed: Atomic::new(false),
                teller <- new_delayed_work!("gate"),
            }),
            GFP_KERNEL,
        )
        .map_err(unmade)?;

        Ok(Self {
            _filled: STATE.fill(state.clone()).map_err(unmade)?,
            state,
            _links: links,
            _counts: counts,
        })
    }
}

/// Attaches the rules. Apart, for the kernel's stack.
#[inline(never)]
fn attach(skel: &Loaded<Object>) -> Result<KVec<Link>> {
    let mut links = KVec::new();

    for prog in [
        progs::commands,
        progs::own_prog,
        progs::own_map,
        progs::progs,
        progs::locked_down,
        progs::ptrace,
        progs::unload,
    ] {
        let link = skel.prog(prog).attach().map_err(said)?;

        links.push(link, GFP_KERNEL).map_err(unmade)?;
    }
    // The same kernels, by chance, as those whose ftrace cannot be switched off any more.
    if !SIGNATURES_COVER_MAPS {
        let link = skel.prog(progs::files).attach().map_err(said)?;

        links.push(link, GFP_KERNEL).map_err(unmade)?;
    }
    Ok(links)
}

/// Has the progs know the maps and progs that must not be had.
#[inline(never)]
fn note_loaded(bss: &Bss, skel: &Loaded<Object>, shown: u32) -> Result {
    note(&bss.own_maps, skel.map_ids().map_err(said)?)?;
    // All but the one that prints the counts, which bpf-preload-pin has to find.
    note(
        &bss.own_progs,
        skel.prog_ids()
            .map_err(said)?
            .into_iter()
            .filter(|&id| id != shown),
    )
}

/// Says why something could not be loaded.
fn said(e: LoadError) -> Error {
    pr_err!("{e}\n");
    e.into()
}

/// Says why something of the module's own could not be made.
fn unmade(e: impl Into<Error>) -> Error {
    let e = e.into();

    pr_err!("failed to set up: {e:?}\n");
    e
}

/// Puts ids where the progs look for them.
fn note(room: &[Var<u32>], ids: impl IntoIterator<Item = u32>) -> Result {
    let mut room = room.iter();

    for id in ids {
        room.next().ok_or(E2BIG).map_err(unmade)?.set(id);
    }
    Ok(())
}

#[pin_data]
struct State {
    module: &'static ThisModule,
    bss: Shared<Bss>,
    next: Function<args::denial>,
    is_sealed: Atomic<bool>,
    #[pin]
    teller: DelayedWork<Self>,
}

impl_has_delayed_work! {
    impl HasDelayedWork<Self> for State { self.teller }
}

impl State {
    fn seal(this: ArcBorrow<'_, Self>) -> Result {
        if param_value::<u8>(module_parameters::rescue.value()) != 0 {
            pr_warn!("rescue=1: not sealed\n");
            return Err(EPERM);
        }
        if this.is_sealed.xchg(true, Full) {
            return Ok(());
        }
        stay_loaded(this.module).inspect_err(|_| this.is_sealed.store(false, Relaxed))?;
        this.bss.sealed.set(1);
        pr_notice!("sealed\n");
        // This code stays, so that there is no need to ever cancel it.
        let _ = workqueue::system_power_efficient().enqueue(Arc::from(this));
        Ok(())
    }

    /// What the progs were asked to have said.
    fn tell(&self) {
        let mut denial = Zeroable::zeroed();

        for _ in 0..LINES {
            if self.next.call(&mut denial) != 0 {
                break;
            }
            pr_warn!("{}\n", Denial(&denial));
        }
    }
}

impl WorkItem for State {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.tell();
        let lost = this.bss.lost.get();
        if lost != 0 {
            // One that comes in between is in the counts alone.
            this.bss.lost.set(0);
            pr_warn!("{lost} more were refused, which the counts have\n");
        }
        let _ =
            workqueue::system_power_efficient().enqueue_delayed(this, msecs_to_jiffies(TURN_MS));
    }
}

struct Denial<'a>(&'a args::denial);

impl fmt::Display for Denial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args::denial {
            cgroup,
            rule,
            what,
            pid,
            uid,
            comm,
        } = self.0;
        let name = RULES.get(*rule as usize).unwrap_or(&"");
        let comm = CStr::from_bytes_until_nul(comm).unwrap_or_default();

        f.write_fmt(fmt!(
            "{name}: refused to pid {pid} ({comm}), uid {uid}, cgroup {cgroup}: "
        ))?;
        match *name {
            "progs" if *what == SHARED => {
                write!(f, "BPF prog run by fds that another task shares")
            }
            "progs" => write!(f, "BPF prog of type {what} without a trusted signature"),
            "modules" => write!(f, "module without a signature"),
            "kexec" => write!(f, "kernel image without a signature"),
            "memory" => write!(f, "memory of the kernel (lockdown reason {what})"),
            "kprobes" => write!(f, "kprobe"),
            "ptrace" => write!(f, "process {what} of another user"),
            "updates" => write!(f, "update of a BPF link"),
            "unload" => write!(f, "forced unload of a module"),
            _ if *what == 0 => write!(f, "write to ftrace_enabled"),
            _ => write!(f, "id {what}, which is the gate's own"),
        }
    }
}

/// `/dev/gate`.
#[vtable]
impl MiscDevice for State {
    type Ptr = Arc<Self>;

    fn open(_file: &File, _misc: &MiscDeviceRegistration<Self>) -> Result<Arc<Self>> {
        STATE.get().ok_or(ENODEV)
    }

    fn read_iter(mut kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterDest<'_>) -> Result<usize> {
        let text: &[u8] = if kiocb.file().bss.sealed.get() != 0 {
            b"sealed\n"
        } else {
            b"open\n"
        };

        iov.simple_read_from_buffer(kiocb.ki_pos_mut(), text)
    }

    fn write_iter(kiocb: Kiocb<'_, Self::Ptr>, iov: &mut IovIterSource<'_>) -> Result<usize> {
        let mut text = KVec::new();
        let len = iov.copy_from_iter_vec(&mut text, GFP_KERNEL)?;

        if text.trim_ascii() != b"1" {
            return Err(EINVAL);
        }
        State::seal(kiocb.file())?;
        Ok(len)
    }
}
