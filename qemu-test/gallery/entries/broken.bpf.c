// SPDX-License-Identifier: GPL-2.0
/*
 * The first prog is good. The second reads past the end of a map's value, which the verifier cannot allow: the
 * load fails, and its log says where.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32[4]);
} numbers SEC(".maps");

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(good, int a)
{
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(reads_too_far, int a)
{
	__u32 zero = 0, *value = bpf_map_lookup_elem(&numbers, &zero);

	return value ? value[a & 7] : 0;
}

char LICENSE[] SEC("license") = "GPL";
