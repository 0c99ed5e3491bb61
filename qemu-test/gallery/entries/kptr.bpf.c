// SPDX-License-Identifier: GPL-2.0
/*
 * A kptr: a counted reference to an object of the kernel that is kept in a map. What is there stays valid until
 * it is taken out, or the map goes.
 *
 * The prog keeps the task that has called it, and tells which one it kept before: that task may have ended.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;

struct last_caller {
	struct task_struct __kptr *task;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct last_caller);
} kept_task SEC(".maps");

__u32 kept;
__u32 previous_pid;

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(keep_caller, int a)
{
	struct task_struct *task, *previous;
	struct last_caller *last;
	__u32 zero = 0;

	last = bpf_map_lookup_elem(&kept_task, &zero);
	if (!last)
		return 0;
	task = bpf_task_acquire(bpf_get_current_task_btf());
	if (!task)
		return 0;
	/* The map takes over the one reference and hands out the other. */
	previous = bpf_kptr_xchg(&last->task, task);
	kept++;
	if (previous) {
		previous_pid = previous->pid;
		bpf_task_release(previous);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
