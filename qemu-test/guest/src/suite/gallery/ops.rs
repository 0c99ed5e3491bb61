// SPDX-License-Identifier: GPL-2.0
//! struct_ops: what parts of the kernel take from BPF, and no longer have after rmmod.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail, ensure, Context, Result};
use rustix::io::Errno;
use rustix::net::sockopt::{set_tcp_congestion, tcp_congestion};
use rustix::system::finit_module;
use rustix::thread::set_name;
use scenarios::{GALLERY, MODULE_DIR};

use super::{bss, expect_bss, load, loopback_up, said_of};
use crate::bpf::{self, Ids};
use crate::kernel::{
    dmesg, eventually, expect_fds, fds, insmod_with, mount_bpffs, rmmod, Messages,
};
use crate::ktap::{note, Skip};

const MNT: &str = "/tmp/bpf";

/// Loads an entry, and compares what it has said.
fn expect_said(entry: &str, expected: &[&str]) -> Result<()> {
    let before = fds()?;
    load(entry)?;
    expect_fds(&before, "insmod")?;
    let seen = said_of(entry)?;
    ensure!(
        seen == expected,
        "{entry}: expected {expected:#?}, seen {seen:#?}"
    );
    Ok(())
}

/// The congestion controls that sockets can have.
fn congestion_controls() -> Result<Vec<String>> {
    let list = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_congestion_control")?;
    Ok(list.split_whitespace().map(str::to_owned).collect())
}

/// Sends a mebibyte, which somebody has to read meanwhile.
fn send_mebibyte(from: &mut TcpStream, to: &mut TcpStream) -> Result<()> {
    const SIZE: usize = 1 << 20;
    thread::scope(|scope| {
        let reader = scope.spawn(|| to.read_exact(&mut vec![0; SIZE]));
        from.write_all(&vec![1; SIZE])?;
        reader
            .join()
            .map_err(|_| anyhow!("the reader panicked"))??;
        Ok(())
    })
}

pub fn gallery_tcp_congestion_serves_connections_and_is_gone_after_rmmod() -> Result<()> {
    loopback_up()?;
    let before = Ids::now();
    let had = congestion_controls()?;
    expect_said(
        "tcp_congestion",
        &[
            "failed to find no_such_callback for map linked: ENOENT (-2): \
             this kernel's struct lacks it: leave_out() a callback, set a number to 0",
            "failed to find no_such_number for map linked: ENOENT (-2): \
             this kernel's struct lacks it: leave_out() a callback, set a number to 0",
            "failed to register same_name: EEXIST (-17): its name is taken",
            "failed to register without_undo without undo_cwnd: EINVAL (-22): the kernel has to have it",
            "failed to register linked: EEXIST (-17): its name is taken",
            "failed to register plain: EBUSY (-16): \
             there is another one of its kind, or it was registered before: \
             without a link, of .struct_ops.link, that is possible once",
        ],
    )?;
    let ours = ["gallery", "gallery_plain"];
    let has = congestion_controls()?;
    ensure!(
        ours.iter().all(|ours| has.iter().any(|name| name == ours)) && has.len() == had.len() + 2,
        "expected {ours:?} beside {had:?}, seen {has:?}"
    );

    let listener = TcpListener::bind("127.0.0.1:47010")?;
    let mut here = TcpStream::connect("127.0.0.1:47010")?;
    let (mut there, _) = listener.accept()?;
    set_tcp_congestion(&here, "gallery")?;
    send_mebibyte(&mut here, &mut there)?;
    expect_bss("tcp_congestion", &[("connections", 1)])?;
    let acks = bss("tcp_congestion", "acks")?;
    ensure!(
        acks > 0,
        "expected cong_avoid to be called, seen {acks} calls"
    );
    // The one without a link has no init.
    set_tcp_congestion(&there, "gallery_plain")?;
    send_mebibyte(&mut there, &mut here)?;
    let more = bss("tcp_congestion", "acks")?;
    ensure!(more > acks, "expected more calls than {acks}, seen {more}");
    expect_bss("tcp_congestion", &[("connections", 1)])?;

    // With connections that have them.
    rmmod(GALLERY)?;
    let has = congestion_controls()?;
    ensure!(has == had, "after rmmod: expected {had:?}, seen {has:?}");
    let seen = set_tcp_congestion(&listener, "gallery");
    ensure!(
        seen == Err(Errno::NOENT),
        "for another socket: expected ENOENT, seen {seen:?}"
    );
    let seen = tcp_congestion(&here)?;
    ensure!(
        seen == "gallery",
        "of the connection: expected gallery, seen {seen}"
    );
    send_mebibyte(&mut here, &mut there)?;
    send_mebibyte(&mut there, &mut here)?;
    ensure!(
        !Ids::now().since(&before).progs.is_empty(),
        "expected the connections to hold progs, seen none"
    );
    drop((here, there));
    eventually(|| bpf::expect_nothing_since(&before, "the last connection"))
}

