// SPDX-License-Identifier: GPL-2.0
/*
 * An arena: memory that progs and processes share, with plain pointers in it that hold for both. A process maps
 * it at the address that map_extra says.
 *
 * The prog keeps a list of who has called it. A process walks the list in its own memory.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __arena __attribute__((address_space(1)))
/* Memory of whatever NUMA node. */
#define NO_NODE -1

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	/* Pages. */
	__uint(max_entries, 4);
	/* Where processes have it. */
	__ulong(map_extra, 1ull << 32);
} arena_memory SEC(".maps");

struct caller {
	struct caller __arena *next;
	__u32 pid;
};

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *addr, __u32 pages, int node,
					   __u64 flags) __ksym;

/* The newest caller: a pointer as processes have it. */
struct caller __arena *newest;
/* Where the next goes. */
struct caller __arena *unused;
__u32 callers;

SEC("fentry.s/bpf_fentry_test1")
int BPF_PROG(keep_in_arena, int a)
{
	struct caller __arena *caller = unused;

	if (!caller)
		caller = bpf_arena_alloc_pages(&arena_memory, NULL, 1, NO_NODE, 0);
	/* What is outside of the arena cannot be reached from here, but one page is enough for the test. */
	if (!caller || callers >= 100)
		return 0;
	caller->pid = bpf_get_current_pid_tgid();
	caller->next = newest;
	newest = caller;
	unused = caller + 1;
	callers++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
