// SPDX-License-Identifier: GPL-2.0
//! Iterators: what is read from them.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::channel;
use std::thread;

use anyhow::{ensure, Context, Result};
use libbpf_rs::{MapCore, MapFlags};
use rustix::mount::mount_bind;
use rustix::system::finit_module;
use scenarios::{GALLERY, MODULE_DIR};

use super::network::loopback_up;
use super::{load, mount_cgroup2, CGROUP};
use crate::bpf::{self, link_id, read_iter};
use crate::kernel::{expect_fds, fds};

/// The rows that can be read from an iterator, by its prog.
fn rows(prog: &str) -> Result<Vec<String>> {
    Ok(read_iter(link_id(prog)?)?
        .lines()
        .map(str::to_owned)
        .collect())
}

fn expect_row(rows: &[String], expected: &str) -> Result<()> {
    ensure!(
        rows.iter().filter(|row| *row == expected).count() == 1,
        "expected one row {expected:?}, seen {rows:?}"
    );
    Ok(())
}

pub fn gallery_iter_link_lists_its_own_link() -> Result<()> {
    load("iter_link")?;
    // The only link there is: an iterator's, BPF_LINK_TYPE_ITER.
    let expected = format!("link {} type 4", link_id("list_links")?);
    let seen = rows("list_links")?;
    ensure!(seen == [&*expected], "expected {expected:?}, seen {seen:?}");
    Ok(())
}

pub fn gallery_iter_task_lists_all_tasks_a_process_a_thread_and_open_files() -> Result<()> {
    let (stop, stopped) = channel::<()>();
    let second = thread::Builder::new()
        .name("second".into())
        .spawn(move || stopped.recv())?;
    // Loads in this thread, which is the process's first.
    load("iter_task")?;
    let pid = std::process::id();

    let all = rows("all_tasks")?;
    let process = rows("one_process")?;
    let thread = rows("one_thread")?;
    expect_row(&all, "process 2 thread 2 kthreadd")?;
    let first = format!("process {pid} thread {pid} ");
    ensure!(
        thread.len() == 1 && thread[0].starts_with(&first),
        "one_thread: expected one row {first:?}, seen {thread:?}"
    );
    ensure!(
        process.len() == 2
            && process.iter().any(|row| *row == thread[0])
            && process
                .iter()
                .any(|row| row.starts_with(&format!("process {pid} ")) && row.ends_with(" second")),
        "one_process: expected this process's two threads, seen {process:?}"
    );
    ensure!(
        process.iter().all(|row| all.contains(row)),
        "all_tasks: expected {process:?} to be there, seen {all:?}"
    );

    fs::write("/tmp/open", "")?;
    let file = File::open("/tmp/open")?;
    let row = format!("fd {} inode {}", file.as_raw_fd(), file.metadata()?.ino());
    // Two threads share them: each open file is there once.
    expect_row(&rows("open_files")?, &row)?;
    drop(file);
    ensure!(
        !rows("open_files")?.contains(&row),
        "expected {row:?} to be gone"
    );
    drop(stop);
    let _ = second.join();
    Ok(())
}

pub fn gallery_iter_socket_lists_listening_and_connected_ports() -> Result<()> {
    loopback_up()?;
    load("iter_socket")?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let udp = UdpSocket::bind("127.0.0.1:0")?;
    let tcp = rows("list_tcp")?;
    // TCP_LISTEN, TCP_ESTABLISHED
    expect_row(
        &tcp,
        &format!("port {} state 10", listener.local_addr()?.port()),
    )?;
    expect_row(
        &tcp,
        &format!("port {} state 1", stream.local_addr()?.port()),
    )?;
    let row = format!("port {}", udp.local_addr()?.port());
    expect_row(&rows("list_udp")?, &row)?;
    drop(udp);
    let seen = rows("list_udp")?;
    ensure!(seen.is_empty(), "expected no UDP socket, seen {seen:?}");
    Ok(())
}

pub fn gallery_iter_map_elem_lists_elements_and_socket_storage() -> Result<()> {
    loopback_up()?;
    load("iter_map_elem")?;
    let map = bpf::map("iter_hash")?;
    for key in [1_u32, 7] {
        let value = u64::from(key) * 1_000_000_000_000;
        map.update(&key.to_ne_bytes(), &value.to_ne_bytes(), MapFlags::ANY)?;
    }
    let mut seen = rows("list_elements")?;
    seen.sort();
    let expected = ["1: 1000000000000", "7: 7000000000000"];
    ensure!(seen == expected, "expected {expected:?}, seen {seen:?}");

    let udp = UdpSocket::bind("127.0.0.1:0")?;
    bpf::map("iter_sk_storage")?
        .update(
            &udp.as_raw_fd().to_ne_bytes(),
            &42_u32.to_ne_bytes(),
            MapFlags::ANY,
        )
        .context("storage for a socket")?;
    let expected = format!("port {}: 42", udp.local_addr()?.port());
    let seen = rows("list_storages")?;
    ensure!(seen == [&*expected], "expected {expected:?}, seen {seen:?}");
    Ok(())
}

pub fn gallery_iter_cgroup_lists_all_cgroups_or_one() -> Result<()> {
    // What the entry opens is not the root: an iterator that is told none goes there.
    mount_cgroup2();
    fs::create_dir_all(format!("{CGROUP}/gallery"))?;
    mount_bind(format!("{CGROUP}/gallery"), CGROUP)?;
    // Above 2, because 0 to 2 are open now.
    let file = File::open(format!("{MODULE_DIR}/{GALLERY}.ko"))?;
    for fd in 0..3 {
        // SAFETY: the console, which nobody here uses until the end of the machine.
        unsafe { rustix::io::close(fd) };
    }
    let before = fds()?;
    finit_module(&file, c"iter_cgroup=1", 0).context("expected iter_cgroup to load")?;
    expect_fds(&before, "insmod")?;
    let seen = rows("all_cgroups")?;
    expect_row(&seen, "level 0 /")?;
    expect_row(&seen, "level 1 /gallery")?;
    let seen = rows("one_cgroup")?;
    ensure!(
        seen == ["level 1 /gallery"],
        "expected one cgroup, seen {seen:?}"
    );
    Ok(())
}
