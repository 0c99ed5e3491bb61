// SPDX-License-Identifier: GPL-2.0

//! BPF iterators for introspection in bpffs, in Rust.
//!
//! Each BPF file system that is mounted while this is loaded gets two files: `maps.debug` and
//! `progs.debug` list the BPF maps and progs of the whole system. `bpf_preload_links` has one more
//! iterator.
//!
//! C file: [`kernel/bpf/preload/bpf_preload_kern.c`](srctree/kernel/bpf/preload/bpf_preload_kern.c)

#![deny(unsafe_code)]

mod bpf;
#[allow(unsafe_code, reason = "generated: what the blobs promise to `lskel`")]
#[cfg_attr(
    all(target_endian = "little", not(iterators_signed)),
    path = "iterators/iterators.lskel-little-endian.rs"
)]
#[cfg_attr(
    all(target_endian = "big", not(iterators_signed)),
    path = "iterators/iterators.lskel-big-endian.rs"
)]
#[cfg_attr(
    all(target_endian = "little", iterators_signed),
    path = "iterators/signed/iterators.lskel-little-endian.rs"
)]
#[cfg_attr(
    all(target_endian = "big", iterators_signed),
    path = "iterators/signed/iterators.lskel-big-endian.rs"
)]
mod iterators;
mod lskel;

use bpf::{
    link::IterLink,
    preload::{
        Handed,
        LinkName,
        Preload,
        PreloadLink,
        Registration,
        BPF_PRELOAD_LINKS, //
    }, //
};
use iterators::{
    progs,
    Iterators, //
};
#[cfg(iterators_signed)]
use kernel::{
    debugfs,
    fmt, //
};
use kernel::{
    prelude::*,
    sync::SetOnce, //
};
#[cfg(not(MODULE))]
use lskel::initcall::late_initcall_sync;
use lskel::{
    param_value,
    Keyring,
    LoadError,
    Skeleton, //
};

module! {
    type: BpfPreloadRs,
    name: "bpf_preload_rs",
    authors: ["The bpf_preload_rs developers"],
    description: "BPF iterators for introspection in bpffs",
    license: "GPL",
    alias: ["bpf_preload"],
    imports_ns: ["BPF_INTERNAL"],
    params: {
        enable: u32 {
            default: 1,
            description: "0: nothing is preloaded and bpffs stays as it is, for rescue",
        },
        hold: u32 {
            default: 1,
            description: "0: each mount loads progs of its own, which go with its files",
        },
        log_level: u32 {
            default: 1,
            description: "Level of the kernel's log of a load that fails, which goes to dmesg",
        },
        require_signed: u32 {
            default: 0,
            description: "1: progs are loaded only with a signature that the kernel has verified",
        },
        keyring: i32 {
            default: 1,
            description: "Keyring of that key: 0 builtin, 1 secondary, 2 platform, or a serial",
        },
    },
}

struct BpfPreloadRs {
    _registration: Option<Registration<DebugFiles>>,
    #[cfg(iterators_signed)]
    _verdict: Pin<KBox<debugfs::File<VerdictFile>>>,
}

impl kernel::Module for BpfPreloadRs {
    fn init(module: &'static ThisModule) -> Result<Self> {
        // Built in, this is too early: the iterators' targets are registered later.
        #[cfg(not(MODULE))]
        OWNER.populate(module);

        Ok(Self {
            _registration: if cfg!(MODULE) { provide(module)? } else { None },
            #[cfg(iterators_signed)]
            _verdict: verdict_file()?,
        })
    }
}

/// Built in: what `init` was told.
#[cfg(not(MODULE))]
static OWNER: SetOnce<&'static ThisModule> = SetOnce::new();

/// Built in: registered for good.
#[cfg(not(MODULE))]
static BUILT_IN: SetOnce<Registration<DebugFiles>> = SetOnce::new();

#[cfg(not(MODULE))]
fn provide_built_in() -> Result {
    if let Some(registration) = provide(OWNER.copy().ok_or(ENODEV)?)? {
        BUILT_IN.populate(registration);
    }
    Ok(())
}
#[cfg(not(MODULE))]
late_initcall_sync!(provide_built_in);

/// Loads the progs and has mounts show their files from then on. [`None`] if that is switched off.
fn provide(module: &'static ThisModule) -> Result<Option<Registration<DebugFiles>>> {
    let mut files = DebugFiles {
        for_mounts: None,
        links: SetOnce::new(),
    };
    let mut ready = true;

    if param_value::<u32>(module_parameters::enable.value()) == 0 {
        pr_info!("switched off by enable=0\n");
        return Ok(None);
    }
    if param_value::<u32>(module_parameters::hold.value()) == 0 {
        let mut skel = open();

        skel.keep().map_err(|e| files.failed(e))?;
        files.for_mounts = Some(skel);
    } else {
        match files.load() {
            // What is built in is not loaded again by hand: where it may help, mounts try again.
            Err(_) if cfg!(not(MODULE)) && !files.is_settled() => ready = false,
            result => result?,
        }
    }
    let registration = Registration::new(module, files).inspect_err(|e| match *e {
        EBUSY => pr_err!("bpf_preload_ops are taken, is bpf_preload loaded? {e:?}\n"),
        _ => pr_err!("failed to register: {e:?}\n"),
    })?;

    if ready {
        say_ready();
    }
    Ok(Some(registration))
}

