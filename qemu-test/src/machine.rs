// SPDX-License-Identifier: GPL-2.0
//! The machines that QEMU makes, one line for each architecture.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use lskel_gen::skeleton::ByteOrder;

/// How to boot an architecture.
#[derive(Debug)]
pub struct Machine {
    /// The architecture, as kernel releases of Debian end in it.
    pub arch: &'static str,
    /// Rust's name for it, under which cargo leaves the guest.
    pub target: &'static str,
    /// Its byte order.
    pub byte_order: ByteOrder,
    /// QEMU's binary.
    pub qemu: &'static str,
    /// `-machine`.
    pub machine: &'static str,
    /// The device that virtio ports hang on.
    pub virtio_serial: &'static str,
    /// What its kernels are told: what they call the first serial port, and what QEMU asks for.
    pub cmdline: &'static str,
}

const MACHINES: &[Machine] = &[
    Machine {
        arch: "amd64",
        target: "x86_64-unknown-linux-gnu",
        byte_order: ByteOrder::Little,
        qemu: "qemu-system-x86_64",
        machine: "q35",
        virtio_serial: "virtio-serial-pci",
        // On a busy machine the timer looks broken to the kernel, and it panics.
        cmdline: "console=ttyS0 no_timer_check",
    },
    Machine {
        arch: "arm64",
        target: "aarch64-unknown-linux-gnu",
        byte_order: ByteOrder::Little,
        qemu: "qemu-system-aarch64",
        machine: "virt",
        virtio_serial: "virtio-serial-pci",
        cmdline: "console=ttyAMA0",
    },
    Machine {
        arch: "s390x",
        target: "s390x-unknown-linux-gnu",
        byte_order: ByteOrder::Big,
        qemu: "qemu-system-s390x",
        machine: "s390-ccw-virtio",
        virtio_serial: "virtio-serial-ccw",
        cmdline: "console=ttysclp0",
    },
];

impl Machine {
    /// Whether the host runs its programs.
    pub fn is_host(&self) -> bool {
        self.target.split('-').next() == Some(std::env::consts::ARCH)
    }

    /// Where Debian's programs for it are: scripts/toolroot unpacks those of other machines.
    pub fn root(&self) -> PathBuf {
        if self.is_host() {
            "/".into()
        } else {
            Path::new("/srv").join(self.arch)
        }
    }

    /// What its QEMU says of its version.
    pub fn qemu_version(&self) -> Result<String> {
        let output = Command::new(self.qemu)
            .arg("--version")
            .output()
            .with_context(|| format!("running {} --version", self.qemu))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The folder of its shared libraries.
    pub fn libraries(&self) -> PathBuf {
        let multiarch = self.target.replace("-unknown", "");
        self.root().join("usr/lib").join(multiarch)
    }
}

/// The machine of an architecture.
pub fn find(arch: &str) -> Result<&'static Machine> {
    MACHINES
        .iter()
        .find(|machine| machine.arch == arch)
        .with_context(|| {
            let known: Vec<_> = MACHINES.iter().map(|machine| machine.arch).collect();
            format!("no machine for architecture '{arch}'; known: {known:?}")
        })
}

/// What runs the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    /// The host's CPU.
    Kvm,
    /// Translation.
    Tcg,
    /// Translation, with a nanosecond of the guest's time for each instruction.
    CountedTcg,
}

impl Accel {
    /// QEMU's options for it.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Accel::Kvm => &["-accel", "kvm"],
            Accel::Tcg => &["-accel", "tcg"],
            Accel::CountedTcg => &["-accel", "tcg", "-icount", "shift=0"],
        }
    }
}
