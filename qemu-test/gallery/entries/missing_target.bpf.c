// SPDX-License-Identifier: GPL-2.0
/*
 * Attaches to a function that no kernel has: the load fails and names it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(has_its_target, int a)
{
	return 0;
}

SEC("fentry/no_such_function")
int BPF_PROG(has_no_target)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
