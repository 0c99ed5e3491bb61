// SPDX-License-Identifier: GPL-2.0
/*
 * Progs at the start of a function of the kernel, at its end and in its place, and one at a tracepoint with typed
 * arguments. Each knows its cookie: a number that the module gave when it attached it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The sum of the cookies of each call. */
__u64 entered;
__u64 left;
__u64 finished;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(cookie_fentry, int a)
{
	entered += bpf_get_attach_cookie(ctx);
	return 0;
}

/* The same function: it has both. */
SEC("fentry/bpf_fentry_test1")
int BPF_PROG(cookie_fentry2, int a)
{
	entered += bpf_get_attach_cookie(ctx);
	return 0;
}

/* An fexit prog sees what the function returned. */
SEC("fexit/bpf_fentry_test1")
int BPF_PROG(cookie_fexit, int a, int ret)
{
	if (ret == a + 1)
		left += bpf_get_attach_cookie(ctx);
	return 0;
}

/* What it returns, unless it is 0, the caller gets, and the function is not called. */
SEC("fmod_ret/bpf_modify_return_test")
int BPF_PROG(cookie_fmod_ret, int a, int *b, int ret)
{
	return bpf_get_attach_cookie(ctx);
}

/* At the end of each test run. */
SEC("tp_btf/bpf_test_finish")
int BPF_PROG(cookie_tp_btf, int *error)
{
	finished += bpf_get_attach_cookie(ctx);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
