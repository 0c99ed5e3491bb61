// SPDX-License-Identifier: GPL-2.0
//! The watchdog on the kernel's console.

/// Any of these in a line of the console means that the kernel is not well.
const MARKERS: &[&str] = &[
    "Kernel panic",
    "BUG:",
    "kernel BUG at",
    "WARNING: ",
    "Oops",
    "general protection fault",
    "Unable to handle",
    "Internal error:",
    "soft lockup",
    "hard LOCKUP",
    "blocked for more than",
    "self-detected stall",
    "detected stalls on CPUs",
    "Call Trace:",
    "Call trace:",
    "list_add corruption",
    "list_del corruption",
    "refcount_t:",
    "UBSAN:",
    "rust_kernel: panicked",
    "unregister_netdevice: waiting",
];

/// Whether a line of the console shows that the kernel is not well.
pub fn is_trouble(line: &str) -> bool {
    MARKERS.iter().any(|marker| line.contains(marker))
}

#[cfg(test)]
mod tests {
    use super::is_trouble;

    #[test]
    fn lines_of_a_sick_kernel_are_trouble() {
        for line in [
            "[    1.0] Kernel panic - not syncing: sysrq triggered crash",
            "[    1.0] BUG: unable to handle page fault for address: ffffffff",
            "[    1.0] kernel BUG at kernel/bpf/inode.c:12!",
            "[    1.0] WARNING: CPU: 0 PID: 1 at kernel/bpf/syscall.c:1 f+0x1/0x2",
            "[    1.0] WARNING: kernel/bpf/syscall.c:1 at f+0x1/0x2, CPU#0: init/1",
            "[    1.0] WARNING: possible circular locking dependency detected",
            "[    1.0] Oops: general protection fault, probably for non-canonical address",
            "[    1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [init:1]",
            "[    1.0] rcu: INFO: rcu_preempt self-detected stall on CPU",
            "[    1.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
            "[    1.0] INFO: task init:1 blocked for more than 120 seconds.",
            "[    1.0] Unable to handle kernel NULL pointer dereference",
            "[    1.0] BUG: KASAN: slab-use-after-free in f+0x1/0x2",
            "[    1.0] rust_kernel: panicked at core/src/option.rs:1:",
        ] {
            assert!(is_trouble(line), "expected trouble in {line:?}, seen none");
        }
    }

    #[test]
    fn lines_of_a_healthy_boot_are_no_trouble() {
        for line in [
            "[    0.0] Command line: console=ttyS0 panic=-1 -- test m s",
            "[    0.0] x86/mm: Memory block size: 128MB",
            "[    1.0] bpf_preload_rs: loading out-of-tree module taints kernel.",
            "[    1.0] bpf_preload_rs: module verification failed: signature and/or required key missing",
            "[    1.0] clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable",
            "[    1.0] Spectre V2 : Vulnerable: eIBRS with unprivileged eBPF",
        ] {
            assert!(!is_trouble(line), "expected no trouble in {line:?}");
        }
    }
}
