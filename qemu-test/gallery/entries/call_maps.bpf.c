// SPDX-License-Identifier: GPL-2.0
/*
 * Functions that use maps of other kinds: an array, an array per CPU, a hash map that drops what is least used, a queue
 * and a stack.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

struct number {
	__u32 key;
	__u32 value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} an_array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} by_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} some SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 3);
	__type(value, __u32);
} fifo SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 3);
	__type(value, __u32);
} lifo SEC(".maps");

/* Adds to an element; gives the sum. */
SEC("syscall")
int array_add(struct number *args)
{
	__u32 *value = bpf_map_lookup_elem(&an_array, &args->key);

	if (!value)
		return -ENOENT;
	args->value += __sync_fetch_and_add(value, args->value);
	return 0;
}

/* Adds to the element of the CPU that this runs on; gives the sum of all CPUs'. */
SEC("syscall")
int percpu_add(struct number *args)
{
	__u32 zero = 0, sum = 0, cpu, *value = bpf_map_lookup_elem(&by_cpu, &zero);

	if (!value)
		return -ENOENT;
	*value += args->value;
	bpf_for(cpu, 0, 8192) {
		value = bpf_map_lookup_percpu_elem(&by_cpu, &zero, cpu);
		if (!value)
			break;
		sum += *value;
	}
	args->value = sum;
	return 0;
}

SEC("syscall")
int lru_update(struct number *args)
{
	return bpf_map_update_elem(&some, &args->key, &args->value, BPF_ANY);
}

SEC("syscall")
int lru_lookup(struct number *args)
{
	__u32 *value = bpf_map_lookup_elem(&some, &args->key);

	if (!value)
		return -ENOENT;
	args->value = *value;
	return 0;
}

SEC("syscall")
int queue_push(struct number *args)
{
	return bpf_map_push_elem(&fifo, &args->value, BPF_ANY);
}

SEC("syscall")
int queue_peek(struct number *args)
{
	return bpf_map_peek_elem(&fifo, &args->value);
}

SEC("syscall")
int queue_pop(struct number *args)
{
	return bpf_map_pop_elem(&fifo, &args->value);
}

SEC("syscall")
int stack_push(struct number *args)
{
	return bpf_map_push_elem(&lifo, &args->value, BPF_ANY);
}

SEC("syscall")
int stack_peek(struct number *args)
{
	return bpf_map_peek_elem(&lifo, &args->value);
}

SEC("syscall")
int stack_pop(struct number *args)
{
	return bpf_map_pop_elem(&lifo, &args->value);
}

char LICENSE[] SEC("license") = "GPL";
