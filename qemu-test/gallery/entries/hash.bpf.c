// SPDX-License-Identifier: GPL-2.0
/*
 * A hash map: counts by the name of the task. The key can be anything of a fixed size; all its bytes count.
 *
 * Each test run makes the element of the running task's name one larger.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct comm {
	char name[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000);
	__type(key, struct comm);
	__type(value, __u64);
} calls_by_comm SEC(".maps");

/* The kernel calls this function when BPF_PROG_TEST_RUN is done on a tracing prog. */
SEC("fentry/bpf_fentry_test3")
int BPF_PROG(count_by_comm, char a)
{
	struct comm comm = {};
	__u64 one = 1, *calls;

	if (bpf_get_current_comm(&comm, sizeof(comm)))
		return 0;
	/* Fails if it is there: then, or if another CPU is faster, the element is found below. */
	if (!bpf_map_update_elem(&calls_by_comm, &comm, &one, BPF_NOEXIST))
		return 0;
	calls = bpf_map_lookup_elem(&calls_by_comm, &comm);
	if (calls)
		__sync_fetch_and_add(calls, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
