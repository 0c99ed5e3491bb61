// SPDX-License-Identifier: GPL-2.0
/*
 * A policy: only progs that the kernel has verified the signature of.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __core __attribute__((preserve_access_index))

/* include/linux/bpf.h */
#define BPF_SIG_VERIFIED 1

struct bpf_prog_aux {
	struct {
		__u8 verdict;
	} __core sig;
} __core;

struct bpf_prog {
	enum bpf_prog_type type;
	struct bpf_prog_aux *aux;
} __core;

struct bpf_token;

SEC("lsm/bpf_prog_load")
int BPF_PROG(verified_only, struct bpf_prog *prog, union bpf_attr *attr, struct bpf_token *token, bool kernel, int ret)
{
	if (ret)
		return ret;
	/*
	 * What a loader prog loads comes from the kernel, and has no signature: the loader prog vouches for it, and
	 * none is there that was not verified when it was loaded itself. User space cannot pass for the kernel.
	 */
	if (kernel && prog->type != BPF_PROG_TYPE_SYSCALL)
		return 0;
	return prog->aux->sig.verdict == BPF_SIG_VERIFIED ? 0 : -EPERM;
}

char LICENSE[] SEC("license") = "GPL";
