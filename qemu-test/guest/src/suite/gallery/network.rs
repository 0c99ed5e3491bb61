// SPDX-License-Identifier: GPL-2.0
//! Progs that packets and sockets go through; and that they no longer do after rmmod.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use anyhow::{ensure, Context, Result};
use libbpf_rs::{MapCore, MapFlags};
use rustix::fs::{makedev, mknodat, FileType, Mode, CWD};
use rustix::io::Errno;
use rustix::net::{send, socket, AddressFamily, SendFlags, SocketType};
use scenarios::GALLERY;

use super::{expect_bss, load};
use crate::bpf;
use crate::kernel::{eventually, rmmod};

/// Brings lo up, which gives it 127.0.0.1.
pub fn loopback_up() -> Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const NLM_F_REQUEST: u16 = 1;
    const IFF_UP: u32 = 1;

    // struct nlmsghdr
    let mut message = 32_u32.to_ne_bytes().to_vec();
    message.extend(RTM_NEWLINK.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]);
    // struct ifinfomsg: of interface 1, set the flag and change only that.
    message.extend([0; 4]);
    for word in [1, IFF_UP, IFF_UP] {
        message.extend(word.to_ne_bytes());
    }
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    send(&netlink, &message, SendFlags::empty())?;
    UdpSocket::bind("127.0.0.1:0").context("expected lo to be up")?;
    Ok(())
}

/// A socket that gets what it sends to itself.
struct Loop(UdpSocket);

impl Loop {
    fn on(port: u16) -> Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", port))?;
        socket.connect(("127.0.0.1", port))?;
        // Delivery is done before send() returns: this is for what is dropped.
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        Ok(Loop(socket))
    }

    /// What arrives of a text.
    fn send(&self, text: &str) -> Result<Option<String>> {
        let mut buffer = [0; 64];
        self.0.send(text.as_bytes())?;
        match self.0.recv(&mut buffer) {
            Ok(length) => Ok(Some(
                String::from_utf8_lossy(&buffer[..length]).into_owned(),
            )),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).context("receiving"),
        }
    }

    fn expect(&self, sent: &str, expected: Option<&str>) -> Result<()> {
        let seen = self.send(sent)?;
        ensure!(
            seen.as_deref() == expected,
            "of {sent:?} to {}: expected {expected:?}, seen {seen:?}",
            self.0.local_addr()?
        );
        Ok(())
    }
}

/// An entry that drops packets to this port, and to no other, for as long as it is there.
fn expect_drops(entry: &str, port: u16) -> Result<()> {
    loopback_up()?;
    let (dropped, other) = (Loop::on(port)?, Loop::on(47_000)?);
    dropped.expect("before", Some("before"))?;
    load(entry)?;
    dropped.expect("one", None)?;
    dropped.expect("two", None)?;
    other.expect("three", Some("three"))?;
    expect_bss(entry, &[("dropped", 2)])?;
    rmmod(GALLERY)?;
    eventually(|| dropped.expect("after", Some("after")))
}

pub fn gallery_xdp_drops_packets_until_rmmod() -> Result<()> {
    expect_drops("xdp", 47_001)
}

pub fn gallery_tcx_changes_and_drops_packets_until_rmmod() -> Result<()> {
    loopback_up()?;
    let changed = Loop::on(47_002)?;
    load("tcx")?;
    changed.expect("ping!", Some("pong!"))?;
    changed.expect("gong!", Some("gong!"))?;
    expect_bss("tcx", &[("changed", 1), ("dropped", 0)])?;
    rmmod(GALLERY)?;
    eventually(|| changed.expect("ping!", Some("ping!")))?;
    expect_drops("tcx", 47_003)
}

pub fn gallery_netfilter_drops_packets_until_rmmod() -> Result<()> {
    expect_drops("netfilter", 47_004)
}

pub fn gallery_cgroup_skb_drops_packets_until_rmmod() -> Result<()> {
    expect_drops("cgroup_skb", 47_005)
}

pub fn gallery_cgroup_connect_goes_elsewhere_until_rmmod() -> Result<()> {
    loopback_up()?;
    let listener = TcpListener::bind("127.0.0.1:47007")?;
    load("cgroup_connect")?;
    talk(&listener, 47_006)?;
    rmmod(GALLERY)?;
    expect_nobody_at(47_006)
}

pub fn gallery_cgroup_deny_refuses_a_sysctl_and_a_device_until_rmmod() -> Result<()> {
    let sysctl = "/proc/sys/kernel/domainname";
    let mknod = |minor| {
        mknodat(
            CWD,
            "/tmp/node",
            FileType::CharacterDevice,
            Mode::RUSR,
            makedev(240, minor),
        )
    };
    load("cgroup_deny")?;
    let seen = fs::write(sysctl, "denied").map_err(|error| error.raw_os_error());
    ensure!(
        seen == Err(Some(Errno::PERM.raw_os_error())),
        "writing {sysctl}: expected EPERM, seen {seen:?}"
    );
    fs::write("/proc/sys/kernel/hostname", "granted")?;
    fs::read_to_string(sysctl)?;
    let seen = mknod(47);
    ensure!(
        seen == Err(Errno::PERM),
        "mknod of 240, 47: expected EPERM, seen {seen:?}"
    );
    mknod(48)?;
    fs::remove_file("/tmp/node")?;
    rmmod(GALLERY)?;
    eventually(|| Ok(fs::write(sysctl, "granted")?))?;
    eventually(|| Ok(mknod(47)?))
}

pub fn gallery_sk_lookup_chooses_the_socket_until_rmmod() -> Result<()> {
    loopback_up()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    load("sk_lookup")?;
    let map = bpf::map("listener")?;
    let fd = listener.as_raw_fd() as u64;
    expect_nobody_at(47_008)?;
    map.update(&0_u32.to_ne_bytes(), &fd.to_ne_bytes(), MapFlags::ANY)
        .context("putting the socket into the map")?;
    talk(&listener, 47_008)?;
    rmmod(GALLERY)?;
    expect_nobody_at(47_008)
}

/// Connects to a port and checks that this listener is at the other end.
fn talk(listener: &TcpListener, port: u16) -> Result<()> {
    let mut here = TcpStream::connect(("127.0.0.1", port))
        .with_context(|| format!("connecting to port {port}"))?;
    let (mut there, from) = listener.accept()?;
    ensure!(
        from == here.local_addr()?,
        "expected a connection from {:?}, seen {from:?}",
        here.local_addr()
    );
    here.write_all(b"hello")?;
    let mut buffer = [0; 5];
    there.read_exact(&mut buffer)?;
    ensure!(&buffer == b"hello", "expected hello, seen {buffer:?}");
    Ok(())
}

/// Checks that a connection to a port is refused, sooner or later.
fn expect_nobody_at(port: u16) -> Result<()> {
    eventually(|| {
        let seen = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.kind());
        ensure!(
            matches!(seen, Err(ErrorKind::ConnectionRefused)),
            "port {port}: expected the connection refused, seen {seen:?}"
        );
        Ok(())
    })
}
