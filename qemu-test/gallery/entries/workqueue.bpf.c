// SPDX-License-Identifier: GPL-2.0
/*
 * Work for later: a function that a thread of the kernel calls, where it may sleep. It is part of a map's value,
 * and the map keeps the prog.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct job {
	__u32 asked_by;
	struct bpf_wq work;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct job);
} jobs SEC(".maps");

extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym;
extern int bpf_wq_set_callback(struct bpf_wq *wq,
			       int (*callback)(void *map, int *key, void *value),
			       unsigned int flags) __ksym;
extern int bpf_wq_start(struct bpf_wq *wq, unsigned int flags) __ksym;

/* Who has asked for it, and who has done it. */
__u32 asked_by;
__u32 done_by;
char done_by_comm[16];

static int do_job(void *map, int *key, void *value)
{
	struct job *job = value;

	bpf_get_current_comm(done_by_comm, sizeof(done_by_comm));
	done_by = bpf_get_current_pid_tgid();
	asked_by = job->asked_by;
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(ask_for_job, int a)
{
	__u32 zero = 0;
	struct job *job = bpf_map_lookup_elem(&jobs, &zero);

	if (!job)
		return 0;
	job->asked_by = bpf_get_current_pid_tgid();
	/* Once is enough for the first, and later it fails. */
	bpf_wq_init(&job->work, &jobs, 0);
	if (!bpf_wq_set_callback(&job->work, do_job, 0))
		bpf_wq_start(&job->work, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
