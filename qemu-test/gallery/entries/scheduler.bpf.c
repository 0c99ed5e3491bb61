// SPDX-License-Identifier: GPL-2.0
/*
 * struct_ops: a scheduler. While it is registered, all tasks of the ordinary policies are its own: here each goes to
 * the end of one queue. If it does what it must not, the kernel throws it out, and says why to its exit(); the tasks
 * go on under the kernel's own scheduler.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <stdbool.h>

struct task_struct {
	char comm[16];
} __attribute__((preserve_access_index));

enum scx_exit_kind {
	SCX_EXIT_NONE,
};

struct scx_exit_info {
	enum scx_exit_kind kind;
	const char *msg;
} __attribute__((preserve_access_index));

/* The names count, and that there is a value of 64 bits, as in the kernel. */
enum scx_dsq_id_flags {
	SCX_DSQ_GLOBAL = 1ULL << 63,
};

enum scx_public_consts {
	SCX_SLICE_DFL = 1ULL << 63,
};

/*
 * As the kernel has it. Without it 7.2.12 was seen to warn in put_prev_task_scx(), when a CPU went idle beside a task that
 * can run while the scheduler was being enabled.
 */
enum scx_ops_flags {
	SCX_OPS_ENQ_LAST = 1ULL << 1,
};

struct sched_ext_ops {
	void (*enqueue)(struct task_struct *p, __u64 enq_flags);
	__s32 (*init)(void);
	void (*exit)(struct scx_exit_info *info);
	__u64 flags;
	__u32 timeout_ms;
	char name[128];
};

extern void scx_bpf_dsq_insert(struct task_struct *p, __u64 dsq_id, __u64 slice, __u64 enq_flags) __ksym;

__u64 enqueued;
__u32 starts;
/* The kernel's number for the reason, and its words. */
__u32 exit_kind;
char exit_msg[64];

/* For the tests: of a task named "bad" the scheduler makes a mess, and one named "lost" it forgets. */
static bool is_named_bad(struct task_struct *p)
{
	return p->comm[0] == 'b' && p->comm[1] == 'a' && p->comm[2] == 'd';
}

static bool is_named_lost(struct task_struct *p)
{
	return p->comm[0] == 'l' && p->comm[1] == 'o' && p->comm[2] == 's' && p->comm[3] == 't';
}

SEC("struct_ops")
void BPF_PROG(scx_enqueue, struct task_struct *p, __u64 enq_flags)
{
	__u64 queue = bpf_core_enum_value(enum scx_dsq_id_flags, SCX_DSQ_GLOBAL);

	__sync_fetch_and_add(&enqueued, 1);
	/* It is in no queue, and the kernel's watchdog finds it waiting. */
	if (is_named_lost(p))
		return;
	/* There is no such queue. */
	if (is_named_bad(p))
		queue = 0x1234;
	scx_bpf_dsq_insert(p, queue, bpf_core_enum_value(enum scx_public_consts, SCX_SLICE_DFL), enq_flags);
}

SEC("struct_ops.s")
__s32 BPF_PROG(scx_init)
{
	starts++;
	return 0;
}

SEC("struct_ops")
void BPF_PROG(scx_exit, struct scx_exit_info *info)
{
	exit_kind = info->kind;
	bpf_probe_read_kernel_str(exit_msg, sizeof(exit_msg), info->msg);
}

SEC(".struct_ops.link")
struct sched_ext_ops first = {
	.enqueue = (void *)scx_enqueue,
	.init = (void *)scx_init,
	.exit = (void *)scx_exit,
	.flags = SCX_OPS_ENQ_LAST,
	.name = "gallery",
};

SEC(".struct_ops.link")
struct sched_ext_ops second = {
	.enqueue = (void *)scx_enqueue,
	.flags = SCX_OPS_ENQ_LAST,
	.name = "gallery_second",
};

char LICENSE[] SEC("license") = "GPL";
