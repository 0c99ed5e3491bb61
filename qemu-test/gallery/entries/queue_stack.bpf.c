// SPDX-License-Identifier: GPL-2.0
/*
 * A queue gives back first what was put in first, a stack what was put in last.
 *
 * A test run puts 1, 2 and 3 in each (4 does not fit) and takes one out. User space can look at what would come
 * next.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* They have no keys. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 3);
	__type(value, __u32);
} a_queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 3);
	__type(value, __u32);
} a_stack SEC(".maps");

__u32 from_queue;
__u32 from_stack;
/* There is room for three. */
__u32 no_room;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(use_queue_stack, int a)
{
	__u32 i;

	for (i = 1; i <= 4; i++) {
		/* A copy: of a counter whose address is taken the verifier loses track. */
		__u32 n = i;

		if (bpf_map_push_elem(&a_queue, &n, BPF_ANY))
			no_room++;
		if (bpf_map_push_elem(&a_stack, &n, BPF_ANY))
			no_room++;
	}
	bpf_map_pop_elem(&a_queue, &from_queue);
	bpf_map_pop_elem(&a_stack, &from_stack);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
