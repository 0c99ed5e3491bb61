// SPDX-License-Identifier: GPL-2.0

//! Why an object is not there.

use super::{
    advice,
    object::{
        Command,
        ObjectDef, //
    }, //
};
use crate::bpf::syscall::Signature;
use kernel::{
    bindings,
    fmt,
    prelude::*, //
};

/// What was being done for an object when it failed.
#[derive(Clone, Copy, PartialEq)]
pub enum Step {
    /// Memory for it.
    Alloc,
    /// The object's data are copied.
    ReadData,
    /// `BPF_MAP_CREATE` for the loader's data.
    CreateLoaderMap,
    /// The loader's data are put into its map.
    FillLoaderMap,
    /// `BPF_PROG_LOAD` of the loader prog.
    LoadLoaderProg,
    /// `BPF_PROG_LOAD` of the loader prog with the object's signature.
    LoadSignedLoader,
    /// `BPF_PROG_RUN` of the loader prog: it did not start.
    RunLoaderProg,
    /// The loader prog does not understand the table.
    WalkTable,
    /// `BPF_BTF_LOAD` of the object's types.
    LoadBtf,
    /// `BPF_MAP_CREATE` for this map.
    CreateMap(&'static CStr),
    /// This map gets its initial value.
    FillMap(&'static CStr),
    /// `BPF_MAP_FREEZE` of this map.
    FreezeMap(&'static CStr),
    /// `BPF_MAP_UPDATE_ELEM` of a map in this map.
    UpdateMap(&'static CStr),
    /// `BPF_MAP_UPDATE_ELEM` of a prog in this prog array.
    PutProg(&'static CStr),
    /// What this prog needs is not in the kernel's BTF, or not among its symbols.
    Find {
        /// The prog.
        prog: &'static CStr,
        /// What it needs: `bpf_lsm_…`, `btf_trace_…` and `bpf_iter_…` stand for the hook,
        /// tracepoint and target.
        name: &'static CStr,
    },
    /// `BPF_PROG_LOAD` of the prog that asks where the kernel's structs have their members.
    LoadLayout,
    /// A run of that prog.
    RunLayout,
    /// The kernel lacks the type of this map's value.
    FindType {
        /// The map.
        map: &'static CStr,
        /// The type.
        name: &'static CStr,
    },
    /// The kernel's struct lacks a member that is set in this map, or has it in another way.
    FindMember {
        /// The map.
        map: &'static CStr,
        /// The member.
        name: &'static CStr,
    },
    /// `BPF_PROG_LOAD` of this prog.
    LoadProg(&'static CStr),
    /// This map or prog could not be had from its fd.
    TakeFd(&'static CStr),
    /// The globals of this map could not be reached.
    Globals(&'static CStr),
    /// open(2) of what a prog is to be attached to.
    Open(&'static CStr),
    /// `BPF_LINK_CREATE` for this prog.
    Attach(&'static CStr),
    /// This struct_ops map is registered.
    Register(&'static CStr),
    /// This struct_ops map lacks a callback that it has to have.
    RegisterWithout {
        /// The map.
        map: &'static CStr,
        /// The callback.
        name: &'static CStr,
    },
    /// The link of this prog could not be had from its fd, or is not what it was attached as.
    TakeLink(&'static CStr),
}

impl Step {
    /// The error of this step.
    ///
    /// # Examples
    ///
    /// ```
    /// use kernel::lskel::Step;
    ///
    /// let error = Step::LoadProg(c"count_fork").failed(EACCES);
    ///
    /// assert_eq!(Error::from(error), EACCES);
    /// ```
    pub fn failed(self, error: Error) -> LoadError {
        LoadError {
            step: self,
            // User space has no name for the kernel's own 524, and gets to see it from `insmod`.
            error: if error == ENOTSUPP {
                eopnotsupp()
            } else {
                error
            },
            advice: None,
            seen_twice: false,
        }
    }

    /// What the record of this number is for in the table of `def`.
    pub(super) fn of_record(def: &ObjectDef, record: u32) -> Option<Self> {
        let before = def.commands.partition_point(|&(first, _)| first <= record);
        let (_, command) = def.commands.get(before.checked_sub(1)?)?;
        let map = |index: usize| Some(def.maps.get(index)?.name);
        let prog = |index: usize| Some(def.progs.get(index)?.name);

        Some(match *command {
            Command::LoadBtf => Self::LoadBtf,
            Command::CreateMap(index) => Self::CreateMap(map(index)?),
            Command::UpdateMap(index) => Self::UpdateMap(map(index)?),
            Command::FreezeMap(index) => Self::FreezeMap(map(index)?),
            Command::Find(index, name) => Self::Find {
                prog: prog(index)?,
                name,
            },
            Command::LoadProg(index) => Self::LoadProg(prog(index)?),
            Command::PutProg(index, _) => Self::PutProg(map(index)?),
            Command::LoadLayout => Self::LoadLayout,
            Command::FindType(index, name) => Self::FindType {
                map: map(index)?,
                name,
            },
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, name) = match *self {
            Step::Alloc => ("allocate memory", c""),
            Step::ReadData => ("read its data", c""),
            Step::CreateLoaderMap => ("create the loader map", c""),
            Step::FillLoaderMap => ("fill the loader map", c""),
            Step::LoadLoaderProg => ("load the loader prog", c""),
            Step::LoadSignedLoader => ("load the signed loader prog", c""),
            Step::RunLoaderProg => ("run the loader prog", c""),
            Step::WalkTable => ("walk the table of its data", c""),
            Step::LoadBtf => ("load its BTF", c""),
            Step::CreateMap(name) => ("create map ", name),
            Step::FillMap(name) => ("fill map ", name),
            Step::FreezeMap(name) => ("freeze map ", name),
            Step::UpdateMap(name) => ("put a map into ", name),
            Step::PutProg(name) => ("put a prog into ", name),
            Step::Find { prog, name } => {
                return f.write_fmt(fmt!("find {name} for prog {prog}"));
            }
            Step::LoadLayout => ("load the prog that asks for layouts", c""),
            Step::RunLayout => ("run the prog that asks for layouts", c""),
            Step::FindType { map, name } => {
                return f.write_fmt(fmt!("find {name} for map {map}"));
            }
            Step::FindMember { map, name } => {
                return f.write_fmt(fmt!("find {name} for map {map}"));
            }
            Step::RegisterWithout { map, name } => {
                return f.write_fmt(fmt!("register {map} without {name}"));
            }
            Step::Register(name) => ("register ", name),
            Step::LoadProg(name) => ("load prog ", name),
            Step::TakeFd(name) => ("take the fd of ", name),
            Step::Globals(name) => ("reach the globals of ", name),
            Step::Open(name) => ("open ", name),
            Step::Attach(name) => ("attach ", name),
            Step::TakeLink(name) => ("take the link of ", name),
        };

        f.write_str(what)?;
        fmt::Display::fmt(name, f)
    }
}

/// Not every kernel that this builds for has a name for it in Rust.
#[inline]
pub(super) fn eopnotsupp() -> Error {
    Error::from_errno(-(bindings::EOPNOTSUPP as c_int))
}

/// As above.
#[inline]
pub(super) fn ebadmsg() -> Error {
    Error::from_errno(-(bindings::EBADMSG as c_int))
}

/// The key of a signature is not there.
#[inline]
pub(super) fn enokey() -> Error {
    Error::from_errno(-(bindings::ENOKEY as c_int))
}

/// A signature is not that of what it came with.
#[inline]
pub(super) fn ekeyrejected() -> Error {
    Error::from_errno(-(bindings::EKEYREJECTED as c_int))
}

/// Why an object is not there: the step, the errno that the kernel gave, and what to do about it.
#[derive(Clone, Copy)]
pub struct LoadError {
    step: Step,
    error: Error,
    advice: Option<&'static str>,
    /// Another run has failed at the same step with the same errno.
    seen_twice: bool,
}

/// What passes: there is more memory, a larger limit or no signal another time. These say all there
/// is to say.
const SHORTAGES: &[Error] = &[ENOMEM, EMFILE, ENFILE, EINTR, EAGAIN, ERESTARTSYS];

impl LoadError {
    /// Whether each load from now on would fail the same: the kernel refuses a prog, or lacks a
    /// type that one needs, or is locked down. Who would try again at every occasion need not.
    ///
    /// This is never said of what may pass:
    ///
    /// - what failed one way and then another, or was tried only once: the kernel has other errnos
    ///   than `ENOMEM` for some of the allocations that it fails to make;
    /// - a lack of memory or fds, and a signal;
    /// - `EPERM`, and `EACCES` but for a prog, where it is the verifier's: another task may have
    ///   the capability, and a security module another opinion;
    /// - `EOPNOTSUPP`: the JIT can be switched on;
    /// - `ENOKEY`: the key can be put into the keyring;
    /// - `EBADF`: another thread has changed the task's fds.
    ///
    /// A type or function that is missing may come with a module of the kernel: who waits for that
    /// one does not ask here.
    pub fn is_permanent(&self) -> bool {
        let passes = match self.error {
            EPERM | EBADF => true,
            EACCES => !matches!(self.step, Step::LoadProg(_)),
            error => error == eopnotsupp() || error == enokey() || self.is_shortage(),
        };

        self.seen_twice && !passes
    }

    /// Whether it is a lack of memory, fds or time.
    pub(super) fn is_shortage(&self) -> bool {
        SHORTAGES.contains(&self.error)
    }

    /// Whether another run may end otherwise, or can tell more.
    pub(super) fn is_worth_another_try(&self) -> bool {
        !self.is_shortage()
            && !matches!(
                self.step,
                Step::Alloc | Step::CreateLoaderMap | Step::FillLoaderMap
            )
    }

    /// What two runs come to that both failed, this one second.
    pub(super) fn after(self, first: Self) -> Self {
        if self.step != first.step || self.is_shortage() {
            return self;
        }
        // If they differ it can be the log that was refused: for want of room in it (`ENOSPC`), or
        // for its level. What was said without one counts.
        Self {
            seen_twice: self.error == first.error,
            ..first
        }
    }

    /// The same with this advice in place of what its step and errno tell.
    pub(super) fn with_advice(self, advice: &'static str) -> Self {
        Self {
            advice: Some(advice),
            ..self
        }
    }

    /// The same, where another run would fail the same.
    pub(super) fn for_good(self) -> Self {
        Self {
            seen_twice: true,
            ..self
        }
    }

    /// The same with what its errno tells of this signature.
    pub(super) fn advise_on_signature(self, signature: &Signature<'_>) -> Self {
        Self {
            advice: advice::on_signature(signature, self.error),
            ..self
        }
    }

    /// The same with this advice, if it is one of these errors.
    pub(super) fn advise_if(self, errors: &[Error], advice: &'static str) -> Self {
        if errors.contains(&self.error) {
            self.with_advice(advice)
        } else {
            self
        }
    }

    /// What was being done.
    pub fn step(&self) -> Step {
        self.step
    }

    /// What the kernel said.
    pub fn error(&self) -> Error {
        self.error
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failed to ")?;
        fmt::Display::fmt(&self.step, f)?;
        write!(f, ": {:?} ({})", self.error, self.error.to_errno())?;
        match self.advice.or_else(|| advice::on(self.step, self.error)) {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

impl From<LoadError> for Error {
    fn from(e: LoadError) -> Self {
        e.error
    }
}