pub fn gallery_optional_ops_are_left_out_unless_asked_for() -> Result<()> {
    let had = congestion_controls()?;
    expect_said("optional_ops", &["3 and 4 progs"])?;
    let has = congestion_controls()?;
    for ours in ["oo_always", "oo_sometimes"] {
        ensure!(
            has.iter().any(|name| name == ours),
            "expected {ours} among {has:?}"
        );
    }
    rmmod(GALLERY)?;
    let has = congestion_controls()?;
    ensure!(has == had, "after rmmod: expected {had:?}, seen {has:?}");
    Ok(())
}

/// A file of /sys/kernel/sched_ext.
pub fn sched_ext(file: &str) -> Result<String> {
    let path = format!("/sys/kernel/sched_ext/{file}");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    Ok(text.trim_end().to_owned())
}

pub fn expect_state(expected: &str, when: &str) -> Result<()> {
    let seen = sched_ext("state")?;
    ensure!(seen == expected, "{when}: expected {expected}, seen {seen}");
    Ok(())
}

fn need_sched_ext() -> Result<()> {
    if Path::new("/sys/kernel/sched_ext").exists() {
        return Ok(());
    }
    Err(Skip("this kernel is configured without CONFIG_SCHED_CLASS_EXT".into()).into())
}

/// Has a scheduler asked about a task of this name. Waking up is not enough: the kernel itself puts it on a CPU that is idle.
fn be_enqueued_as(name: &CStr) -> Result<()> {
    set_name(name)?;
    for _ in 0..100 {
        thread::yield_now();
    }
    Ok(())
}

/// Has four threads take turns.
pub fn work() {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
    });
}

pub fn gallery_scheduler_runs_tasks_until_rmmod() -> Result<()> {
    need_sched_ext()?;
    let before = Ids::now();
    expect_state("disabled", "before insmod")?;
    expect_said(
        "scheduler",
        &["failed to register second: EBUSY (-16): \
           there is another one of its kind, or it is registered already"],
    )?;
    expect_state("enabled", "after insmod")?;
    let seen = sched_ext("root/ops")?;
    ensure!(
        seen.starts_with("gallery"),
        "expected the scheduler gallery, seen {seen}"
    );
    // It was registered twice.
    expect_bss("scheduler", &[("starts", 2)])?;
    let enqueued = bss("scheduler", "enqueued")?;
    work();
    let more = bss("scheduler", "enqueued")? - enqueued;
    ensure!(
        more >= 4 * 50,
        "expected a task enqueued 200 times, seen {more}"
    );

    rmmod(GALLERY)?;
    expect_state("disabled", "after rmmod")?;
    work();
    eventually(|| bpf::expect_nothing_since(&before, "rmmod"))
}

