// SPDX-License-Identifier: GPL-2.0
/*
 * A kfunc that ends all: crash_kexec() boots the kernel that kexec has loaded for the case of a crash, which can
 * then save the memory of this one. Who loads a prog that calls it needs CAP_SYS_BOOT.
 *
 * Only to be loaded here: it is never attached, and if it were, it would wait for an error that no system call gives.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define NO_SUCH_ERROR -4000

struct pt_regs;

extern void crash_kexec(struct pt_regs *regs) __ksym;

/* It wants registers that the kernel vouches for: this tracepoint has them on all machines. */
SEC("tp_btf/sys_exit")
int BPF_PROG(crash_on_error, struct pt_regs *regs, long ret)
{
	if (ret == NO_SUCH_ERROR)
		crash_kexec(regs);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
