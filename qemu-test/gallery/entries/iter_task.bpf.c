// SPDX-License-Identifier: GPL-2.0
/*
 * Iterators over tasks: the first goes through all of them, the others through what they are told when they are
 * attached.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __core __attribute__((preserve_access_index))

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __core;

struct task_struct {
	int pid;
	int tgid;
	char comm[16];
} __core;

struct inode {
	unsigned long i_ino;
} __core;

struct file {
	struct inode *f_inode;
} __core;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __core;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} __core;

static int print(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	/* One more call after the last. */
	if (task)
		BPF_SEQ_PRINTF(ctx->meta->seq, "process %d thread %d %s\n", task->tgid, task->pid, task->comm);
	return 0;
}

SEC("iter/task")
int all_tasks(struct bpf_iter__task *ctx)
{
	return print(ctx);
}

SEC("iter/task")
int one_process(struct bpf_iter__task *ctx)
{
	return print(ctx);
}

SEC("iter/task")
int one_thread(struct bpf_iter__task *ctx)
{
	return print(ctx);
}

/* A row for each open file. */
SEC("iter/task_file")
int open_files(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;

	if (file)
		BPF_SEQ_PRINTF(ctx->meta->seq, "fd %u inode %lu\n", ctx->fd, file->f_inode->i_ino);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
