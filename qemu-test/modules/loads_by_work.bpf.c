// SPDX-License-Identifier: GPL-2.0
/*
 * Work that loads another prog later, for a root who starts it before examples/gate is sealed.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "load_prog.h"

struct job {
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

/* Set by the test: now is later. */
__u32 go;
/* What BPF_PROG_LOAD has given, and then in which task. A thread of the kernel has fd 0 free. */
__s32 answer;
__u32 pid;

static int work(void *map, int *key, void *value)
{
	struct job *job = value;

	if (!go) {
		bpf_wq_start(&job->work, 0);
		return 0;
	}
	answer = load_prog();
	pid = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

SEC("syscall")
int by_work(void *ctx)
{
	__u32 zero = 0;
	struct job *job = bpf_map_lookup_elem(&jobs, &zero);

	if (!job || bpf_wq_init(&job->work, &jobs, 0) ||
	    bpf_wq_set_callback(&job->work, work, 0))
		return 1;
	return bpf_wq_start(&job->work, 0);
}

char LICENSE[] SEC("license") = "GPL";
