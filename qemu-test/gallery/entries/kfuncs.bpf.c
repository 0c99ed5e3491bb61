// SPDX-License-Identifier: GPL-2.0
/*
 * Kfuncs: functions of the kernel that a prog calls by their names, without them being helpers. A prog declares
 * them `extern … __ksym`, and the kernel finds them when it loads the prog. The verifier sees to it that what is
 * acquired is released.
 *
 * The prog asks for its own task by its number, works with a set of CPUs, and counts the elements of a map.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

struct bpf_cpumask {
	__u64 bits;
} __attribute__((preserve_access_index));

struct bpf_map;
struct cpumask;

extern struct task_struct *bpf_task_from_pid(__s32 pid) __ksym;
extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern struct bpf_cpumask *bpf_cpumask_create(void) __ksym;
extern void bpf_cpumask_release(struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_setall(struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_clear(struct bpf_cpumask *mask) __ksym;
extern void bpf_cpumask_set_cpu(__u32 cpu, struct bpf_cpumask *mask) __ksym;
extern __u32 bpf_cpumask_first(const struct cpumask *mask) __ksym;
extern __u32 bpf_cpumask_weight(const struct cpumask *mask) __ksym;
extern __s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} counted SEC(".maps");

/* The task that was found by its number, and the one that was acquired. */
__u32 found_pid;
__u32 acquired_pid;
/* 1 if there is no task with a number that no task can have. */
__u32 none_found;
__u32 first_cpu;
__u32 cpus_set;
__u32 elements;

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(call_tasks, int a)
{
	struct task_struct *task;

	task = bpf_task_from_pid((__u32)bpf_get_current_pid_tgid());
	if (task) {
		found_pid = task->pid;
		bpf_task_release(task);
	}
	task = bpf_task_acquire(bpf_get_current_task_btf());
	if (task) {
		acquired_pid = task->pid;
		bpf_task_release(task);
	}
	task = bpf_task_from_pid(-1);
	if (task)
		bpf_task_release(task);
	else
		none_found = 1;
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(call_cpumask, int a)
{
	struct bpf_cpumask *mask = bpf_cpumask_create();

	if (!mask)
		return 0;
	bpf_cpumask_setall(mask);
	bpf_cpumask_clear(mask);
	bpf_cpumask_set_cpu(0, mask);
	first_cpu = bpf_cpumask_first((struct cpumask *)mask);
	cpus_set = bpf_cpumask_weight((struct cpumask *)mask);
	bpf_cpumask_release(mask);
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(count_elements, int a)
{
	for (int i = 0; i < 5; i++) {
		/* Memory that a helper is given is no counter for the verifier. */
		__u32 key = i;

		bpf_map_update_elem(&counted, &key, &key, BPF_ANY);
	}
	elements = bpf_map_sum_elem_count((struct bpf_map *)&counted);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
