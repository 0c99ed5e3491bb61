// SPDX-License-Identifier: GPL-2.0

//! The skeleton of an object, in the state that it is in.

use super::{
    abi::{
        bpf_loader_ctx,
        bpf_map_desc,
        bpf_prog_desc,
        BPF_SKEL_KERNEL, //
    },
    fields::Fields,
    loader::{
        load_and_run,
        LoadError,
        Step, //
    },
};
use crate::bpf::{
    fd::OwnedFd,
    link::Link,
    syscall, //
};
use core::marker::PhantomData;
use kernel::{
    bindings,
    prelude::*, //
};

/// A BPF object as `lskel-gen` emits it.
///
/// # Safety
///
/// `DATA` and `INSNS` are one output of libbpf's gen_loader, in the machine's byte order. Run on a context
/// that has a descriptor for each field of `Maps` and then of `Progs`, the loader prog writes fds that it
/// has opened into them. It names one fd, index 0: a map with one value, `DATA`. The addresses that it
/// passes to the kernel lie in that value or come from the context.
pub(crate) unsafe trait Object {
    /// A field for each map.
    type Maps: Fields;
    /// A field for each prog.
    type Progs: Fields;

    /// The object's name.
    const NAME: &'static CStr;
    /// What the loader prog works on.
    const DATA: &'static [u8];
    /// The loader prog.
    const INSNS: &'static [u8];
    /// What the object says of its maps.
    const MAPS: <Self::Maps as Fields>::Of<MapDef>;
    /// What the object says of its progs.
    const PROGS: <Self::Progs as Fields>::Of<ProgDef>;
}

/// What an object says of a map.
#[derive(Clone, Copy)]
pub(crate) struct MapDef {
    /// The map's name in the kernel.
    pub(crate) name: &'static CStr,
    /// A `BPF_MAP_TYPE_*`.
    pub(crate) map_type: bindings::bpf_map_type,
    /// Size of a key, in bytes.
    pub(crate) key_size: u32,
    /// Size of a value, in bytes.
    pub(crate) value_size: u32,
    /// In elements.
    pub(crate) max_entries: u32,
}

/// What an object says of a prog.
#[derive(Clone, Copy)]
pub(crate) struct ProgDef {
    /// The prog's function.
    pub(crate) name: &'static CStr,
    /// The ELF section, which tells what the prog attaches to.
    pub(crate) section: &'static CStr,
    /// A `BPF_PROG_TYPE_*`.
    pub(crate) prog_type: bindings::bpf_prog_type,
    /// A `BPF_*` attach type.
    pub(crate) expected_attach_type: bindings::bpf_attach_type,
}

/// A `T` for each map of `O`.
type MapsOf<O, T> = <<O as Object>::Maps as Fields>::Of<T>;
/// A `T` for each prog of `O`.
type ProgsOf<O, T> = <<O as Object>::Progs as Fields>::Of<T>;

/// The context of an object's loader prog. Made of integers only: any bytes will do.
#[repr(C)]
struct Ctx<O: Object> {
    head: bpf_loader_ctx,
    maps: MapsOf<O, bpf_map_desc>,
    progs: ProgsOf<O, bpf_prog_desc>,
}

impl<O: Object> Ctx<O> {
    fn new() -> Self {
        Self {
            head: bpf_loader_ctx {
                // A few dozen bytes a map: `load_and_run` is refused long before this wraps.
                sz: size_of::<Self>() as u32,
                flags: BPF_SKEL_KERNEL,
                ..Default::default()
            },
            maps: O::Maps::map(O::MAPS, |_| bpf_map_desc::default()),
            progs: O::Progs::map(O::PROGS, |_| bpf_prog_desc::default()),
        }
    }
}

/// State of a [`Skeleton`]: nothing of the object is in the kernel.
pub(crate) struct Open(());

/// State of a [`Skeleton`]: its maps and progs are in the kernel.
pub(crate) struct Loaded<O: Object> {
    maps: MapsOf<O, OwnedFd>,
    progs: ProgsOf<O, OwnedFd>,
}

/// State of a [`Skeleton`]: its progs are attached.
pub(crate) struct Attached<O: Object> {
    loaded: Loaded<O>,
    links: ProgsOf<O, Link>,
}

