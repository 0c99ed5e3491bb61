// SPDX-License-Identifier: GPL-2.0
/*
 * What each CPU has for itself: an array with a value for each CPU, which a prog changes without atomics, and a
 * per-CPU variable of the kernel.
 *
 * Each test run counts for the CPU that it is done on, and asks the kernel's run queues for their CPU's number.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The kernel has many more fields; where this one is, is found when the prog is loaded. */
struct rq {
	int cpu;
} __attribute__((preserve_access_index));

extern const struct rq runqueues __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} calls_by_cpu SEC(".maps");

/* A bit for each CPU that this ran on, as its run queue says. */
__u32 cpus;
/* What the run queue of CPU 1 says, wherever this runs. */
__u32 cpu_1;
__u32 no_such_cpu;

SEC("fentry/bpf_fentry_test3")
int BPF_PROG(count_by_cpu, char a)
{
	__u32 zero = 0, *calls = bpf_map_lookup_elem(&calls_by_cpu, &zero);
	const struct rq *here = bpf_this_cpu_ptr(&runqueues);
	const struct rq *one = bpf_per_cpu_ptr(&runqueues, 1);

	if (calls)
		++*calls;

	cpus |= 1U << (here->cpu & 31);
	/* May be NULL: the number can be that of no CPU. */
	if (one)
		cpu_1 = one->cpu;
	if (!bpf_per_cpu_ptr(&runqueues, 1000000))
		no_such_cpu++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