pub fn gallery_scheduler_that_fails_is_thrown_out() -> Result<()> {
    need_sched_ext()?;
    load("scheduler")?;
    expect_state("enabled", "after insmod")?;
    thread::spawn(|| be_enqueued_as(c"bad"))
        .join()
        .map_err(|_| anyhow!("the thread panicked"))??;
    eventually(|| expect_state("disabled", "after an error"))?;
    // SCX_EXIT_ERROR
    expect_bss("scheduler", &[("exit_kind", 1024)])?;
    let said = bpf::global("schedule.bss", "exit_msg")?;
    let said = String::from_utf8_lossy(&said);
    ensure!(
        said.contains("0x1234") || said.contains("4660"),
        "expected the queue to be named, seen {said:?}"
    );
    work();
    // Nothing of it is left to be unregistered.
    rmmod(GALLERY)?;
    expect_state("disabled", "after rmmod")?;
    load("scheduler")?;
    expect_state("enabled", "the next time")?;
    rmmod(GALLERY)?;
    expect_state("disabled", "at the end")
}

pub fn gallery_scheduler_that_stalls_is_thrown_out() -> Result<()> {
    need_sched_ext()?;
    let before = Ids::now();
    load("scheduler")?;
    expect_state("enabled", "after insmod")?;
    // The scheduler forgets it, and its timeout is 5 seconds.
    let forgotten = thread::spawn(|| be_enqueued_as(c"lost"));
    eventually(|| expect_state("disabled", "after a stall"))?;
    forgotten
        .join()
        .map_err(|_| anyhow!("the thread panicked"))??;
    // SCX_EXIT_ERROR_STALL
    expect_bss("scheduler", &[("exit_kind", 1026)])?;
    let text = bpf::global("schedule.bss", "exit_msg")?;
    let text = String::from_utf8_lossy(&text);
    ensure!(
        text.contains("lost["),
        "expected the task to be named, seen {text:?}"
    );
    let said = dmesg()?;
    ensure!(
        said.iter()
            .any(|line| line.contains("\"gallery\" disabled (runnable task stall)")),
        "expected in dmesg that it was a stall, seen none"
    );
    work();
    rmmod(GALLERY)?;
    eventually(|| bpf::expect_nothing_since(&before, "rmmod"))?;
    load("scheduler")?;
    expect_state("enabled", "the next time")?;
    work();
    rmmod(GALLERY)?;
    expect_state("disabled", "at the end")
}

pub fn gallery_two_schedulers_come_and_go_at_once() -> Result<()> {
    const ROUNDS: usize = 15;
    need_sched_ext()?;
    let mut messages = Messages::from_now()?;
    let (ids, had) = (Ids::now(), fds()?);
    // How often it was loaded, and how often refused.
    let cycle = |name: &str, params: &CStr| -> Result<(u32, u32)> {
        let (mut loaded, mut refused) = (0, 0);
        for _ in 0..ROUNDS {
            match insmod_with(&format!("{MODULE_DIR}/{name}.ko"), params)? {
                Ok(()) => {
                    loaded += 1;
                    thread::sleep(Duration::from_millis(3));
                    rmmod(name)?;
                }
                Err(Errno::BUSY) => {
                    refused += 1;
                    thread::sleep(Duration::from_millis(3));
                }
                Err(e) => bail!("insmod {name}: expected EBUSY at most, seen {e:?}"),
            }
        }
        Ok((loaded, refused))
    };
    load("scheduler")?;
    let second = insmod_with(&format!("{MODULE_DIR}/scheduler.ko"), c"")?;
    ensure!(
        second == Err(Errno::BUSY),
        "a second module: expected EBUSY, seen {second:?}"
    );
    rmmod(GALLERY)?;
    let mut errors = messages.new_errors()?;
    let mut thrown_out = 0;
    let seen = thread::scope(|scope| -> Result<_> {
        let storms = [
            scope.spawn(|| cycle(GALLERY, c"scheduler=1")),
            scope.spawn(|| cycle("scheduler", c"")),
        ];
        while !storms.iter().all(|storm| storm.is_finished()) {
            for _ in 0..4 {
                work();
            }
            fs::write("/proc/sysrq-trigger", "S")?;
            thrown_out += 1;
            errors.extend(messages.new_errors()?);
        }
        let mut seen = Vec::new();
        for storm in storms {
            seen.push(storm.join().map_err(|_| anyhow!("a storm panicked"))??);
        }
        Ok(seen)
    })?;
    errors.extend(messages.new_errors()?);
    note(&format!(
        "loaded and refused, of {ROUNDS} each: {seen:?}; SysRq-S {thrown_out} times"
    ));
    ensure!(
        seen.iter().all(|(loaded, _)| *loaded > 0),
        "expected each to be loaded at times, seen {seen:?}"
    );
    let explained = errors
        .iter()
        .filter(|line| line.contains("EBUSY (-16): there is another one of its kind"))
        .count();
    // And the one before the storm.
    let refused = 1 + seen.iter().map(|(_, refused)| refused).sum::<u32>();
    ensure!(
        explained == refused as usize,
        "expected a line for each of {refused} times EBUSY, seen {explained}"
    );
    expect_state("disabled", "after the storm")?;
    expect_fds(&had, "the storm")?;
    eventually(|| bpf::expect_nothing_since(&ids, "the storm"))?;
    load("scheduler")?;
    expect_state("enabled", "after the storm")?;
    work();
    rmmod(GALLERY)?;
    expect_state("disabled", "at the end")
}

