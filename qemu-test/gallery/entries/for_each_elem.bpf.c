// SPDX-License-Identifier: GPL-2.0
/*
 * A function that is called for each element of a map, until it says that it has seen enough.
 *
 * The progs add up what a hash map holds, and look for one value in an array.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct bpf_map;

/* The test puts the numbers in. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} each_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u32);
} each_array SEC(".maps");

struct search {
	__u32 wanted;
	__u32 found_at;
};

__u32 visited;
__u32 sum_of_keys;
__u32 sum_of_values;
/* Where the number is, and how many elements were looked at. */
__u32 found_at;
__u32 looked_at;

static long add_up(struct bpf_map *map, __u32 *key, __u32 *value, void *ctx)
{
	sum_of_keys += *key;
	sum_of_values += *value;
	return 0;
}

static long compare(struct bpf_map *map, __u32 *key, __u32 *value, struct search *search)
{
	looked_at++;
	if (*value != search->wanted)
		return 0;
	search->found_at = *key;
	/* Enough. */
	return 1;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(add_elements, int a)
{
	visited = bpf_for_each_map_elem(&each_hash, add_up, NULL, 0);
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(find_element, int a)
{
	struct search search = { .wanted = 50, .found_at = -1 };

	bpf_for_each_map_elem(&each_array, compare, &search, 0);
	found_at = search.found_at;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
