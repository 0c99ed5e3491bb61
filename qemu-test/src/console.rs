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
    "list_add corruption",
    "list_del corruption",
    "refcount_t:",
    "UBSAN:",
    "rust_kernel: panicked",
    "unregister_netdevice: waiting",
    // Debug kernels: kmemleak, lockdep, SLUB, debug objects.
    "suspected memory leaks",
    "possible irq lock inversion",
    "non-static key",
    "locking correctness validator",
    "DEBUG_LOCKS_WARN_ON",
    "] BUG ",
    "ODEBUG:",
];

/// The kernel shows its stack, too, where memory was short and nothing else is wrong.
const SHORT_OF_MEMORY: &[&str] = &[
    "vmalloc error: size ",
    "page allocation failure: order:",
    "percpu: allocation failed",
    " invoked oom-killer: ",
];

/// Reads the console line by line.
#[derive(Default)]
pub struct Watchdog {
    short_of_memory: bool,
}

impl Watchdog {
    /// Whether a line shows that the kernel is not well, after those before it.
    pub fn is_trouble(&mut self, line: &str) -> bool {
        if SHORT_OF_MEMORY.iter().any(|marker| line.contains(marker)) {
            self.short_of_memory = true;
        }
        if self.short_of_memory && is_stack(line) {
            self.short_of_memory = false;
            return false;
        }
        is_trouble(line)
    }
}

/// Whether a line of the console shows, by itself, that the kernel is not well.
fn is_trouble(line: &str) -> bool {
    is_stack(line) || MARKERS.iter().any(|marker| line.contains(marker))
}

/// Whether a line is the one before a stack. Most architectures write it the first way, arm64 the second.
fn is_stack(line: &str) -> bool {
    line.contains("Call Trace:") || line.contains("Call trace:")
}

#[cfg(test)]
mod tests {
    use super::{is_trouble, Watchdog};

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
            "[    1.0] kmemleak: 20 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
            "[    1.0] WARNING: suspicious RCU usage",
            "[    1.0] INFO: trying to register non-static key.",
            "[    1.0] turning off the locking correctness validator.",
            "[    1.0] BUG kmalloc-64 (Tainted: G           O       ): Redzone overwritten",
            "[    1.0] ODEBUG: free active (active state 0) object: ffff object type: work_struct",
        ] {
            assert!(is_trouble(line), "expected trouble in {line:?}, seen none");
        }
    }

    #[test]
    fn only_the_stack_of_a_failed_allocation_is_no_trouble() {
        let mut watchdog = Watchdog::default();
        let mut seen = |line| watchdog.is_trouble(line);
        assert!(!seen(
            "[    1.0] insmod: vmalloc error: size 4096, failed to allocate pages"
        ));
        assert!(!seen("[    1.0] CPU: 0 UID: 0 PID: 70 Comm: insmod"));
        assert!(!seen("[    1.0] Call Trace:"));
        assert!(!seen("[    1.0] exe invoked oom-killer: gfp_mask=0x0"));
        assert!(!seen("[    1.0] Call trace:"));
        assert!(seen("[    2.0] Call Trace:"));
    }

    #[test]
    fn lines_of_a_healthy_boot_are_no_trouble() {
        for line in [
            "[    0.0] Command line: console=ttyS0 panic=-1 -- test m s",
            "[    0.0] x86/mm: Memory block size: 128MB",
            "[    1.0] bpf_preload_rs: loading out-of-tree module taints kernel.",
            "[    1.0] bpf_preload_rs: module verification failed: signature and/or required key missing",
            "[    1.0] clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable",
            "[    1.0] kmemleak: Kernel memory leak detector initialized (mem pool available: 40000)",
            "[    1.0] Spectre V2 : Vulnerable: eIBRS with unprivileged eBPF",
        ] {
            assert!(!is_trouble(line), "expected no trouble in {line:?}");
        }
    }
}
