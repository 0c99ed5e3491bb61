// SPDX-License-Identifier: GPL-2.0
/*
 * A lock in a map's value: what it guards changes as a whole, also for who reads the value through bpf(2) with
 * BPF_F_LOCK.
 *
 * The prog moves coins from one purse to the other and counts how often, on as many CPUs as call it at a time.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct purses {
	struct bpf_spin_lock lock;
	__u32 left;
	__u32 right;
	__u32 moves;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct purses);
} locked_purses SEC(".maps");

/* A slow step: long enough for another CPU to come between. */
static __u32 slowly(volatile __u32 *purse, __u32 by)
{
	__u32 before = *purse;
	volatile __u32 wait = 0;

	for (int i = 0; i < 100; i++)
		wait++;
	*purse = before + by;
	return wait;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(move_coin, int a)
{
	struct purses *purses;
	__u32 zero = 0;

	purses = bpf_map_lookup_elem(&locked_purses, &zero);
	if (!purses)
		return 0;
	bpf_spin_lock(&purses->lock);
	slowly(&purses->left, -1);
	slowly(&purses->right, 1);
	slowly(&purses->moves, 1);
	bpf_spin_unlock(&purses->lock);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
