// SPDX-License-Identifier: GPL-2.0
/*
 * bpf_loop() calls a function of the prog many times. The verifier looks at the function once, not at each turn:
 * loops can be long and their length unknown.
 *
 * A test run adds up numbers in one loop, and leaves another one early.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sum {
	__u64 value;
};

__u64 sum_of_turns;
__u64 turns;
__u64 turns_before_end;

static long add_turn(__u64 turn, struct sum *sum)
{
	sum->value += turn;
	return 0;
}

/* 1 ends the loop. */
static long end_at_41(__u64 turn, void *ctx)
{
	return turn == 41;
}

SEC("fentry/bpf_fentry_test3")
int BPF_PROG(loop_twice, char a)
{
	struct sum sum = {};

	/* Both return how often the function was called. */
	turns = bpf_loop(100000, add_turn, &sum, 0);
	sum_of_turns = sum.value;
	turns_before_end = bpf_loop(100000, end_at_41, NULL, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
