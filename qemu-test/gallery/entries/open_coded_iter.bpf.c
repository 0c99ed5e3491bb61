// SPDX-License-Identifier: GPL-2.0
/*
 * Loops in a prog itself, without a callback: over a range of numbers, over the threads of the process that runs
 * the prog, and a plain C loop whose end the verifier need not see: may_goto ends it when it takes too long.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

/* The kernel's iterator: how it looks inside is its own business. */
struct bpf_iter_task {
	__u64 opaque[3];
} __attribute__((aligned(8)));

/* For the iterator: the threads of a task's process. */
#define BPF_TASK_ITER_PROC_THREADS 2

extern int bpf_iter_task_new(struct bpf_iter_task *it, struct task_struct *task,
			     unsigned int flags) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *it) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *it) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

/* 0 once the loop that asks has had enough rounds. */
#define can_loop                                                           \
	({                                                                 \
		__label__ enough, go_on;                                   \
		int can = 1;                                               \
		asm volatile goto("may_goto %l[enough]" : : : : enough);   \
		goto go_on;                                                \
	enough:                                                            \
		can = 0;                                                   \
	go_on:                                                             \
		can;                                                       \
	})

/* How often each loop goes round: not constants, so the verifier does not know them. */
__u32 first = 3;
__u32 end = 7;
__u64 many = 10000;

__u32 sum;
__u32 threads;
__u64 rounds;
/* Rounds of a loop that has no end of its own, the first time. */
__u64 endless;

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(loop_numbers, int a)
{
	int i;

	bpf_for(i, first, end)
		sum += i;
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(loop_threads, int a)
{
	struct task_struct *thread;

	threads = 0;
	bpf_rcu_read_lock();
	bpf_for_each(task, thread, bpf_get_current_task_btf(), BPF_TASK_ITER_PROC_THREADS)
		threads++;
	bpf_rcu_read_unlock();
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(loop_many, int a)
{
	for (__u64 i = 0; i < many && can_loop; i++)
		rounds++;
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(loop_forever, int a)
{
	if (endless)
		return 0;
	while (can_loop)
		endless++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
