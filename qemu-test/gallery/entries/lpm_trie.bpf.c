// SPDX-License-Identifier: GPL-2.0
/*
 * A trie that finds the longest prefix that matches: a routing table.
 *
 * The prog fills it with two networks and looks up three addresses. User space may add more networks, which the
 * next test run sees.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct prefix {
	/* In bits; the kernel wants it first. For a lookup: all of them. */
	__u32 len;
	/* In network byte order. */
	__u8 addr[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 100);
	/* The kernel takes no LPM trie without this flag. */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} routes SEC(".maps");

/* What was found for each address; 0 for nothing. */
__u32 route_of_10_1_2_3;
__u32 route_of_10_2_3_4;
__u32 route_of_192_0_2_1;

static void add_route(struct prefix prefix, __u32 route)
{
	bpf_map_update_elem(&routes, &prefix, &route, BPF_NOEXIST);
}

static __u32 find_route(struct prefix addr)
{
	__u32 *route = bpf_map_lookup_elem(&routes, &addr);

	return route ? *route : 0;
}

SEC("fentry/bpf_fentry_test3")
int BPF_PROG(find_routes, char a)
{
	add_route((struct prefix){ 8, { 10, 0, 0, 0 } }, 100);
	add_route((struct prefix){ 16, { 10, 1, 0, 0 } }, 200);

	route_of_10_1_2_3 = find_route((struct prefix){ 32, { 10, 1, 2, 3 } });
	route_of_10_2_3_4 = find_route((struct prefix){ 32, { 10, 2, 3, 4 } });
	route_of_192_0_2_1 = find_route((struct prefix){ 32, { 192, 0, 2, 1 } });
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
