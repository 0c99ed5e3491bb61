// SPDX-License-Identifier: GPL-2.0
/*
 * A function that finds a task by its number, with kfuncs: what they give it releases itself.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int tgid;
	char comm[16];
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

struct found {
	__s32 pid;
	__s32 tgid;
	char comm[16];
};

SEC("syscall")
int find_task(struct found *args)
{
	struct task_struct *task = bpf_task_from_pid(args->pid);

	if (!task)
		return -ESRCH;
	args->tgid = task->tgid;
	bpf_probe_read_kernel_str(args->comm, sizeof(args->comm), task->comm);
	bpf_task_release(task);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
