// SPDX-License-Identifier: GPL-2.0
/* Counts the programs that are started: all of them, and by name. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* A struct of the kernel, with what is used of it. Where that is, is looked up when it is loaded (CO-RE). */
struct task_struct {
	char comm[16];
} __attribute__((preserve_access_index));

/* Set by the module. */
__u32 uid;
/* Read by it. */
__u64 started;

/* bpftool map dump name programs */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, char[16]);
	__type(value, __u64);
} programs SEC(".maps");

SEC("tp_btf/sched_process_exec")
int BPF_PROG(count_program, struct task_struct *task)
{
	__u64 one = 1, *count;
	char name[16] = {};

	if (uid != -1 && (__u32)bpf_get_current_uid_gid() != uid)
		return 0;
	__sync_fetch_and_add(&started, 1);

	bpf_probe_read_kernel_str(name, sizeof(name), task->comm);
	count = bpf_map_lookup_elem(&programs, name);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&programs, name, &one, BPF_NOEXIST);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
