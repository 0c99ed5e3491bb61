// SPDX-License-Identifier: GPL-2.0
/*
 * Progs that the module calls as functions: with them it looks up, changes and deletes the elements of a hash map,
 * whose own functions are the kernel's alone. A prog of SEC("syscall") takes a pointer to a struct, which it reads and
 * writes. What it returns is its own: here what the helper says, 0 or an error.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

struct element {
	__u32 key;
	__u64 value;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} squares SEC(".maps");

SEC("syscall")
int hash_update(struct element *args)
{
	return bpf_map_update_elem(&squares, &args->key, &args->value, BPF_ANY);
}

SEC("syscall")
int hash_lookup(struct element *args)
{
	__u64 *value = bpf_map_lookup_elem(&squares, &args->key);

	if (!value)
		return -ENOENT;
	args->value = *value;
	return 0;
}

SEC("syscall")
int hash_delete(struct element *args)
{
	return bpf_map_delete_elem(&squares, &args->key);
}

/* It does not say what it takes, but uses it: the module cannot call it. */
SEC("syscall")
int hash_untyped(void *args)
{
	return bpf_map_delete_elem(&squares, args);
}

char LICENSE[] SEC("license") = "GPL";
