// SPDX-License-Identifier: GPL-2.0
/*
 * Iterators over the elements of one map: a hash map, and the storage that a map adds to sockets.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __core __attribute__((preserve_access_index))

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __core;

struct sock_common {
	__u16 skc_num;
} __core;

struct sock {
	struct sock_common __sk_common;
} __core;

struct bpf_map;

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
} __core;

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
} __core;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} iter_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} iter_sk_storage SEC(".maps");

SEC("iter/bpf_map_elem")
int list_elements(struct bpf_iter__bpf_map_elem *ctx)
{
	__u32 *key = ctx->key;
	__u64 *value = ctx->value;

	/* One more call after the last element. */
	if (key && value)
		BPF_SEQ_PRINTF(ctx->meta->seq, "%u: %llu\n", *key, *value);
	return 0;
}

SEC("iter/bpf_sk_storage_map")
int list_storages(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct sock *sk = ctx->sk;
	__u32 *value = ctx->value;

	if (sk && value)
		BPF_SEQ_PRINTF(ctx->meta->seq, "port %u: %u\n", sk->__sk_common.skc_num, *value);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
