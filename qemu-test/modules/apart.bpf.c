// SPDX-License-Identifier: GPL-2.0
/* An object whose data are not in the module: lskel_blob.ko gets them from user space, and takes only these. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

const volatile __u32 step = 1;
__u32 calls;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(count_apart)
{
	calls += step;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
