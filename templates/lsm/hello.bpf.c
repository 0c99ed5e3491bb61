// SPDX-License-Identifier: GPL-2.0
/* A security policy: no program is started whose file does not belong to root. */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Structs of the kernel, with what is used of them. Where that is, is looked up when they are loaded (CO-RE). */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
typedef struct {
	__u32 val;
} kuid_t;

struct inode {
	kuid_t i_uid;
};

struct file {
	struct inode *f_inode;
};

struct linux_binprm {
	struct file *file;
};
#pragma clang attribute pop

/* Set by the module. 0: only count. */
__u32 enforce;
/* Read by it. */
__u64 refused;

/* ret is what a prog before this one has decided. */
SEC("lsm/bprm_check_security")
int BPF_PROG(only_roots, struct linux_binprm *bprm, int ret)
{
	if (ret || bprm->file->f_inode->i_uid.val == 0)
		return ret;
	__sync_fetch_and_add(&refused, 1);
	return enforce ? -EPERM : 0;
}

char LICENSE[] SEC("license") = "GPL";
