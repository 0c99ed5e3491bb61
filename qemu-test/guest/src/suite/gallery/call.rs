// SPDX-License-Identifier: GPL-2.0
//! Progs that the module calls as functions.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use anyhow::{anyhow, ensure, Context, Result};
use libbpf_rs::{MapCore, MapFlags, RingBufferBuilder};
use rustix::io::Errno;
use rustix::mm::{mmap_anonymous, userfaultfd, MapFlags as Mmap, ProtFlags, UserfaultfdFlags};
use rustix::process::getpid;
use scenarios::GALLERY;

use super::{load, said_of};
use crate::bpf::{self, Ids};
use crate::kernel::{eventually, expect_fds, fds, rmmod};
use crate::ktap::Skip;
use crate::lab::mount_debugfs;

/// Loads an entry, and compares what its calls have said.
fn expect_calls(entry: &str, expected: &[&str]) -> Result<()> {
    let before = fds()?;
    load(entry)?;
    expect_fds(&before, "insmod")?;
    let seen = said_of(entry)?;
    ensure!(
        seen == expected,
        "calls of {entry}: expected {expected:#?}, seen {seen:#?}"
    );
    Ok(())
}

pub fn gallery_call_hash_looks_up_changes_and_deletes() -> Result<()> {
    expect_calls(
        "call_hash",
        &[
            "failed to take the fd of hash_untyped: E2BIG (-7): \
             it uses more than the struct that it takes: name another one",
            "no room for 4: E2BIG",
            "2 is there: 4",
            "2 is not there: ENOENT",
        ],
    )?;
    // What the calls have left.
    let squares = bpf::map("squares")?;
    let mut keys: Vec<_> = squares.keys().collect();
    keys.sort_unstable();
    let expected = [1_u32, 3].map(|key| key.to_ne_bytes().to_vec());
    ensure!(
        keys == expected,
        "keys: expected {expected:?}, seen {keys:?}"
    );
    let seen = squares.lookup(&expected[1], MapFlags::ANY)?;
    ensure!(
        seen == Some(9_u64.to_ne_bytes().to_vec()),
        "square of 3: expected 9, seen {seen:?}"
    );
    Ok(())
}

pub fn gallery_call_maps_of_other_kinds() -> Result<()> {
    expect_calls(
        "call_maps",
        &[
            "30 more in 1 of the array: Ok(30)",
            "12 more in 1 of the array: Ok(42)",
            "1 more in 4 of the array: Err(ENOENT)",
            "20 more on this CPU: Ok(20)",
            "3 more on this CPU: Ok(23)",
            "1 of the LRU map: Ok(10)",
            "2 of the LRU map: Err(ENOENT)",
            "20 of the LRU map: Ok(200)",
            "1 into queue and stack: Ok(1), Ok(1)",
            "2 into queue and stack: Ok(2), Ok(2)",
            "3 into queue and stack: Ok(3), Ok(3)",
            "4 into queue and stack: Err(E2BIG), Err(E2BIG)",
            "queue peek: Ok(1)",
            "queue pop: Ok(1)",
            "queue pop: Ok(2)",
            "stack peek: Ok(3)",
            "stack pop: Ok(3)",
            "stack pop: Ok(2)",
            "stack pop: Ok(1)",
            "stack pop: Err(ENOENT)",
        ],
    )
}

pub fn gallery_call_each_goes_through_a_map() -> Result<()> {
    expect_calls(
        "call_each",
        &[
            "of 10 3 are over 700; the others have 2800",
            "of 7 5 are over 200; the others have 300",
        ],
    )?;
    let left = bpf::map("sizes")?.keys().count();
    ensure!(left == 2, "elements: expected 2, seen {left}");
    Ok(())
}

pub fn gallery_call_ring_sends_records_to_user_space() -> Result<()> {
    expect_calls("call_ring", &["a record of 61 bytes: -22"])?;
    let map = bpf::map("messages")?;
    let mut records = Vec::new();
    let mut builder = RingBufferBuilder::new();
    builder.add(&map, |record| {
        records.push(String::from_utf8_lossy(record).into_owned());
        0
    })?;
    builder.build()?.poll(Duration::from_secs(10))?;
    ensure!(
        records == ["one", "and another"],
        "records: expected two, seen {records:?}"
    );
    Ok(())
}

pub fn gallery_call_kfunc_finds_a_task() -> Result<()> {
    let pid = getpid().as_raw_nonzero();
    let comm = fs::read_to_string("/proc/self/comm")?;
    let comm = comm.trim_end();
    expect_calls(
        "call_kfunc",
        &[
            &format!("{pid} is of {pid}, \"{comm}\": 0"),
            "-1 is of 0, \"\": -3",
        ],
    )
}

