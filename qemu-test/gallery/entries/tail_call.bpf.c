// SPDX-License-Identifier: GPL-2.0
/*
 * A tail call: one prog goes on as another, by an index into an array of progs, and does not come back. Here a
 * slot is filled from the start. User space may put another prog in, or take it out: then the call falls through.
 *
 * The kernel empties the array when nobody has it open: the module holds it open.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

int after_jump(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} jump_slots SEC(".maps") = {
	.values = { [1] = (void *)&after_jump },
};

__u32 jumped;
__u32 fell_through;

SEC("fentry/bpf_fentry_test1")
int before_jump(void *ctx)
{
	bpf_tail_call(ctx, &jump_slots, 1);
	/* The slot is empty. */
	fell_through++;
	return 0;
}

/* Only called, never attached. It is for the same function: progs in one array have to fit each other. */
SEC("fentry/bpf_fentry_test1")
int after_jump(void *ctx)
{
	jumped++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
