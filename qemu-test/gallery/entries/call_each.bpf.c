// SPDX-License-Identifier: GPL-2.0
/*
 * A function that goes through the elements of a hash map, and takes out those that are over a limit.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_map;

struct element {
	__u32 key;
	__u64 value;
};

struct sweep {
	__u64 limit;
	__u64 sum;
	__u32 kept;
	__u32 taken_out;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 100);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

static int look_at(struct bpf_map *map, __u32 *key, __u64 *value, struct sweep *sweep)
{
	if (*value > sweep->limit) {
		bpf_map_delete_elem(map, key);
		sweep->taken_out++;
	} else {
		sweep->sum += *value;
		sweep->kept++;
	}
	return 0;
}

SEC("syscall")
int each_add(struct element *args)
{
	return bpf_map_update_elem(&sizes, &args->key, &args->value, BPF_NOEXIST);
}

SEC("syscall")
int each_sweep(struct sweep *args)
{
	/* For the function it has to be on the stack. */
	struct sweep sweep = { .limit = args->limit };
	long visited = bpf_for_each_map_elem(&sizes, look_at, &sweep, 0);

	*args = sweep;
	return visited;
}

char LICENSE[] SEC("license") = "GPL";
