// SPDX-License-Identifier: GPL-2.0
/*
 * A hash map that is never full: to make room it drops what was not used for the longest time (about: it looks
 * at few elements, and with many CPUs each has its own order).
 *
 * The prog puts 20 keys into a map of 4 and looks up the first one all the time, so that it stays.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} recent SEC(".maps");

__u32 accepted;
__u32 refused;

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(put_in_lru, int a)
{
	__u32 first = 1, i;

	for (i = 1; i <= 20; i++) {
		/* A copy: of a counter whose address is taken the verifier loses track. */
		__u32 key = i;

		if (bpf_map_update_elem(&recent, &key, &key, BPF_ANY))
			refused++;
		else
			accepted++;
		bpf_map_lookup_elem(&recent, &first);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
