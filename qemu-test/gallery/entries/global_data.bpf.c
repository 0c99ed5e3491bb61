// SPDX-License-Identifier: GPL-2.0
/*
 * Global variables, which the module and the prog share. Those in .rodata the module sets before it loads this;
 * the verifier takes them for constants, and drops code that they make unreachable. Those in .data and .bss it may
 * also set and read at any time later.
 *
 * Each test run adds to a sum, which the module prints when it goes.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* .rodata. Without volatile the compiler would take their values from here. */
const volatile __u32 factor = 1;
const volatile __u8 double_it = 0;

/* .data: has a value from the start. */
__u32 step = 1;

/* .bss: starts as 0. */
__u32 offset;
__u32 runs;
__u64 total;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(add_up, int a)
{
	__u64 n = step * factor;

	if (double_it)
		n *= 2;
	total += n + offset;
	runs++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
