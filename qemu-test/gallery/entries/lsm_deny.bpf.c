// SPDX-License-Identifier: GPL-2.0
/*
 * Two progs that refuse something, as a security module does: a file called "undeletable" cannot be deleted, and
 * neither can a folder of that name. The kernel needs "bpf" among its security modules (lsm= on its command line).
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __core __attribute__((preserve_access_index))

struct qstr {
	const unsigned char *name;
} __core;

struct dentry {
	struct qstr d_name;
} __core;

struct inode;

static const char name[] = "undeletable";

static int is_undeletable(struct dentry *dentry)
{
	char seen[sizeof(name) + 1];

	bpf_probe_read_kernel_str(seen, sizeof(seen), dentry->d_name.name);
	return !bpf_strncmp(seen, sizeof(seen), name);
}

/* ret is what the prog before this one has decided. */
SEC("lsm/inode_unlink")
int BPF_PROG(keep_file, struct inode *folder, struct dentry *dentry, int ret)
{
	return ret ? ret : is_undeletable(dentry) ? -EPERM : 0;
}

/* Its cookie says how it refuses. */
SEC("lsm/inode_rmdir")
int BPF_PROG(keep_folder, struct inode *folder, struct dentry *dentry, int ret)
{
	if (ret || !is_undeletable(dentry))
		return ret;
	return bpf_get_attach_cookie(ctx) == EBUSY ? -EBUSY : -EPERM;
}

char LICENSE[] SEC("license") = "GPL";
