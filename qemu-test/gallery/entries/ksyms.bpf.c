// SPDX-License-Identifier: GPL-2.0
/*
 * Symbols of the kernel, by name. One with a type is a per-CPU variable, which the prog reads like its own. One
 * without is only an address. What is `__weak` may be missing: then its address is 0, and the verifier takes out
 * what depends on it. If another is missing, the load fails.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#define __core __attribute__((preserve_access_index))

struct rq {
	int cpu;
} __core;

struct task_struct {
	char comm[16];
} __core;

/* With a type: the scheduler's queue of each CPU. */
extern const struct rq runqueues __ksym;
extern const struct rq no_such_queues __ksym __weak;
/* Without: the first task, which is called swapper. */
extern const void init_task __ksym;
extern const void bpf_map_fops __ksym __weak;
extern const void no_such_symbol __ksym __weak;
/* Functions. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern void bpf_no_such_kfunc(void) __ksym __weak;

/* What the queues of CPUs 0 and 1 say which CPU they are of, and whether there is one of a CPU too many. */
__s32 first_cpu = -1;
__s32 second_cpu = -1;
__u32 queue_of_no_cpu;
__u64 init_task_addr;
char init_task_comm[16];
__u64 present_addr;
__u64 absent_addr;
__u32 absent_variable;
__u32 kfunc_called;
__u32 absent_kfunc_called;

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(read_variable, int a)
{
	const struct rq *queue = bpf_per_cpu_ptr(&runqueues, 0);

	if (queue)
		first_cpu = queue->cpu;
	queue = bpf_per_cpu_ptr(&runqueues, 1);
	if (queue)
		second_cpu = queue->cpu;
	if (bpf_per_cpu_ptr(&runqueues, 1 << 20))
		queue_of_no_cpu = 1;
	if (&no_such_queues)
		absent_variable = 1;
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(read_addresses, int a)
{
	struct task_struct *first;

	init_task_addr = (__u64)&init_task;
	present_addr = (__u64)&bpf_map_fops;
	absent_addr = (__u64)&no_such_symbol;
	/* An address becomes a pointer to read from. */
	first = bpf_rdonly_cast(&init_task, bpf_core_type_id_kernel(struct task_struct));
	bpf_core_read_str(init_task_comm, sizeof(init_task_comm), &first->comm);
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(call_if_there, int a)
{
	if (bpf_ksym_exists(bpf_rcu_read_lock)) {
		bpf_rcu_read_lock();
		kfunc_called = 1;
		bpf_rcu_read_unlock();
	}
	if (bpf_ksym_exists(bpf_no_such_kfunc)) {
		bpf_no_such_kfunc();
		absent_kfunc_called = 1;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
