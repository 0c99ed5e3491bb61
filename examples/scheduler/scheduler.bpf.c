// SPDX-License-Identifier: GPL-2.0
/*
 * A scheduler: one queue, and each task in it gets a turn as long as its weight says. What it does not say, as which
 * CPU a task wakes up on, is as the kernel does it by itself.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sched_ext_entity {
	__u32 weight;
	__u64 slice;
} __attribute__((preserve_access_index));

struct task_struct {
	struct sched_ext_entity scx;
} __attribute__((preserve_access_index));

/* The kernel's by their names, and by having values of 64 bits. */
enum scx_dsq_id_flags {
	SCX_DSQ_GLOBAL = 1ULL << 63,
};

enum scx_enq_flags {
	SCX_ENQ_WAKEUP = 1,
	SCX_ENQ_PREEMPT = 1ULL << 32,
};

/*
 * As the kernel has it. Without it 7.2.12 was seen to warn in put_prev_task_scx(), when a CPU went idle beside a task that
 * can run while the scheduler was being enabled.
 */
enum scx_ops_flags {
	SCX_OPS_ENQ_LAST = 1ULL << 1,
};

enum scx_exit_kind {
	SCX_EXIT_NONE,
};

struct scx_exit_info {
	enum scx_exit_kind kind;
	const char *reason;
} __attribute__((preserve_access_index));

/* Those members that it has; where the kernel has them is found when it is loaded. */
struct sched_ext_ops {
	void (*enqueue)(struct task_struct *task, __u64 flags);
	void (*exit)(struct scx_exit_info *info);
	__u64 flags;
	__u32 timeout_ms;
	char name[128];
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *value;
} __attribute__((preserve_access_index));

extern void scx_bpf_dsq_insert(struct task_struct *task, __u64 queue, __u64 slice, __u64 flags) __ksym;

/* For a task that is not nice, in nanoseconds. */
const volatile __u64 slice = 20000000;

/* How often a task was put into the queue; of these, how often it had slept, and had used up its last turn. */
__u64 turns, woken, expired;
/* Why it has ended: the kernel's number and its words. */
__u32 exit_kind;
char exit_reason[64];

SEC("struct_ops")
void BPF_PROG(fifo_enqueue, struct task_struct *task, __u64 flags)
{
	__u64 queue = bpf_core_enum_value(enum scx_dsq_id_flags, SCX_DSQ_GLOBAL);

	__sync_fetch_and_add(&turns, 1);
	if (flags & bpf_core_enum_value(enum scx_enq_flags, SCX_ENQ_WAKEUP))
		__sync_fetch_and_add(&woken, 1);
	else if (!task->scx.slice)
		__sync_fetch_and_add(&expired, 1);
	scx_bpf_dsq_insert(task, queue, slice * task->scx.weight / 100, flags);
}

SEC("struct_ops")
void BPF_PROG(fifo_exit, struct scx_exit_info *info)
{
	bpf_probe_read_kernel_str(exit_reason, sizeof(exit_reason), info->reason);
	exit_kind = info->kind;
}

SEC(".struct_ops.link")
struct sched_ext_ops fifo = {
	.enqueue = (void *)fifo_enqueue,
	.exit = (void *)fifo_exit,
	.flags = SCX_OPS_ENQ_LAST,
	.name = "bpf_fifo",
};

/* The file of the counters, for `bpf-preload-pin --iter fifo_counts`. */
SEC("iter/bpf_map_elem")
int fifo_counts(struct bpf_iter__bpf_map_elem *ctx)
{
	/* Its map is that of the counters, with one element. */
	if (ctx->value)
		BPF_SEQ_PRINTF(ctx->meta->seq, "turns   %llu\nwoken   %llu\nexpired %llu\n", turns, woken, expired);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