/// An object on its way into the kernel: [`Open`], then [`Loaded`], then [`Attached`].
///
/// What a skeleton has opened is closed when it is dropped, in whatever state it is.
pub(crate) struct Skeleton<O: Object, S> {
    state: S,
    _object: PhantomData<O>,
}

impl<O: Object> Skeleton<O, Open> {
    /// The object as it was generated.
    pub(crate) fn open() -> Self {
        Self {
            state: Open(()),
            _object: PhantomData,
        }
    }

    /// Creates the maps and loads the progs.
    ///
    /// # Errors
    ///
    /// A [`LoadError`]: nothing of the object is left in the kernel then.
    pub(crate) fn load(self) -> Result<Skeleton<O, Loaded<O>>, LoadError> {
        let Open(()) = self.state;
        let mut ctx = KBox::new(Ctx::<O>::new(), GFP_KERNEL)
            .map_err(|e| LoadError::at::<O>(Step::Alloc)(e.into()))?;
        let size = ctx.head.sz;

        // SAFETY: the context starts with its head, has `size` bytes, and any bytes will do for it.
        unsafe { load_and_run::<O, _>(&raw mut *ctx, size) }?;

        // All of them are ours before the first that is missing can end this.
        let maps = O::Maps::map(O::Maps::as_ref(&ctx.maps), |desc| take_fd(desc.map_fd));
        let progs = O::Progs::map(O::Progs::as_ref(&ctx.progs), |desc| take_fd(desc.prog_fd));
        let maps = O::Maps::try_map(O::Maps::zip(maps, O::MAPS), |(fd, def)| {
            fd.map_err(LoadError::at::<O>(Step::TakeFd(def.name)))
        })?;
        let progs = O::Progs::try_map(O::Progs::zip(progs, O::PROGS), |(fd, def)| {
            fd.map_err(LoadError::at::<O>(Step::TakeFd(def.name)))
        })?;

        Ok(Skeleton {
            state: Loaded { maps, progs },
            _object: PhantomData,
        })
    }
}

/// Takes over an fd that a loader prog has left in its context, where 0 means none. `EBADF` for none.
fn take_fd(fd: i32) -> Result<OwnedFd> {
    if fd <= 0 {
        return Err(EBADF);
    }
    // SAFETY: by the contract of `Object` the loader prog has opened it, and nothing else knows of it.
    unsafe { OwnedFd::from_ret(fd) }
}

impl<O: Object> Skeleton<O, Loaded<O>> {
    /// The fd of each map.
    pub(crate) fn maps(&self) -> &MapsOf<O, OwnedFd> {
        &self.state.maps
    }

    /// Attaches each prog.
    ///
    /// # Errors
    ///
    /// A [`LoadError`] that names the prog: `EOPNOTSUPP` for a kind that this cannot attach. Nothing is
    /// attached then, and nothing of the object is left in the kernel.
    pub(crate) fn attach(self) -> Result<Skeleton<O, Attached<O>>, LoadError> {
        let progs = O::Progs::as_ref(&self.state.progs);
        let links = O::Progs::try_map(O::Progs::zip(progs, O::PROGS), |(prog, def)| {
            let fd = attach(prog, &def).map_err(LoadError::at::<O>(Step::Attach(def.name)))?;

            Link::get_from_fd(&fd).map_err(LoadError::at::<O>(Step::TakeLink(def.name)))
        })?;

        Ok(Skeleton {
            state: Attached {
                loaded: self.state,
                links,
            },
            _object: PhantomData,
        })
    }
}

/// Attaches one prog and returns the link's fd.
fn attach(prog: &OwnedFd, def: &ProgDef) -> Result<OwnedFd> {
    match (def.prog_type, def.expected_attach_type) {
        (
            bindings::bpf_prog_type_BPF_PROG_TYPE_TRACING,
            bindings::bpf_attach_type_BPF_TRACE_ITER,
        ) => syscall::link_create(prog, def.expected_attach_type),
        // Not every kernel that this builds for has a name for it in Rust.
        _ => Err(Error::from_errno(-(bindings::EOPNOTSUPP as c_int))),
    }
}

impl<O: Object> Skeleton<O, Attached<O>> {
    /// Takes the links out and closes everything else. What is attached stays so, with the maps that it
    /// uses, for as long as its link lives.
    pub(crate) fn into_links(self) -> ProgsOf<O, Link> {
        let Attached { loaded, links } = self.state;

        drop(loaded);
        links
    }
}
