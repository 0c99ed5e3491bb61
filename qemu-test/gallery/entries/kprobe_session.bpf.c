// SPDX-License-Identifier: GPL-2.0
/*
 * One prog for both ends of a function: it is called at the start and, unless it returns 1 there, at the return.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Calls by cookie. */
__u32 calls[4];

SEC("kprobe.session")
int session(void *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (cookie < 4)
		calls[cookie]++;
	/* The second function's return is of no interest. */
	return cookie == 2;
}

/* A test run of this has the kernel call the functions. */
SEC("fentry/bpf_fentry_test1")
int BPF_PROG(session_trigger, int a)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
