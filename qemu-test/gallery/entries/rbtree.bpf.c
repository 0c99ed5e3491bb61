// SPDX-License-Identifier: GPL-2.0
/*
 * A red-black tree of objects that the prog allocates: a function of the prog's own says which of two comes first.
 *
 * The prog puts numbers in without order, and takes them out from the smallest.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

/* Which type the tree holds, and by which of its fields. */
#define __contains(type, node) __attribute__((btf_decl_tag("contains:" #type ":" #node)))

struct leaf {
	struct bpf_rb_node node;
	__u32 value;
};

struct tree {
	struct bpf_spin_lock lock;
	struct bpf_rb_root root __contains(leaf, node);
};

extern void *bpf_obj_new(__u64 local_type_id) __ksym;
extern void bpf_obj_drop(void *object) __ksym;
extern int bpf_rbtree_add(struct bpf_rb_root *root, struct bpf_rb_node *node,
			  _Bool (*less)(struct bpf_rb_node *a, const struct bpf_rb_node *b)) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root,
					     struct bpf_rb_node *node) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tree);
} tree_map SEC(".maps");

/* The numbers as they came out, as digits. */
__u32 tree_order;

static _Bool comes_first(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return container_of(a, struct leaf, node)->value < container_of(b, struct leaf, node)->value;
}

static void plant(struct tree *tree, __u32 value)
{
	struct leaf *leaf = bpf_obj_new(bpf_core_type_id_local(struct leaf));

	if (!leaf)
		return;
	leaf->value = value;
	bpf_spin_lock(&tree->lock);
	bpf_rbtree_add(&tree->root, &leaf->node, comes_first);
	bpf_spin_unlock(&tree->lock);
}

static void pick(struct tree *tree)
{
	struct bpf_rb_node *node;
	struct leaf *leaf;

	bpf_spin_lock(&tree->lock);
	node = bpf_rbtree_first(&tree->root);
	if (node)
		node = bpf_rbtree_remove(&tree->root, node);
	bpf_spin_unlock(&tree->lock);
	if (!node)
		return;
	leaf = container_of(node, struct leaf, node);
	tree_order = tree_order * 10 + leaf->value;
	bpf_obj_drop(leaf);
}

/* Sleepable: a prog that may run in an NMI cannot free such objects. */
SEC("fentry.s/bpf_fentry_test1")
int BPF_PROG(use_tree, int a)
{
	struct tree *tree;
	__u32 zero = 0;

	tree = bpf_map_lookup_elem(&tree_map, &zero);
	if (!tree)
		return 0;
	plant(tree, 3);
	plant(tree, 1);
	plant(tree, 4);
	plant(tree, 2);
	pick(tree);
	pick(tree);
	pick(tree);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
