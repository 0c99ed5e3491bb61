// SPDX-License-Identifier: GPL-2.0
/*
 * A prog that may sleep, at a place of the kernel where that is allowed: it reads an attribute of the file that is
 * to be opened, which may have to come from disk. A file with the attribute user.locked cannot be opened.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct file;

extern int bpf_get_file_xattr(struct file *file, const char *name__str, struct bpf_dynptr *value) __ksym;

static const char attribute[] = "user.locked";
/* Where the attribute's value goes. It cannot be on the stack. */
char value[8];

/* The .s is for "sleepable". */
SEC("lsm.s/file_open")
int BPF_PROG(locked, struct file *file, int ret)
{
	struct bpf_dynptr to;

	if (ret)
		return ret;
	bpf_dynptr_from_mem(value, sizeof(value), 0, &to);
	return bpf_get_file_xattr(file, attribute, &to) >= 0 ? -EACCES : 0;
}

char LICENSE[] SEC("license") = "GPL";
