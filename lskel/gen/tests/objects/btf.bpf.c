// SPDX-License-Identifier: GPL-2.0
/* Types that the kernel looks at, each found in another way, beside some that it does not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define __contains(name, node) __attribute__((btf_decl_tag("contains:" #name ":" #node)))

/* Only by its name, in the tag of a list. */
struct in_list {
	struct bpf_list_node node;
	__u64 number;
};

struct value {
	struct bpf_spin_lock lock;
	struct bpf_list_head head __contains(in_list, node);
};

struct key {
	__u32 a, b;
};

/* By a map. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, struct key);
	__type(value, struct value);
} map SEC(".maps");

/* By CO-RE only. */
struct task_struct {
	int pid;
	struct task_struct *group_leader;
} __attribute__((preserve_access_index));

enum bpf_map_type___flavour {
	BPF_MAP_TYPE_ARRAY___flavour = 2,
};

/* By nothing: what defines a map, and externs. */
struct rq;
extern const struct rq runqueues __ksym;
extern const struct in_list somewhere __ksym __weak;

__u64 pids;

/* By the type of a function, and the tag on its argument. */
struct argument {
	__u64 number;
};

__noinline int global(struct argument *argument __attribute__((btf_decl_tag("arg:nonnull"))))
{
	return argument->number + bpf_core_enum_value(enum bpf_map_type___flavour, BPF_MAP_TYPE_ARRAY___flavour);
}

SEC("tp_btf/sched_switch")
int look(__u64 *ctx)
{
	struct argument argument = { ctx[0] };
	struct task_struct *task = (void *)ctx[1];
	struct key key = {};

	pids += BPF_CORE_READ(task, group_leader, pid) + (__u64)&runqueues + (__u64)&somewhere;
	pids += bpf_map_lookup_elem(&map, &key) != 0;
	return global(&argument);
}

char LICENSE[] SEC("license") = "GPL";
