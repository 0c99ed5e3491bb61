// SPDX-License-Identifier: GPL-2.0

//! What is known of a load that failed: how far the loader prog came, and what the verifier said.
//!
//! C file: [`kernel/bpf/log.c`](srctree/kernel/bpf/log.c)

use super::{
    fields::Fields,
    loader::{
        eopnotsupp,
        LoadError,
        Step, //
    },
    skeleton::{
        Object,
        ProgDef, //
    },
};
use crate::bpf::user::UserBuf;
use core::mem::offset_of;
use kernel::{
    bindings,
    prelude::*,
    str::BStr, //
};

/// Memory for the kernel's log of a load.
pub(super) struct Log {
    buf: UserBuf,
    level: u32,
}

impl Log {
    /// In bytes. When it is full, the kernel drops what is oldest and refuses even what is right.
    const SIZE: usize = 1 << 20;
    /// How much of a log goes to dmesg: the reason is at its end.
    const MAX_LINES: usize = 256;

    /// # Errors
    ///
    /// As [`UserBuf::new`].
    pub(super) fn new(level: u32) -> Result<Self> {
        Ok(Self {
            buf: UserBuf::new(Self::SIZE)?,
            level,
        })
    }

    pub(super) fn level(&self) -> u32 {
        self.level
    }

    /// In bytes.
    pub(super) fn size(&self) -> u32 {
        Self::SIZE as u32
    }

    pub(super) fn addr(&self) -> u64 {
        self.buf.addr()
    }

    /// Puts the end of the log into dmesg, line by line.
    pub(super) fn print(&self, object: &CStr, about: &CStr) {
        let text = match self.buf.read() {
            Ok(text) => text,
            Err(e) => return pr_err!("{object}: {about}: the log cannot be read: {e:?}\n"),
        };
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        let lines = || {
            text.split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
        };

        // All that is left of the log of the prog before, which was not refused: this one was not
        // verified.
        if lines().all(|line| line.starts_with(b"processed ")) {
            return;
        }
        let left_out = lines().count().saturating_sub(Self::MAX_LINES);
        if left_out > 0 {
            pr_err!("{object}: {about}: ({left_out} lines left out)\n");
        }
        for line in lines().skip(left_out) {
            pr_err!("{object}: {about}: {}\n", BStr::from_bytes(line));
        }
    }
}

/// Errors that say all there is to say.
const PLAIN: &[Error] = &[ENOMEM, EMFILE, ENFILE, EINTR, EAGAIN, ERESTARTSYS];

/// Whether another try may end otherwise. The kernel has other errnos than `ENOMEM` for some of the
/// allocations that it fails to make.
pub(super) fn worth_another_try(error: &LoadError) -> bool {
    matches!(
        error.step(),
        Step::LoadLoaderProg | Step::RunLoaderProg | Step::LoaderProg
    ) && !PLAIN.contains(&error.error())
}

/// What the kernel's log would be about that tells more of an error. [`None`] if there is nothing
/// to tell.
pub(super) fn log_about(error: &LoadError) -> Option<&'static CStr> {
    match error.step() {
        _ if PLAIN.contains(&error.error()) || error.error() == eopnotsupp() => None,
        Step::LoadProg(prog) => Some(prog),
        Step::LoadBtfOrCreateMap(_) => Some(c"BTF"),
        _ => None,
    }
}

/// The integer at an offset of the data. [`None`] outside of it.
fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    let bytes = data.get(offset..)?.first_chunk::<4>()?;

    Some(u32::from_ne_bytes(*bytes))
}

/// Says what a loader prog failed at, by what it has left of its data.
pub(super) fn explain<O: Object>(error: LoadError, left: &[u8]) -> LoadError {
    // A loader prog reads the kernel's memory itself.
    if matches!(error.step(), Step::LoadLoaderProg) && reads_are_locked_down() {
        return error.with_remedy("the kernel is locked down: progs may not read its memory");
    }
    if !matches!(error.step(), Step::LoaderProg) || left.is_empty() {
        return error;
    }
    // Before it does anything for a prog, the loader prog writes the license's address.
    let license = offset_of!(bindings::bpf_attr, __bindgen_anon_3.license);
    let begun = |def: &ProgDef| {
        let at = def.load_attr as usize + license;

        (0..2).any(|half| u32_at(left, at + 4 * half).is_some_and(|half| half != 0))
    };
    let mut last = None;
    O::Progs::map(O::PROGS, |def| {
        if begun(&def) {
            last = Some(def);
        }
    });
    if let Some(prog) = last {
        return explain_prog::<O>(error, left, &prog);
    }

    // The data begin with the fds of the maps that were created.
    let mut maps = 0;
    let mut missing = None;
    O::Maps::map(O::MAPS, |def| {
        if missing.is_none() && u32_at(left, 4 * maps).is_none_or(|fd| fd == 0) {
            missing = Some(def.name);
        }
        maps += 1;
    });
    match missing {
        Some(map) if u32_at(left, 0).is_none_or(|fd| fd == 0) => {
            error.within(Step::LoadBtfOrCreateMap(map))
        }
        Some(map) => error.within(Step::CreateMap(map)),
        None => error,
    }
}

fn explain_prog<O: Object>(error: LoadError, left: &[u8], prog: &ProgDef) -> LoadError {
    let found = |at: u32| u32_at(left, at as usize) != u32_at(O::DATA, at as usize);

    if let Some((name, _)) = prog.lookups.iter().find(|(_, at)| !found(*at)) {
        return error.within(Step::FindBtf {
            prog: prog.name,
            name,
        });
    }
    error.within(Step::LoadProg(prog.name))
}

/// Whether lockdown refuses helpers that read kernel memory.
fn reads_are_locked_down() -> bool {
    #[cfg(CONFIG_SECURITY)]
    {
        let what = bindings::lockdown_reason_LOCKDOWN_BPF_READ_KERNEL;

        // SAFETY: FFI call without requirements.
        unsafe { bindings::security_locked_down(what) != 0 }
    }
    #[cfg(not(CONFIG_SECURITY))]
    false
}
