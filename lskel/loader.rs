// SPDX-License-Identifier: GPL-2.0

//! The steps of a light skeleton: a map with the loader's data, the loader prog, one run of it.
//!
//! C header: [`tools/lib/bpf/skel_internal.h`](srctree/tools/lib/bpf/skel_internal.h),
//! `bpf_load_and_run()`

use crate::bpf::{
    map::Map,
    syscall::{
        self,
        MapCreate,
        ProgLoad, //
    }, //
};
use kernel::{
    bindings,
    error::to_result,
    fmt,
    prelude::*, //
};

/// What was being done for an object when it failed.
#[derive(Clone, Copy, PartialEq)]
pub enum Step {
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
    /// `BPF_BTF_LOAD` of the object's types, or `BPF_MAP_CREATE` of this first map.
    LoadBtfOrCreateMap(&'static CStr),
    /// `BPF_MAP_CREATE` for this map.
    CreateMap(&'static CStr),
    /// What this prog needs is not in the kernel's BTF, or not among its symbols.
    FindBtf {
        /// The prog.
        prog: &'static CStr,
        /// What it needs: `bpf_lsm_…`, `btf_trace_…` and `bpf_iter_…` stand for the hook,
        /// tracepoint and target.
        name: &'static CStr,
    },
    /// `BPF_PROG_LOAD` of this prog.
    LoadProg(&'static CStr),
    /// The loader prog was content but gave no fd for this map or prog.
    TakeFd(&'static CStr),
    /// A section of globals of this object could not be reached.
    Globals(&'static CStr),
    /// `BPF_MAP_UPDATE_ELEM` of a prog in this prog array.
    FillProgArray(&'static CStr),
    /// open(2) of what a prog is to be attached to.
    Open(&'static CStr),
    /// `BPF_LINK_CREATE` for this prog.
    Attach(&'static CStr),
    /// The link of this prog could not be had from its fd, or is not what it was attached as.
    TakeLink(&'static CStr),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, name) = match self {
            Step::FindBtf { prog, name } => {
                return f.write_fmt(fmt!("find {name} for prog {prog}"));
            }
            Step::Alloc => ("allocate the loader's context", None),
            Step::CreateLoaderMap => ("create the loader map", None),
            Step::UpdateLoaderMap => ("update the loader map", None),
            Step::LoadLoaderProg => ("load the loader prog", None),
            Step::RunLoaderProg => ("run the loader prog", None),
            Step::LoaderProg => ("load its maps and progs", None),
            Step::LoadBtfOrCreateMap(name) => ("load its BTF or to create map ", Some(name)),
            Step::CreateMap(name) => ("create map ", Some(name)),
            Step::LoadProg(name) => ("load prog ", Some(name)),
            Step::TakeFd(name) => ("take the fd of ", Some(name)),
            Step::Globals(name) => ("reach the globals of ", Some(name)),
            Step::FillProgArray(name) => ("put a prog into ", Some(name)),
            Step::Open(name) => ("open ", Some(name)),
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

/// Why an object is not there: the step, the errno that the kernel gave, and what to do about it.
#[derive(Clone, Copy)]
pub struct LoadError {
    step: Step,
    error: Error,
    remedy: Option<&'static str>,
}

impl LoadError {
    /// For use with [`Result::map_err`].
    pub fn at(step: Step) -> impl FnOnce(Error) -> Self {
        move |error| Self {
            step,
            // User space has no name for the kernel's own 524, and gets to see it from `insmod`.
            error: if error == ENOTSUPP {
                eopnotsupp()
            } else {
                error
            },
            remedy: None,
        }
    }

    /// The same with another remedy than what its errno tells.
    pub(super) fn with_remedy(self, remedy: &'static str) -> Self {
        Self {
            remedy: Some(remedy),
            ..self
        }
    }

    /// The same with another remedy, if it is one of these errors.
    pub(super) fn remedied_if(self, errors: &[Error], remedy: &'static str) -> Self {
        if errors.contains(&self.error) {
            self.with_remedy(remedy)
        } else {
            self
        }
    }

    /// The same error, once more is known of where it was.
    pub(super) fn within(self, step: Step) -> Self {
        Self { step, ..self }
    }

    pub(super) fn step(&self) -> Step {
        self.step
    }

    pub(super) fn error(&self) -> Error {
        self.error
    }

    /// What the user can do, where the step and the errno tell.
    fn remedy(&self) -> Option<&'static str> {
        if self.remedy.is_some() {
            return self.remedy;
        }
        let error = self.error;

        match self.step {
            Step::LoadLoaderProg | Step::RunLoaderProg | Step::LoadProg(_)
                if error == eopnotsupp() =>
            {
                Some(if cfg!(CONFIG_PREEMPT_RT) {
                    "is the JIT off? sysctl net.core.bpf_jit_enable=1; PREEMPT_RT has no BPF timers"
                } else {
                    "is the JIT off? sysctl net.core.bpf_jit_enable=1"
                })
            }
            Step::RunLoaderProg if error == EINVAL => Some("the kernel needs CONFIG_BPF_JIT"),
            Step::FindBtf { .. } if error == EINVAL => {
                Some("the kernel needs CONFIG_DEBUG_INFO_BTF")
            }
            Step::FindBtf { .. } => Some("this kernel is too old for it, or configured without it"),
            _ if error == EPERM => {
                Some("it takes CAP_SYS_ADMIN, and no LSM or lockdown that forbids it")
            }
            _ if error == EMFILE => Some("raise the limit of open files"),
            _ => None,
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to ")?;
        fmt::Display::fmt(&self.step, f)?;
        write!(f, ": {:?} ({})", self.error, self.error.to_errno())?;
        match self.remedy() {
            Some(remedy) => write!(f, ": {remedy}"),
            None => Ok(()),
        }
    }
}

impl From<LoadError> for Error {
    fn from(e: LoadError) -> Self {
        e.error
    }
}

/// Whether `insns` are for machines of the other byte order.
///
/// Each loader prog starts with r6 = r1, and the two halves of an instruction's second byte, its
/// registers, change places with the byte order.
fn has_other_byte_order(insns: &[u8]) -> bool {
    let registers = if cfg!(target_endian = "little") {
        0x61
    } else {
        0x16
    };

    insns.get(1) == Some(&registers)
}

/// Runs a loader prog, `insns`, on a map with the value `data` and on `ctx`, which has `size`
/// bytes.
///
/// The map and the loader prog are gone when this returns. While the prog runs they hold the lowest
/// free fds, so that what it opens is never fd 0, which it could not tell from none.
///
/// If a command fails that the loader prog runs, `left` gets the data as it has left them, if there
/// is memory for that.
///
/// # Safety
///
/// `data` and `insns` must keep the contract of [`Object`](super::Object). `ctx` must be valid for
/// reads and writes of `size` bytes, start with a [`bpf_loader_ctx`](super::abi::bpf_loader_ctx),
/// and stand for any bytes.
pub unsafe fn load_and_run<C>(
    data: &[u8],
    insns: &[u8],
    ctx: *mut C,
    size: u32,
    left: &mut KVVec<u8>,
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
    let prog = unsafe { syscall::prog_load(&prog) }
        .map_err(LoadError::at(Step::LoadLoaderProg))
        .map_err(|e| match has_other_byte_order(insns) {
            true => e.with_remedy("it was generated for the other byte order"),
            false => e,
        })?;

    // SAFETY: by the caller's promise, for the context and for the addresses that the prog passes
    // on: within its map, or given by the context.
    let ret = unsafe { syscall::prog_run(&prog, ctx, size) }
        .map_err(LoadError::at(Step::RunLoaderProg))?;
    to_result(ret).map_err(|error| {
        *left = Map::get_from_fd(&map)
            .and_then(|map| map.copy_array_value())
            .unwrap_or_default();
        LoadError::at(Step::LoaderProg)(error)
    })
}
