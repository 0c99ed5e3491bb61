/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What kernel::bindings lacks. bindgen reads this file from Kbuild; the structs that are only named here
 * come from kernel::bindings.
 */

#include <linux/version.h>

struct bpf_link;
struct module;
union bpf_attr;
struct srcu_struct;

/* kernel/bpf/syscall.c: declared in no header. */
int kern_sys_bpf(int cmd, union bpf_attr *attr, unsigned int size);

/* include/linux/srcu*.h: inline in kernels for one CPU. A module that does not use them loads there. */
int __srcu_read_lock(struct srcu_struct *ssp);
void __srcu_read_unlock(struct srcu_struct *ssp, int idx);

/* kernel/bpf/preload/bpf_preload.h: not in the packages of kernel headers. */
#define BPF_PRELOAD_LINKS 2

struct bpf_preload_info {
	char link_name[16];
	struct bpf_link *link;
};

struct bpf_preload_ops {
	int (*preload)(struct bpf_preload_info *info);
	struct module *owner;
};

extern struct bpf_preload_ops *bpf_preload_ops;
