// SPDX-License-Identifier: GPL-2.0
//! Ways to attach: to functions, tracepoints and hooks of security modules; and what is refused.

use std::fs::{self, File};

use anyhow::{ensure, Result};
use rustix::fs::{setxattr, XattrFlags};
use rustix::io::Errno;
use scenarios::GALLERY;

use super::{expect_bss, expect_bss_array, load, load_if, said_of, test_run};
use crate::bpf::{self, Ids};
use crate::kernel::{eventually, expect_fds, fds, has_function, need_bpf_lsm, rmmod};

/// What `kprobe.multi` is made of in the kernel.
fn has_fprobe() -> Result<bool> {
    has_function("register_fprobe")
}

const NO_FPROBE: &str = "this kernel is configured without CONFIG_FPROBE";

pub fn gallery_tracing_progs_see_their_cookies() -> Result<()> {
    load("tracing_cookies")?;
    test_run("cookie_fentry")?;
    test_run("cookie_fentry")?;
    let seen = test_run("cookie_fmod_ret")?;
    // The cookie instead of what bpf_modify_return_test() returns; 29 and one side effect of
    // bpf_modify_return_test2().
    let expected = (1 << 16) | (1000 + 29);
    ensure!(
        seen == expected,
        "test run of cookie_fmod_ret: expected {expected:#x}, seen {seen:#x}"
    );
    expect_bss(
        "tracing_cookies",
        &[
            ("entered", 2 * (1 + 10)),
            ("left", 2 * 100),
            ("finished", 3 * 10_000),
        ],
    )
}

pub fn gallery_fsession_keeps_a_number_from_start_to_end() -> Result<()> {
    load("fsession")?;
    for _ in 0..3 {
        test_run("session")?;
    }
    expect_bss(
        "fsession",
        &[("started", 3), ("kept", 1 + 2 + 3), ("cookies", 3 * 7)],
    )
}

pub fn gallery_freplace_is_in_the_place_of_functions_and_progs() -> Result<()> {
    load("freplace")?;
    let seen = said_of("freplace")?;
    let expected = [
        "20",
        "40",
        "failed to attach twice: EINVAL (-22): \
         it was attached before, which is possible once: load the object once more, or attach_to()",
        "failed to attach counts: EBUSY (-16): another one is in its place",
        "failed to attach counts: EINVAL (-22): \
         that prog has other parameters than the function that its section names, or another type",
    ];
    ensure!(seen == expected, "expected {expected:#?}, seen {seen:#?}");
    // At the end of each is the tracepoint.
    for _ in 0..3 {
        test_run("finish")?;
    }
    // In the globals of the first of the two, whose prog it is.
    expect_bss("freplace", &[("own_calls", 0), ("calls_in_place", 3)])
}

pub fn gallery_raw_tp_is_attached_twice_with_its_cookies() -> Result<()> {
    load("raw_tp")?;
    test_run("raw_tp_trigger")?;
    test_run("raw_tp_trigger")?;
    expect_bss_array("raw_tp", "calls", &[0, 2, 2, 0])
}

pub fn gallery_kprobe_multi_counts_calls_by_cookie() -> Result<()> {
    load_if(has_fprobe()?, "kprobe_multi", NO_FPROBE)?;
    for _ in 0..3 {
        test_run("trigger")?;
    }
    expect_bss("kprobe_multi", &[("returned", 3)])?;
    // One counter for each cookie: none is 0 or 3.
    expect_bss_array("kprobe_multi", "calls", &[0, 3, 3, 0])
}

pub fn gallery_kprobe_session_runs_at_start_and_at_the_return_it_asks_for() -> Result<()> {
    load_if(has_fprobe()?, "kprobe_session", NO_FPROBE)?;
    for _ in 0..3 {
        test_run("session_trigger")?;
    }
    expect_bss_array("kprobe_session", "calls", &[0, 6, 3, 0])
}

pub fn gallery_lsm_deny_keeps_a_file_and_a_folder_until_rmmod() -> Result<()> {
    need_bpf_lsm()?;
    let (file, folder) = ("/tmp/undeletable", "/tmp/folder/undeletable");
    fs::write(file, "")?;
    fs::create_dir_all(folder)?;
    // One letter more.
    fs::write("/tmp/undeletable1", "")?;
    load("lsm_deny")?;
    expect_errno("unlink", fs::remove_file(file), Errno::PERM)?;
    expect_errno("rmdir", fs::remove_dir(folder), Errno::BUSY)?;
    fs::remove_file("/tmp/undeletable1")?;
    rmmod(GALLERY)?;
    eventually(|| Ok(fs::remove_file(file)?))?;
    eventually(|| Ok(fs::remove_dir(folder)?))
}