pub fn gallery_call_user_sleeps_in_three_threads_at_once() -> Result<()> {
    const THREADS: usize = 3;
    let before = Ids::now();
    load("call_user")?;
    let path = format!("{}/lskel_call_user/address", mount_debugfs()?);
    let ask = move |address: usize| -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(&path)?;
        file.write_all(&(address as u64).to_ne_bytes())
    };
    let refused = ask(4096).map_err(|error| error.raw_os_error());
    ensure!(
        refused == Err(Some(Errno::FAULT.raw_os_error())),
        "where nothing is: expected EFAULT, seen {refused:?}"
    );

    let pages = match LatePages::new(THREADS) {
        Err(Errno::NOSYS) => return Err(Skip("no CONFIG_USERFAULTFD".into()).into()),
        pages => pages?,
    };
    let threads: Vec<_> = (0..THREADS)
        .map(|page| (pages.start + page * pages.size, ask.clone()))
        .map(|(address, ask)| thread::spawn(move || ask(address)))
        .collect();
    // All are in the prog, on one CPU, and wait.
    let mut waiting = Vec::new();
    eventually(|| {
        waiting.extend(pages.asked_for()?);
        ensure!(
            waiting.len() == THREADS,
            "expected {THREADS} that wait, seen {waiting:?}"
        );
        Ok(())
    })?;
    let open = fds()?;
    ensure!(
        !open.values().any(|target| target.contains("bpf")),
        "expected no fd of a prog, seen {open:?}"
    );
    let said = said_of("call_user")?;
    ensure!(
        said.is_empty(),
        "expected none to be through, seen {said:?}"
    );

    // The last one first.
    for (nth, page) in (0..THREADS).rev().enumerate() {
        pages.bring(page, format!("page {page}\0").as_bytes())?;
        eventually(|| {
            let said = said_of("call_user")?;
            ensure!(
                said.len() == nth + 1 && said[nth] == format!("\"page {page}\""),
                "expected page {page} last, seen {said:?}"
            );
            Ok(())
        })?;
    }
    for thread in threads {
        thread
            .join()
            .map_err(|_| anyhow!("a thread has panicked"))??;
    }
    rmmod(GALLERY)?;
    bpf::expect_nothing_since(&before, "rmmod")
}

/// Memory whose pages come when [`Self::bring`] is called.
struct LatePages {
    events: File,
    start: usize,
    size: usize,
}

impl LatePages {
    fn new(count: usize) -> Result<Self, Errno> {
        const API: (u64, [u64; 3]) = (0xc018_aa3f, [0xaa, 0, 0]);
        const REGISTER: u64 = 0xc020_aa00;
        const MISSING: u64 = 1;
        let size = rustix::param::page_size();
        // SAFETY: its fd is used for memory that nobody but the kernel looks at.
        let events =
            unsafe { userfaultfd(UserfaultfdFlags::CLOEXEC | UserfaultfdFlags::NONBLOCK)? };
        // SAFETY: a new mapping, where the kernel likes it.
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                count * size,
                ProtFlags::READ | ProtFlags::WRITE,
                Mmap::PRIVATE,
            )?
        } as usize;
        let pages = Self {
            events: events.into(),
            start,
            size,
        };
        pages.ioctl(API.0, &mut { API.1 })?;
        let range = [start as u64, (count * size) as u64];
        pages.ioctl(REGISTER, &mut [range[0], range[1], MISSING, 0])?;
        Ok(pages)
    }

    fn ioctl<const WORDS: usize>(&self, what: u64, with: &mut [u64; WORDS]) -> Result<(), Errno> {
        // SAFETY: the struct is as long as the number of the ioctl says, and what it points to is mapped.
        let ret = unsafe { libc::ioctl(self.events.as_raw_fd(), what as _, with.as_mut_ptr()) };
        match ret {
            0 => Ok(()),
            _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)),
        }
    }

    /// The addresses that somebody waits at, each once.
    fn asked_for(&self) -> Result<Vec<u64>> {
        /// `struct uffd_msg`
        const SIZE: usize = 32;
        const PAGEFAULT: u8 = 0x12;
        let mut addresses = Vec::new();
        let mut event = [0; SIZE];
        while (&self.events).read(&mut event).is_ok_and(|len| len == SIZE) {
            ensure!(event[0] == PAGEFAULT, "expected a fault, seen {event:?}");
            addresses.push(u64::from_ne_bytes(event[16..24].try_into()?));
        }
        Ok(addresses)
    }

    fn bring(&self, page: usize, content: &[u8]) -> Result<()> {
        const COPY: u64 = 0xc028_aa03;
        let mut bytes = vec![0; self.size];
        bytes[..content.len()].copy_from_slice(content);
        let to = self.start + page * self.size;
        let from = bytes.as_ptr() as u64;
        self.ioctl(COPY, &mut [to as u64, from, self.size as u64, 0, 0])
            .with_context(|| format!("bringing page {page}"))
    }
}

pub fn gallery_call_threads_meet_in_one_function() -> Result<()> {
    let before = Ids::now();
    let own = fds()?;
    load("call_threads")?;
    let path = format!("{}/lskel_call_threads/meeting", mount_debugfs()?);
    for meeting in 1..=2 {
        let seen = fs::read_to_string(&path).context(path.clone())?;
        ensure!(seen == "over\n", "expected it to be over, seen {seen:?}");
        let said = said_of("call_threads")?;
        ensure!(
            said.len() == 8 * meeting
                && said
                    .iter()
                    .all(|line| line.starts_with("\"kworker") && line.ends_with(" has met 8")),
            "expected 8 kworkers at each meeting, seen {said:#?}"
        );
    }
    // All kernel threads share this one's fds.
    let files = fs::read_dir("/proc/2/fd")?.count();
    ensure!(
        files == 0,
        "fds of kernel threads: expected none, seen {files}"
    );
    expect_fds(&own, "insmod and calls")?;
    rmmod(GALLERY)?;
    bpf::expect_nothing_since(&before, "rmmod")
}
