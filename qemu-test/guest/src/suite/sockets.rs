// SPDX-License-Identifier: GPL-2.0
//! examples/sockets: what the file says of UDP sockets, beside ss and what is known of them.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use anyhow::{bail, ensure, Context, Result};
use rustix::fs::fstat;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_recv_buffer_size};
use rustix::net::{bind, send, socket, AddressFamily, SendFlags, SocketType};
use rustix::thread::{unshare_unsafe, UnshareFlags};
use scenarios::{MODULE_DIR, SS};

use super::gallery::loopback_up;
use super::read::as_user;
use crate::kernel::{insmod, mount_bpffs, rmmod};
use crate::ktap::note;

const MNT: &str = "/tmp/bpf";
const FILE: &str = "/tmp/bpf/udp_sockets";

/// What is said of a socket, by the names of the file's columns.
type Row = BTreeMap<&'static str, String>;

const COLUMNS: [&str; 10] = [
    "state", "recv-q", "send-q", "drops", "uid", "inode", "netns", "if", "local", "peer",
];

/// The rows of the file, by inode.
fn rows() -> Result<BTreeMap<u64, Row>> {
    let text = fs::read_to_string(FILE)?;
    let mut lines = text.lines();
    let header = lines.next().context("expected a header, seen nothing")?;
    ensure!(
        header.split_whitespace().eq(COLUMNS),
        "header: expected {COLUMNS:?}, seen {header:?}"
    );
    let mut rows = BTreeMap::new();
    for line in lines {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        ensure!(
            words.len() == COLUMNS.len()
                && [&words[8], &words[9]].map(|word| line.find(&format!(" {word}")))
                    == [" local", " peer"].map(|name| header.find(name)),
            "expected a word below each of {header:?}, seen {line:?}"
        );
        let row: Row = COLUMNS.into_iter().zip(words).collect();
        let inode = row["inode"].parse()?;
        ensure!(
            rows.insert(inode, row).is_none(),
            "expected each socket once, seen twice: {line:?}"
        );
    }
    Ok(rows)
}

/// What ss says, of all columns but the network namespace.
fn rows_of_ss() -> Result<BTreeMap<u64, Row>> {
    let output = Command::new(SS).arg("-HOuanem").output()?;
    ensure!(output.status.success(), "ss: {output:?}");
    let mut rows = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let after = |name: &str| {
            let (_, rest) = line.split_once(name)?;
            rest.split([' ', ',', ')']).next()
        };
        let without = || format!("expected details, seen {line:?} of ss");
        ensure!(words.len() > 5, without());
        let (local, device) = match words[3].split_once('%') {
            Some((address, rest)) => {
                ensure!(rest.starts_with("lo:"), "a device of nobody's: {line:?}");
                (format!("{address}{}", &rest[2..]), "1")
            }
            None => (words[3].to_owned(), "0"),
        };
        let inode = after(" ino:").with_context(without)?;
        let drops = after(",d").with_context(without)?;
        // Root's is not said.
        let uid = after(" uid:").unwrap_or("0");
        let words = [
            words[0], words[1], words[2], drops, uid, inode, device, &local, words[4],
        ];
        let columns = COLUMNS.into_iter().filter(|column| *column != "netns");
        let row = columns.zip(words.map(str::to_owned)).collect();
        rows.insert(inode.parse()?, row);
    }
    Ok(rows)
}

/// Sockets, each with what is known of it.
#[derive(Default)]
struct Sockets(Vec<(OwnedFd, Row)>);