pub fn gallery_lsm_sleepable_locks_a_file_by_its_attribute() -> Result<()> {
    need_bpf_lsm()?;
    let path = "/tmp/file";
    fs::write(path, "")?;
    load("lsm_sleepable")?;
    File::open(path)?;
    setxattr(path, "user.locked", b"1", XattrFlags::empty())?;
    expect_errno("open", File::open(path), Errno::ACCESS)?;
    rmmod(GALLERY)?;
    eventually(|| {
        File::open(path)?;
        Ok(())
    })
}

pub fn gallery_refused_attach_says_why_and_what_to_do_instead() -> Result<()> {
    const PERF: &str = "a kprobe wants a perf event, which a module cannot open: \
                        use kprobe.multi or fentry";
    const UPROBE: &str = "uprobes belong to programs of user space: attach it from there";
    const INTERFACE: &str = "is there an interface of this number?";
    const FUNCTIONS: &str = "name its functions: attach_functions()";

    load("refused_attach")?;
    let refused =
        |prog: &str, why: &str| format!("failed to attach no_{prog}: EOPNOTSUPP (-95): {why}");
    let wrong =
        |prog: &str, errno: &str, why: &str| format!("failed to attach no_{prog}: {errno}{why}");
    let invalid = |prog: &str, why: &str| wrong(prog, "EINVAL (-22): ", why);
    let expected = vec![
        refused("kprobe", PERF),
        refused("kretprobe", PERF),
        refused(
            "tracepoint",
            "a tracepoint wants a perf event, which a module cannot open: use tp_btf or raw_tp",
        ),
        refused(
            "perf_event",
            "a module cannot open a perf event: attach it from user space",
        ),
        refused("uprobe", UPROBE),
        refused("uretprobe", UPROBE),
        refused("uprobe_multi", UPROBE),
        refused("usdt", UPROBE),
        refused(
            "tc",
            "a tc filter wants netlink: use tcx/ingress or tcx/egress, or attach it from user space",
        ),
        invalid("raw_tp", "its section names no tracepoint: raw_tp/NAME"),
        invalid("kp_multi", FUNCTIONS),
        invalid("xdp", "name the interface: attach_interface()"),
        invalid("tcx", "name the interface: attach_interface()"),
        invalid("cgroup", "name the cgroup: attach_cgroup()"),
        invalid("sk_lookup", "name the network namespace: attach_netns()"),
        invalid("netfilter", "name the hook: attach_netfilter()"),
        wrong(
            "kp_multi",
            "EINVAL (-22)",
            ": a cookie for each function, or none at all",
        ),
        if has_fprobe()? {
            wrong(
                "kp_multi",
                "ESRCH (-3)",
                ": this kernel lacks a function of these, or it cannot be traced",
            )
        } else {
            refused("kp_multi", NO_FPROBE)
        },
        invalid("xdp", INTERFACE),
        wrong("tcx", "ENODEV (-19): ", INTERFACE),
        wrong(
            "cgroup",
            "EBADF (-9)",
            ": that is no folder of cgroup2: is it mounted there?",
        ),
    ];
    let seen = said_of("refused_attach")?;
    for (expected, seen) in expected.iter().zip(&seen) {
        ensure!(seen == expected, "expected {expected:?}, seen {seen:?}");
    }
    ensure!(
        seen.len() == expected.len(),
        "expected {} refusals, seen {seen:?}",
        expected.len()
    );
    Ok(())
}

pub fn gallery_a_kernel_thread_attaches_what_needs_no_process() -> Result<()> {
    // All kernel threads share this one's fds.
    let files_of_threads = || -> Result<usize> { Ok(fs::read_dir("/proc/2/fd")?.count()) };
    const NONE: &str = "it takes a process's memory, and a kernel thread has none";

    let bystander = bpf::prog("bystander", None)?;
    let fds_before = fds()?;
    let before = Ids::now();
    load("kernel_thread")?;
    let seen = said_of("kernel_thread")?;
    let expected = ["thread_raw_tp", "thread_kp_multi"]
        .map(|prog| format!("failed to attach {prog}: EFAULT (-14): {NONE}"));
    ensure!(seen == expected, "expected {expected:?}, seen {seen:?}");
    test_run("thread_fentry")?;
    expect_bss("kernel_thread", &[("calls", 1)])?;
    let files = files_of_threads()?;
    ensure!(
        files == 0,
        "fds of kernel threads: expected none, seen {files}"
    );
    expect_fds(&fds_before, "insmod")?;
    rmmod(GALLERY)?;
    bpf::expect_nothing_since(&before, "rmmod")?;
    drop(bystander);
    Ok(())
}

fn expect_errno<T>(what: &str, seen: std::io::Result<T>, expected: Errno) -> Result<()> {
    let seen = seen.err().and_then(|error| Errno::from_io_error(&error));
    ensure!(
        seen == Some(expected),
        "{what}: expected {expected:?}, seen {seen:?}"
    );
    Ok(())
}
