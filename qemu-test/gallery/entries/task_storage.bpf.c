// SPDX-License-Identifier: GPL-2.0
/*
 * Task storage: a value that belongs to a task (a thread, for user space) and goes when the task goes. User space
 * finds it by a pidfd.
 *
 * Each test run counts for the task that does it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	/* It grows with the tasks that use it. */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} calls_by_task SEC(".maps");

/* Tasks that had no value yet. */
__u32 new_tasks;

SEC("fentry/bpf_fentry_test3")
int BPF_PROG(count_by_task, char a)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 zero = 0, *calls;

	calls = bpf_task_storage_get(&calls_by_task, task, NULL, 0);
	if (!calls) {
		new_tasks++;
		calls = bpf_task_storage_get(&calls_by_task, task, &zero, BPF_LOCAL_STORAGE_GET_F_CREATE);
	}
	if (calls)
		++*calls;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
