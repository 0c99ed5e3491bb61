// SPDX-License-Identifier: GPL-2.0
/*
 * A ring buffer the other way round: user space writes records (libbpf's user_ring_buffer does), BPF takes them
 * out.
 *
 * Each test run takes out all numbers that are in it and adds them up.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	/* In bytes, a power of two, and whole pages on all machines. */
	__uint(max_entries, 64 * 1024);
} orders SEC(".maps");

__u32 taken;
__u32 too_short;
__u64 sum_of_orders;

/* The record is a dynptr: its size is only known now, so each read is checked. */
static long take_order(struct bpf_dynptr *record, void *ctx)
{
	__u64 number;

	if (bpf_dynptr_read(&number, sizeof(number), record, 0, 0)) {
		too_short++;
		return 0;
	}
	taken++;
	sum_of_orders += number;
	/* 1 would leave the others where they are. */
	return 0;
}

SEC("fentry/bpf_fentry_test3")
int BPF_PROG(take_orders, char a)
{
	bpf_user_ringbuf_drain(&orders, take_order, NULL, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
