// SPDX-License-Identifier: GPL-2.0
/*
 * Attaches to a function of a module, the kernel's own bpf_preload.ko, and then calls one that no kernel has: the
 * load fails when the module's BTF is open.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

extern void bpf_no_such_kfunc(void) __ksym;

SEC("fentry/preload")
int BPF_PROG(calls_missing, void *info)
{
	bpf_no_such_kfunc();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
