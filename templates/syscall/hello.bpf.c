// SPDX-License-Identifier: GPL-2.0
/*
 * Functions in BPF that the module calls: the way from Rust to maps of every kind. One prog counts in a hash map how
 * often each program is started, another one goes through the map for the module.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* A struct of the kernel, with what is used of it. Where that is, is looked up when it is loaded (CO-RE). */
struct task_struct {
	char comm[16];
} __attribute__((preserve_access_index));

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

	bpf_probe_read_kernel_str(name, sizeof(name), task->comm);
	count = bpf_map_lookup_elem(&programs, name);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&programs, name, &one, BPF_NOEXIST);
	return 0;
}

/* What the module passes, and gets back. It is a struct in Rust, too. */
struct most {
	__u64 count;
	char name[16];
};

struct bpf_map;

static long take_if_more(struct bpf_map *map, char *name, __u64 *count, struct most *most)
{
	if (*count > most->count) {
		most->count = *count;
		__builtin_memcpy(most->name, name, sizeof(most->name));
	}
	return 0;
}

/* Returns how many names there are. */
SEC("syscall")
int find_most(struct most *args)
{
	struct most most = {};
	int names = bpf_for_each_map_elem(&programs, take_if_more, &most, 0);

	*args = most;
	return names;
}

char LICENSE[] SEC("license") = "GPL";
