// SPDX-License-Identifier: GPL-2.0
/*
 * For a module that attaches from a kernel thread: what names its target in the object can be attached there. What
 * the kernel reads from the memory of a process cannot, as a kernel thread has none.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

__u32 calls;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(thread_fentry, int a)
{
	calls++;
	return 0;
}

/* The name of a tracepoint. */
SEC("raw_tp/bpf_test_finish")
int thread_raw_tp(void *ctx)
{
	return 0;
}

/* The names of functions. */
SEC("kprobe.multi/bpf_fentry_test1")
int thread_kp_multi(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
