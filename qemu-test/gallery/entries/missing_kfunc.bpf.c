// SPDX-License-Identifier: GPL-2.0
/*
 * Calls a function that no kernel has, and does not say __weak: the load fails and names the function.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern void bpf_no_such_kfunc(void) __ksym;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(calls_nothing, int a)
{
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(calls_missing, int a)
{
	bpf_no_such_kfunc();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
