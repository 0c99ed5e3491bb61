// SPDX-License-Identifier: GPL-2.0
/*
 * By which calls does the kernel come to each allocation that can be made to fail? Written down for a task that
 * has set its fail-nth to ALL, in the order in which they can be chosen by a smaller number.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* More than anything allocates: NEVER in qemu-test/guest/src/suite/failpoints.rs. */
#define ALL 1000000
#define CALLS (1 << 17)
#define FRAMES 48

struct task_struct {
	unsigned int fail_nth;
} __attribute__((preserve_access_index));

extern const void _stext __ksym;
extern const void _etext __ksym;

/* A hash of the addresses on the stack, for each. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CALLS);
	__type(key, __u32);
	__type(value, __u64);
} lab_stacks SEC(".maps");

static int write_down(void *ctx)
{
	__u64 from = (__u64)&_stext, to = (__u64)&_etext, hash = 0xcbf29ce484222325, frames[FRAMES] = {};
	__u32 index = ALL - bpf_get_current_task_btf()->fail_nth;
	__u64 *stack = bpf_map_lookup_elem(&lab_stacks, &index);

	if (!stack)
		return 0;
	bpf_get_stack(ctx, frames, sizeof(frames), 0);
	/* The kernel's own code only: a module or a prog is somewhere else at each load. */
	for (int i = 0; i < FRAMES; i++)
		if (frames[i] >= from && frames[i] < to)
			hash = (hash ^ frames[i]) * 0x100000001b3;
	/*
	 * The kernel does not count the calls of an interrupt, nor those that the test leaves out: the number stays,
	 * and the next call is written over it.
	 */
	*stack = hash;
	return 0;
}

SEC("fentry/should_failslab")
int BPF_PROG(slab)
{
	return write_down(ctx);
}

SEC("fentry/should_fail_alloc_page")
int BPF_PROG(page)
{
	return write_down(ctx);
}

char LICENSE[] SEC("license") = "GPL";
