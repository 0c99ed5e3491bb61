// SPDX-License-Identifier: GPL-2.0

//! What the kernel says of a prog or of BTF that it refuses, on its way to dmesg.
//!
//! C file: [`kernel/bpf/log.c`](srctree/kernel/bpf/log.c)

use super::{
    error::{
        eopnotsupp,
        LoadError,
        Step, //
    },
    object::ObjectDef, //
};
use crate::bpf::{
    map::Map,
    user::UserBuf, //
};
use core::mem::offset_of;
use kernel::{
    bindings::bpf_attr,
    prelude::*,
    str::BStr, //
};

/// Memory for the kernel's log of one command.
pub(super) struct Log {
    buf: UserBuf,
    level: u32,
    /// Where in an object's data the fields for it are: level, size and address.
    at: [usize; 3],
}

impl Log {
    /// In bytes. When it is full, the kernel drops what is oldest and refuses even what is right.
    const SIZE: u32 = 1 << 20;
    /// How much of a log goes to dmesg: the reason is at its end.
    const MAX_LINES: usize = 256;

    /// A log that tells more of `error`. [`None`] if there is nothing to tell, or no memory for it.
    pub(super) fn of(error: &LoadError, def: &ObjectDef, level: u32) -> Option<Self> {
        let (attr, fields) = match error.step() {
            _ if error.is_shortage() || error.error() == eopnotsupp() => return None,
            Step::LoadProg(name) => (
                def.progs.iter().find(|prog| prog.name == name)?.attr,
                [
                    offset_of!(bpf_attr, __bindgen_anon_3.log_level),
                    offset_of!(bpf_attr, __bindgen_anon_3.log_size),
                    offset_of!(bpf_attr, __bindgen_anon_3.log_buf),
                ],
            ),
            Step::LoadBtf => (
                def.btf?,
                [
                    offset_of!(bpf_attr, __bindgen_anon_7.btf_log_level),
                    offset_of!(bpf_attr, __bindgen_anon_7.btf_log_size),
                    offset_of!(bpf_attr, __bindgen_anon_7.btf_log_buf),
                ],
            ),
            _ => return None,
        };

        Some(Self {
            buf: UserBuf::new(Self::SIZE as usize).ok()?,
            level: level.max(1),
            at: fields.map(|field| attr as usize + field),
        })
    }

    /// Writes into the loader's data where the log goes.
    pub(super) fn write_to(&self, map: &Map) -> Result {
        let [level, size, buf] = self.at;

        map.write(level, &self.level.to_ne_bytes())?;
        map.write(size, &Self::SIZE.to_ne_bytes())?;
        map.write(buf, &self.buf.addr().to_ne_bytes())
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

        let left_out = lines().count().saturating_sub(Self::MAX_LINES);

        if left_out > 0 {
            pr_err!("{object}: {about}: ({left_out} lines left out)\n");
        }
        for line in lines().skip(left_out) {
            pr_err!("{object}: {about}: {}\n", BStr::from_bytes(line));
        }
    }
}
