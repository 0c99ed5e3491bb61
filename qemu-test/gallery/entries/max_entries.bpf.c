// SPDX-License-Identifier: GPL-2.0
/*
 * The size of a map is set by the module, before it is loaded: here it says 1, which is too few.
 *
 * A test run tries to put five elements in.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sized_by_module SEC(".maps");

__u32 fitted;
__u32 did_not_fit;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(fill_sized, int a)
{
	__u32 i;

	for (i = 0; i < 5; i++) {
		/* A copy: of a counter whose address is taken the verifier loses track. */
		__u32 key = i;

		if (bpf_map_update_elem(&sized_by_module, &key, &key, BPF_ANY))
			did_not_fit++;
		else
			fitted++;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
