// SPDX-License-Identifier: GPL-2.0
/*
 * One prog on several functions of the kernel. It knows which one was called by the cookie that it was attached
 * with. A module says at attach time which functions: unlike a kprobe, this takes no perf event.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* A call of each function counts by its cookie. */
__u32 calls[4];
/* Returns of bpf_fentry_test1(), which the section names. */
__u32 returned;

SEC("kprobe.multi")
int count(void *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (cookie < 4)
		calls[cookie]++;
	return 0;
}

SEC("kretprobe.multi/bpf_fentry_test1")
int count_return(void *ctx)
{
	returned++;
	return 0;
}

/* A test run of this has the kernel call the functions. */
SEC("fentry/bpf_fentry_test1")
int BPF_PROG(trigger, int a)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
