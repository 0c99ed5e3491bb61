// SPDX-License-Identifier: GPL-2.0
/*
 * Functions. A static one is checked anew for each call, knowing the arguments; a global one (not static, not
 * inlined) is checked once and by itself, whatever its arguments: for large progs that is much less work.
 *
 * A test run calls them, and leaves what they return.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct point {
	__u32 x;
	__u32 y;
};

__u32 by_value;
__u32 by_pointer;
__u32 by_null;
__u32 by_static;

__noinline int twice(int n)
{
	return 2 * n;
}

/* A global function cannot know whether a pointer is NULL, so it has to ask. */
__noinline int sum_of_point(const struct point *point)
{
	return point ? point->x + point->y : 1000;
}

/* Or it says that it takes no NULL, and then its callers have to make sure. */
__noinline int product_of_point(const struct point *point __arg_nonnull)
{
	return point->x * point->y;
}

static __noinline int x_of_point(const struct point *point)
{
	return point->x;
}

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(call_functions, int a)
{
	struct point point = { 3, 4 };

	/* 1 is what the kernel calls bpf_fentry_test1() with. */
	by_value = twice(twice(a));
	by_pointer = 100 * sum_of_point(&point) + product_of_point(&point);
	by_null = sum_of_point(NULL);
	by_static = x_of_point(&point);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
