// SPDX-License-Identifier: GPL-2.0
/* For make bench: functions that do nothing, and next to nothing. */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

struct element {
	__u32 key;
	__u64 value;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1000);
	__type(key, __u32);
	__type(value, __u64);
} elements SEC(".maps");

SEC("syscall")
int nothing(void *ctx)
{
	return 0;
}

SEC("syscall")
int update(struct element *args)
{
	return bpf_map_update_elem(&elements, &args->key, &args->value, BPF_ANY);
}

SEC("syscall")
int lookup(struct element *args)
{
	__u64 *value = bpf_map_lookup_elem(&elements, &args->key);

	if (!value)
		return -ENOENT;
	args->value = *value;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