pub fn gallery_struct_ops_load_in_a_thread_without_fds_0_to_2() -> Result<()> {
    let ids = Ids::now();
    // Above 2, because 0 to 2 are open now.
    let file = fs::File::open(format!("{MODULE_DIR}/{GALLERY}.ko"))?;
    for fd in 0..3 {
        // SAFETY: the console, which nobody here uses until the end of the machine.
        unsafe { rustix::io::close(fd) };
    }
    let had = fds()?;
    ensure!(
        had.keys().all(|fd| *fd > 2),
        "fds: expected 0, 1 and 2 closed, seen {had:?}"
    );
    let in_thread = |params: &'static CStr| -> Result<()> {
        thread::scope(|scope| scope.spawn(|| finit_module(&file, params, 0)).join())
            .map_err(|_| anyhow!("the thread panicked"))?
            .with_context(|| format!("insmod {params:?}"))
    };

    in_thread(c"tcp_congestion=1")?;
    expect_fds(&had, "insmod of tcp_congestion")?;
    let has = congestion_controls()?;
    ensure!(
        has.iter().any(|name| name == "gallery"),
        "expected gallery among {has:?}"
    );
    rmmod(GALLERY)?;
    if Path::new("/sys/kernel/sched_ext").exists() {
        in_thread(c"scheduler=1")?;
        expect_fds(&had, "insmod of scheduler")?;
        expect_state("enabled", "after insmod")?;
        work();
        rmmod(GALLERY)?;
        expect_state("disabled", "after rmmod")?;
    }
    expect_fds(&had, "rmmod")?;
    eventually(|| bpf::expect_nothing_since(&ids, "rmmod"))
}

/// What an example's module has said.
fn said_by(module: &str) -> Result<Vec<String>> {
    let prefix = format!("{module}: ");
    Ok(dmesg()?
        .into_iter()
        .filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
        .collect())
}

