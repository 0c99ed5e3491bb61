// SPDX-License-Identifier: GPL-2.0
/*
 * A function that kernel threads call, several at once: none returns before all are in it. Until then each goes
 * through the kernel's caches, whose lock is a mutex.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_iter_kmem_cache {
	__u64 __opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_kmem_cache_new(struct bpf_iter_kmem_cache *it) __ksym;
extern struct kmem_cache *bpf_iter_kmem_cache_next(struct bpf_iter_kmem_cache *it) __ksym;
extern void bpf_iter_kmem_cache_destroy(struct bpf_iter_kmem_cache *it) __ksym;

struct meeting {
	__u32 expected;
	__u32 seen;
	char comm[16];
};

__u32 inside;

SEC("syscall")
int meet(struct meeting *args)
{
	int i;

	__sync_fetch_and_add(&inside, 1);
	bpf_for(i, 0, 1000000) {
		struct bpf_iter_kmem_cache it;

		args->seen = *(volatile __u32 *)&inside;
		if (args->seen >= args->expected)
			break;
		bpf_iter_kmem_cache_new(&it);
		bpf_iter_kmem_cache_next(&it);
		bpf_iter_kmem_cache_destroy(&it);
	}
	return bpf_get_current_comm(args->comm, sizeof(args->comm));
}

char LICENSE[] SEC("license") = "GPL";
