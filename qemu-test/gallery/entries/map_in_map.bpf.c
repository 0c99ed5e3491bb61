// SPDX-License-Identifier: GPL-2.0
/*
 * An array of maps: the prog gets a map by its index. Here two are there from the start. User space may put
 * another one in a slot at any time, and the prog goes on with that.
 *
 * Each test run adds to the map in each slot: 1 in slot 0, 10 in slot 1.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* All maps in an outer map have this type. */
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
};

struct inner inner_0 SEC(".maps");
struct inner inner_1 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [0] = &inner_0, [1] = &inner_1 },
};

static void add_in_slot(__u32 slot, __u32 n)
{
	__u32 zero = 0, *value;
	void *inner = bpf_map_lookup_elem(&outer, &slot);

	if (!inner)
		return;
	value = bpf_map_lookup_elem(inner, &zero);
	if (value)
		*value += n;
}

SEC("fentry/bpf_fentry_test3")
int BPF_PROG(add_in_slots, char a)
{
	add_in_slot(0, 1);
	add_in_slot(1, 10);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