fn say_ready() {
    pr_info!("maps.debug and progs.debug are in every bpffs mounted from now on\n");
}

const MAPS_DEBUG: LinkName = LinkName::new(c"maps.debug").unwrap();
const PROGS_DEBUG: LinkName = LinkName::new(c"progs.debug").unwrap();

fn must_be_signed() -> bool {
    cfg!(CONFIG_BPF_PRELOAD_RS_REQUIRE_SIGNED)
        || param_value::<u32>(module_parameters::require_signed.value()) != 0
}

/// What the kernel has found of the signature, once the progs are loaded.
#[cfg(iterators_signed)]
static VERDICT: SetOnce<lskel::Verdict> = SetOnce::new();

/// What is in the file that says so.
#[cfg(iterators_signed)]
struct VerdictFile;

#[cfg(iterators_signed)]
fn verdict_file() -> Result<Pin<KBox<debugfs::File<VerdictFile>>>> {
    let dir = debugfs::Dir::new(c"bpf_preload_rs");

    KBox::pin_init(dir.read_only_file(c"signature", VerdictFile), GFP_KERNEL)
}

#[cfg(iterators_signed)]
impl fmt::Debug for VerdictFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match VERDICT.as_ref() {
            Some(verdict) => f.write_fmt(fmt!("{verdict}")),
            None => f.write_str("not loaded"),
        }
    }
}

/// The progs, to be loaded.
fn open() -> Skeleton<Iterators> {
    Skeleton::open()
        .log_level(param_value(module_parameters::log_level.value()))
        .keyring(Keyring::from_number(param_value(
            module_parameters::keyring.value(),
        )))
        .must_be_signed(must_be_signed())
}

/// The links behind the files.
struct Links {
    maps: IterLink,
    progs: IterLink,
}

impl Links {
    fn load() -> Result<Self, LoadError> {
        let skel = open().load()?;

        #[cfg(iterators_signed)]
        VERDICT.populate(skel.verdict());
        Ok(Self {
            maps: skel.prog(progs::dump_bpf_map).attach()?,
            progs: skel.prog(progs::dump_bpf_prog).attach()?,
        })
    }
}

/// `maps.debug` and `progs.debug`.
struct DebugFiles {
    /// With `hold=0`: what each mount loads.
    for_mounts: Option<Skeleton<Iterators>>,
    /// With `hold=1`, once their progs are loaded. An error: they never will be.
    links: SetOnce<Result<Links>>,
}

impl DebugFiles {
    /// Whether the progs are there, or never will be: a load would bring nothing.
    fn is_settled(&self) -> bool {
        self.links.as_ref().is_some()
    }

    /// Loads the progs. One call at a time.
    fn load(&self) -> Result {
        let links = Links::load().map_err(|e| self.failed(e))?;

        self.links.populate(Ok(links));
        Ok(())
    }

    /// Loads progs that one mount has for itself.
    fn load_for_a_mount(
        &self,
        skel: &Skeleton<Iterators>,
    ) -> Result<[PreloadLink<'_>; BPF_PRELOAD_LINKS]> {
        if let Some(Err(e)) = self.links.as_ref() {
            return Err(*e);
        }
        let load = || {
            let skel = skel.load()?;

            #[cfg(iterators_signed)]
            VERDICT.populate(skel.verdict());
            Ok([
                PreloadLink {
                    name: MAPS_DEBUG,
                    link: Handed::Given(skel.prog(progs::dump_bpf_map).attach_file()?),
                },
                PreloadLink {
                    name: PROGS_DEBUG,
                    link: Handed::Given(skel.prog(progs::dump_bpf_prog).attach_file()?),
                },
            ])
        };

        load().map_err(|e| self.failed(e))
    }

    /// Says why a load has failed, and remembers it if the next one would.
    fn failed(&self, e: LoadError) -> Error {
        let permanent = e.is_permanent();

        pr_err!("iterators: {e}\n");
        let e = e.into();
        if permanent {
            self.links.populate(Err(e));
        }
        e
    }
}

impl Preload for DebugFiles {
    fn preload(&self) -> Result<[PreloadLink<'_>; BPF_PRELOAD_LINKS]> {
        if let Some(skel) = &self.for_mounts {
            return self.load_for_a_mount(skel);
        }
        if !self.is_settled() {
            self.load()?;
            say_ready();
        }
        let links = match self.links.as_ref() {
            Some(Ok(links)) => links,
            Some(Err(e)) => return Err(*e),
            None => return Err(EAGAIN),
        };

        Ok([
            PreloadLink {
                name: MAPS_DEBUG,
                link: Handed::Lent(&links.maps),
            },
            PreloadLink {
                name: PROGS_DEBUG,
                link: Handed::Lent(&links.progs),
            },
        ])
    }
}
