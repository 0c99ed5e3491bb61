// SPDX-License-Identifier: GPL-2.0
/*
 * A prog at a tracepoint of the kernel, with the tracepoint's arguments as they are. One prog can be attached
 * several times: the cookie says which time it was.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Calls by cookie. */
__u32 calls[4];

/* The tracepoint at the end of each test run. */
SEC("raw_tp/bpf_test_finish")
int raw_tp_finish(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (cookie < 4)
		calls[cookie]++;
	return 0;
}

/* To be run by the test. */
SEC("fentry/bpf_fentry_test1")
int BPF_PROG(raw_tp_trigger, int a)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
