// SPDX-License-Identifier: GPL-2.0
/* The rows of a file: one for each thread of the system. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Structs of the kernel, with what is used of them. Where that is, is looked up when they are loaded (CO-RE). */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
};

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct task_struct {
	int pid;
	int tgid;
	char comm[16];
	const struct cred *real_cred;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
#pragma clang attribute pop

SEC("iter/task")
int hello(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;

	/* One more call after the last. */
	if (!task)
		return 0;
	if (ctx->meta->seq_num == 0)
		BPF_SEQ_PRINTF(seq, "%8s %8s %8s  %s\n", "process", "thread", "uid", "name");
	BPF_SEQ_PRINTF(seq, "%8d %8d %8u  %s\n", task->tgid, task->pid, task->real_cred->uid.val, task->comm);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