pub fn example_congestion_counts_connections_and_keeps_the_window() -> Result<()> {
    loopback_up()?;
    let (ids, had) = (Ids::now(), fds()?);
    insmod_with(&format!("{MODULE_DIR}/congestion.ko"), c"keep=80")??;
    expect_fds(&had, "insmod")?;
    // From now on for each socket.
    fs::write("/proc/sys/net/ipv4/tcp_congestion_control", "bpf_keep")?;
    let listener = TcpListener::bind("127.0.0.1:47011")?;
    let mut here = TcpStream::connect("127.0.0.1:47011")?;
    let (mut there, _) = listener.accept()?;
    for end in [&here, &there] {
        let seen = tcp_congestion(end)?;
        ensure!(seen == "bpf_keep", "expected bpf_keep, seen {seen}");
    }
    send_mebibyte(&mut here, &mut there)?;
    let seen = bpf::global("congesti.rodata", "keep")?;
    ensure!(
        seen == 80_u32.to_ne_bytes(),
        "keep: expected 80, seen {seen:?}"
    );
    fs::write("/proc/sys/net/ipv4/tcp_congestion_control", "cubic")
        .or_else(|_| fs::write("/proc/sys/net/ipv4/tcp_congestion_control", "reno"))?;
    drop((listener, here, there));
    rmmod("congestion")?;
    let said = said_by("congestion")?;
    ensure!(
        said.iter().any(|line| line.starts_with("2 connections, ")),
        "expected 2 connections, seen {said:?}"
    );
    eventually(|| bpf::expect_nothing_since(&ids, "rmmod"))
}

/// The file of examples/scheduler.
fn fifo_counts() -> Result<BTreeMap<String, u64>> {
    let text = fs::read_to_string(format!("{MNT}/fifo_counts"))?;
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let (name, count) = line
            .split_once(' ')
            .with_context(|| format!("expected a name and a count, seen {line:?}"))?;
        counts.insert(name.to_owned(), count.trim_start().parse()?);
    }
    ensure!(
        counts.keys().eq(["expired", "turns", "woken"]),
        "expected three counts, seen {text:?}"
    );
    Ok(counts)
}

/// Has two threads want one CPU.
fn busy() {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(500) {}
            });
        }
    });
}

/// Has the scheduler of the example at work, which its file shows.
pub fn expect_turns() -> Result<()> {
    mount_bpffs(MNT)?;
    pin::pin_iterators(Path::new(MNT), &["fifo_counts".parse()?])?;
    let before = fifo_counts()?;
    work();
    let after = fifo_counts()?;
    ensure!(
        after["turns"] >= before["turns"] + 4 * 50 && after["woken"] >= before["woken"] + 4 * 50,
        "expected 200 turns of tasks that had slept, seen {before:?}, then {after:?}"
    );
    busy();
    let used_up = fifo_counts()?;
    ensure!(
        used_up["expired"] >= after["expired"] + 10,
        "expected 10 turns that were used up, seen {after:?}, then {used_up:?}"
    );
    Ok(())
}

pub fn example_scheduler_says_why_it_was_thrown_out() -> Result<()> {
    need_sched_ext()?;
    let had = fds()?;
    insmod_with(
        &format!("{MODULE_DIR}/scheduler.ko"),
        c"slice_ms=5 timeout_ms=3000",
    )??;
    expect_fds(&had, "insmod")?;
    expect_state("enabled", "after insmod")?;
    let seen = sched_ext("root/ops")?;
    ensure!(seen == "bpf_fifo", "expected bpf_fifo, seen {seen}");
    expect_turns()?;
    fs::write("/proc/sysrq-trigger", "S")?;
    eventually(|| expect_state("disabled", "after SysRq-S"))?;
    work();
    rmmod("scheduler")?;
    // The file stays.
    let at_last = fifo_counts()?;
    let said = said_by("scheduler")?;
    ensure!(
        said.last() == Some(&format!("{} turns", at_last["turns"])),
        "expected the last count of {at_last:?}, seen {said:?}"
    );
    let turns = |line: &String| {
        line.strip_suffix(" turns")
            .and_then(|n| n.parse::<u64>().ok())
    };
    ensure!(
        said.iter()
            .any(|line| line.starts_with("the kernel has thrown it out: "))
            && said.iter().filter_map(turns).any(|turns| turns >= 4 * 50),
        "expected why it was thrown out, and more than 200 turns; seen {said:?}"
    );
    // Once more, to be taken out by rmmod.
    insmod_with(&format!("{MODULE_DIR}/scheduler.ko"), c"")??;
    expect_state("enabled", "after insmod")?;
    rmmod("scheduler")?;
    expect_state("disabled", "after rmmod")
}
