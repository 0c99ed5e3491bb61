// SPDX-License-Identifier: GPL-2.0

//! The steps of a light skeleton: a map with the loader's data, the loader prog, one run of it.
//!
//! C header: [`tools/lib/bpf/skel_internal.h`](srctree/tools/lib/bpf/skel_internal.h),
//! `bpf_load_and_run()`

use crate::bpf::syscall::{
    self,
    MapCreate,
    ProgLoad, //
};
use kernel::{
    bindings,
    error::to_result,
    fmt,
    prelude::*, //
};

/// What was being done for an object when it failed.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// Memory for the context.
    Alloc,
    /// `BPF_MAP_CREATE` for the loader's data.
    CreateLoaderMap,
    /// `BPF_MAP_UPDATE_ELEM` of the loader's data.
    UpdateLoaderMap,
    /// `BPF_PROG_LOAD` of the loader prog.
    LoadLoaderProg,
    /// `BPF_PROG_RUN` of the loader prog: it did not start.
    RunLoaderProg,
    /// A command that the loader prog ran.
    LoaderProg,
    /// The loader prog was content but gave no fd for this map or prog.
    TakeFd(&'static CStr),
    /// `BPF_MAP_UPDATE_ELEM` of a prog in this prog array.
    FillProgArray(&'static CStr),
    /// `BPF_LINK_CREATE` for this prog.
    Attach(&'static CStr),
    /// The link of this prog could not be had from its fd, or is not what it was attached as.
    TakeLink(&'static CStr),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, name) = match self {
            Step::Alloc => ("allocate the loader's context", None),
            Step::CreateLoaderMap => ("create the loader map", None),
            Step::UpdateLoaderMap => ("update the loader map", None),
            Step::LoadLoaderProg => ("load the loader prog", None),
            Step::RunLoaderProg => ("run the loader prog", None),
            Step::LoaderProg => ("load its maps and progs", None),
            Step::TakeFd(name) => ("take the fd of ", Some(name)),
            Step::FillProgArray(name) => ("put a prog into ", Some(name)),
            Step::Attach(name) => ("attach ", Some(name)),
            Step::TakeLink(name) => ("take the link of ", Some(name)),
        };

        f.write_str(what)?;
        name.map_or(Ok(()), |name| fmt::Display::fmt(name, f))
    }
}

/// Not every kernel that this builds for has a name for it in Rust.
pub(super) fn eopnotsupp() -> Error {
    Error::from_errno(-(bindings::EOPNOTSUPP as c_int))
}

/// Why an object is not there: the step, and the errno that the kernel gave.
#[derive(Clone, Copy)]
pub(crate) struct LoadError {
    step: Step,
    error: Error,
}

impl LoadError {
    /// For use with [`Result::map_err`].
    pub(crate) fn at(step: Step) -> impl FnOnce(Error) -> Self {
        move |error| Self {
            step,
            // User space has no name for the kernel's own 524, and gets to see it from `insmod`.
            error: if error == ENOTSUPP {
                eopnotsupp()
            } else {
                error
            },
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to ")?;
        fmt::Display::fmt(&self.step, f)?;
        write!(f, ": {:?} ({})", self.error, self.error.to_errno())
    }
}

impl From<LoadError> for Error {
    fn from(e: LoadError) -> Self {
        e.error
    }
}

/// Runs a loader prog, `insns`, on a map with the value `data` and on `ctx`, which has `size` bytes.
///
/// The map and the loader prog are gone when this returns. While the prog runs they hold the lowest free
/// fds, so that what it opens is never fd 0, which it could not tell from none.
///
/// # Safety
///
/// `data` and `insns` must keep the contract of [`Object`](super::Object). `ctx` must be valid for reads and
/// writes of `size` bytes, start with a [`bpf_loader_ctx`](super::abi::bpf_loader_ctx), and stand for any
/// bytes.
pub(crate) unsafe fn load_and_run<C>(
    data: &[u8],
    insns: &[u8],
    ctx: *mut C,
    size: u32,
) -> Result<(), LoadError> {
    let map = u32::try_from(data.len())
        .map_err(Error::from)
        .and_then(|value_size| {
            syscall::map_create(&MapCreate {
                map_type: bindings::bpf_map_type_BPF_MAP_TYPE_ARRAY,
                map_name: c"__loader.map",
                key_size: 4,
                value_size,
                max_entries: 1,
            })
        })
        .map_err(LoadError::at(Step::CreateLoaderMap))?;

    // SAFETY: the map was made for a key of 4 bytes and a value of this size.
    unsafe { syscall::map_update_elem(&map, &[0; 4], data) }
        .map_err(LoadError::at(Step::UpdateLoaderMap))?;

    let prog = ProgLoad {
        prog_type: bindings::bpf_prog_type_BPF_PROG_TYPE_SYSCALL,
        prog_name: c"__loader.prog",
        insns,
        license: c"Dual BSD/GPL",
        prog_flags: bindings::BPF_F_SLEEPABLE,
        fd_array: &[map.as_raw()],
    };
    // SAFETY: by the caller's promise the loader prog names one fd, index 0.
    let prog = unsafe { syscall::prog_load(&prog) }.map_err(LoadError::at(Step::LoadLoaderProg))?;

    // SAFETY: by the caller's promise, for the context and for the addresses that the prog passes on:
    // within its map, or given by the context.
    let ret = unsafe { syscall::prog_run(&prog, ctx, size) }
        .map_err(LoadError::at(Step::RunLoaderProg))?;
    to_result(ret).map_err(LoadError::at(Step::LoaderProg))
}