impl Sockets {
    fn add(&mut self, socket: impl Into<OwnedFd>, known: &[(&'static str, &str)]) -> Result<()> {
        let socket = socket.into();
        let mut row: Row = known
            .iter()
            .map(|(column, word)| (*column, (*word).to_owned()))
            .collect();
        row.insert("inode", fstat(&socket)?.st_ino.to_string());
        self.0.push((socket, row));
        Ok(())
    }

    fn ipv4(&mut self) -> Result<()> {
        let any = UdpSocket::bind("0.0.0.0:27101")?;
        let queue = UdpSocket::bind("127.0.0.1:27102")?;
        let connected = UdpSocket::bind("127.0.0.1:27103")?;
        connected.connect("127.0.0.1:27102")?;
        connected.send(b"one")?;
        connected.send(b"two")?;
        // The kernel takes what was read off the queue's length later.
        queue.recv(&mut [0; 8])?;
        // This one waits for more.
        send(&connected, b"three", SendFlags::MORE)?;
        let full = UdpSocket::bind("127.0.0.1:27104")?;
        set_socket_recv_buffer_size(&full, 4096)?;
        for _ in 0..100 {
            any.send_to(&[0; 1000], "127.0.0.1:27104")?;
        }
        let users = as_user(1000, 1000, || Ok(UdpSocket::bind("127.0.0.1:27105")?))?;
        let lo = UdpSocket::bind("127.0.0.1:27106")?;
        // SAFETY: the option's value is a name of two bytes, of which the kernel makes a copy.
        let bound = unsafe {
            libc::setsockopt(
                lo.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_BINDTODEVICE,
                c"lo".as_ptr().cast(),
                2,
            )
        };
        ensure!(bound == 0, std::io::Error::last_os_error());

        let nobody = ("peer", "0.0.0.0:*");
        let idle = [
            ("state", "UNCONN"),
            ("recv-q", "0"),
            ("send-q", "0"),
            ("drops", "0"),
            ("uid", "0"),
            ("if", "0"),
            nobody,
        ];
        self.add(any, &[&idle[..], &[("local", "0.0.0.0:27101")]].concat())?;
        self.add(queue, &[("local", "127.0.0.1:27102"), nobody])?;
        self.add(
            connected,
            &[
                ("state", "ESTAB"),
                ("local", "127.0.0.1:27103"),
                ("peer", "127.0.0.1:27102"),
            ],
        )?;
        self.add(full, &[("local", "127.0.0.1:27104"), nobody])?;
        self.add(
            users,
            &[("uid", "1000"), ("local", "127.0.0.1:27105"), nobody],
        )?;
        self.add(lo, &[("if", "1"), ("local", "127.0.0.1:27106"), nobody])?;
        // More than what the kernel reads at a time.
        for _ in 0..500 {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            let local = socket.local_addr()?.to_string();
            self.add(socket, &[("local", &local), nobody])?;
        }
        Ok(())
    }

    fn ipv6(&mut self) -> Result<()> {
        let both = UdpSocket::bind("[::]:27201")?;
        let only = socket(AddressFamily::INET6, SocketType::DGRAM, None)?;
        set_ipv6_v6only(&only, true)?;
        bind(&only, &"[::]:27202".parse::<SocketAddr>()?)?;
        let connected = UdpSocket::bind("[::1]:27203")?;
        connected.connect("[::1]:27201")?;
        connected.send(b"one")?;
        let ipv4 = UdpSocket::bind("[::]:27204")?;
        ipv4.connect("[::ffff:127.0.0.1]:27101")?;
        self.add(
            both,
            &[("state", "UNCONN"), ("local", "*:27201"), ("peer", "*:*")],
        )?;
        self.add(only, &[("local", "[::]:27202"), ("peer", "[::]:*")])?;
        self.add(
            connected,
            &[
                ("state", "ESTAB"),
                ("local", "[::1]:27203"),
                ("peer", "[::1]:27201"),
            ],
        )?;
        self.add(
            ipv4,
            &[
                ("state", "ESTAB"),
                ("local", "[::ffff:127.0.0.1]:27204"),
                ("peer", "[::ffff:127.0.0.1]:27101"),
            ],
        )?;
        // Addresses of nobody, which the standard library prints as ss does.
        fs::write("/proc/sys/net/ipv6/ip_nonlocal_bind", "1")?;
        for address in [
            "1::",
            "1:2:3:4:5:6:7:0",
            "0:2:3:4:5:6:7:8",
            "1:0:3:4:5:6:7:8",
            "2001:db8::1",
            "2001:db8:0:0:1::",
            "2001:db8::1:0:0:1",
            "2001:db8:0:1::1",
            "::2:3:4:5:6:7",
            "::ffff:127.1.2.3",
            "::1:ffff:0:1",
            "fedc:ba98:7654:3210:fedc:ba98:7654:3210",
        ] {
            let address: Ipv6Addr = address.parse()?;
            let socket =
                UdpSocket::bind((address, 27_300)).with_context(|| format!("binding {address}"))?;
            let local = socket.local_addr()?.to_string();
            self.add(socket, &[("local", &local)])?;
        }
        Ok(())
    }
}

pub fn the_file_of_udp_sockets_agrees_with_ss() -> Result<()> {
    loopback_up()?;
    for module in ["inet_diag", "udp_diag", "sockets"] {
        insmod(&format!("{MODULE_DIR}/{module}.ko"))?
            .with_context(|| format!("expected {module} to load"))?;
    }
    mount_bpffs(MNT)?;
    pin::pin_iterators(Path::new(MNT), &["udp_sockets".parse()?])?;
    // The file holds it.
    rmmod("sockets")?;
    let none = fs::read_to_string(FILE)?;
    ensure!(none.is_empty(), "expected no socket, seen {none:?}");

    let mut sockets = Sockets::default();
    sockets.ipv4()?;
    if Path::new("/proc/net/if_inet6").exists() {
        sockets.ipv6()?;
    } else {
        note("this kernel has no IPv6");
    }
    let seen = rows()?;
    let of_ss = rows_of_ss()?;
    let netns = fs::metadata("/proc/self/ns/net")?.ino().to_string();
    ensure!(
        [seen.len(), of_ss.len()] == [sockets.0.len(); 2],
        "expected {} sockets in the file and of ss, seen {} and {}",
        sockets.0.len(),
        seen.len(),
        of_ss.len(),
    );
    for (_, known) in &sockets.0 {
        let inode = known["inode"].parse()?;
        let (Some(row), Some(of_ss)) = (seen.get(&inode), of_ss.get(&inode)) else {
            bail!("expected a row of {known:?}, seen none");
        };
        for (who, expected) in [("this test", known), ("ss", of_ss)] {
            for (column, word) in expected {
                ensure!(
                    *word == row[column],
                    "{column}: expected {word} of {who}, seen {row:?}"
                );
            }
        }
        ensure!(
            row["netns"] == netns,
            "netns: expected {netns}, seen {row:?}"
        );
    }
    // What is only known to be there.
    for (local, column) in [
        ("127.0.0.1:27102", "recv-q"),
        ("127.0.0.1:27103", "send-q"),
        ("127.0.0.1:27104", "drops"),
    ] {
        ensure!(
            seen.values()
                .any(|row| row["local"] == local && row[column] != "0"),
            "expected {local} to have {column}, seen {seen:?}"
        );
    }

    // Who opens the file sees its own network namespace.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| -> Result<()> {
            // SAFETY: no memory and no fds are unshared.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET)? };
            let _socket = UdpSocket::bind("0.0.0.0:27401")?;
            let netns = fs::metadata("/proc/thread-self/ns/net")?.ino().to_string();
            let rows: Vec<_> = rows()?
                .into_values()
                .map(|row| row["netns"].clone())
                .collect();
            ensure!(
                rows == [&*netns],
                "another netns: expected {netns}, seen {rows:?}"
            );
            Ok(())
        });
        thread.join().expect("a thread that does not panic")
    })
}
