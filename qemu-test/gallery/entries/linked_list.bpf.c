// SPDX-License-Identifier: GPL-2.0
/*
 * A linked list of objects that the prog allocates. The list belongs to a map's value, with a lock beside it;
 * the verifier knows at each point whether an object is the prog's or the list's.
 *
 * The prog makes four numbers, puts them in at both ends, and takes them out.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

/* Which type the list holds, and by which of its fields. */
#define __contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))

struct number {
	struct bpf_list_node node;
	__u32 value;
};

struct numbers {
	struct bpf_spin_lock lock;
	struct bpf_list_head list __contains(number, node);
};

extern void *bpf_obj_new(__u64 local_type_id) __ksym;
extern void bpf_obj_drop(void *object) __ksym;
extern int bpf_list_push_front(struct bpf_list_head *list, struct bpf_list_node *node) __ksym;
extern int bpf_list_push_back(struct bpf_list_head *list, struct bpf_list_node *node) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *list) __ksym;
extern struct bpf_list_node *bpf_list_pop_back(struct bpf_list_head *list) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct numbers);
} list_map SEC(".maps");

/* The numbers as they came out, as digits. */
__u32 list_order;
/* Those that are left in the list, which go with the map. */
__u32 left;

static void put_in(struct numbers *numbers, __u32 value, int front)
{
	struct number *number = bpf_obj_new(bpf_core_type_id_local(struct number));

	if (!number)
		return;
	number->value = value;
	left++;
	bpf_spin_lock(&numbers->lock);
	if (front)
		bpf_list_push_front(&numbers->list, &number->node);
	else
		bpf_list_push_back(&numbers->list, &number->node);
	bpf_spin_unlock(&numbers->lock);
}

static void take_out(struct numbers *numbers, int front)
{
	struct bpf_list_node *node;
	struct number *number;

	bpf_spin_lock(&numbers->lock);
	node = front ? bpf_list_pop_front(&numbers->list) : bpf_list_pop_back(&numbers->list);
	bpf_spin_unlock(&numbers->lock);
	if (!node)
		return;
	number = container_of(node, struct number, node);
	list_order = list_order * 10 + number->value;
	left--;
	bpf_obj_drop(number);
}

/* Sleepable: a prog that may run in an NMI cannot free such objects. */
SEC("fentry.s/bpf_fentry_test1")
int BPF_PROG(use_list, int a)
{
	struct numbers *numbers;
	__u32 zero = 0;

	numbers = bpf_map_lookup_elem(&list_map, &zero);
	if (!numbers)
		return 0;
	/* 2 1 3 4 */
	put_in(numbers, 1, 0);
	put_in(numbers, 2, 1);
	put_in(numbers, 3, 0);
	put_in(numbers, 4, 0);
	take_out(numbers, 1);
	take_out(numbers, 0);
	take_out(numbers, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
