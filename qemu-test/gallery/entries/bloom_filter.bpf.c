// SPDX-License-Identifier: GPL-2.0
/*
 * A Bloom filter: tells of a value that it was surely never put in, or that it probably was.
 *
 * The prog puts two values in and asks for them and for a third.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 100);
	__type(value, __u32);
	/* Number of hash functions. */
	__uint(map_extra, 3);
} filter SEC(".maps");

__u32 found;
__u32 missing;

static void ask_for(__u32 value)
{
	if (bpf_map_peek_elem(&filter, &value))
		missing++;
	else
		found++;
}

/* The kernel calls this function when BPF_PROG_TEST_RUN is done on a tracing prog. */
SEC("fentry/bpf_fentry_test3")
int BPF_PROG(use_filter, char a)
{
	__u32 one = 1, two = 2;

	bpf_map_push_elem(&filter, &one, BPF_ANY);
	bpf_map_push_elem(&filter, &two, BPF_ANY);
	ask_for(1);
	ask_for(2);
	ask_for(3);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
