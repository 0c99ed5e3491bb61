// SPDX-License-Identifier: GPL-2.0
/*
 * freplace: a prog in the place of a function that another prog calls, or of another prog as a whole. The section names
 * the function, which a prog of the same object has; the kernel sees to it that it takes the same parameters. With
 * attach_to() it takes the place of a prog of another object, too.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct question {
	__u32 number;
	__u32 answer;
};

__u32 own_calls;
__u32 calls_in_place;

/* What is replaced is a function with a name of its own, that is: not static, and not inlined. */
__attribute__((noinline)) int once(int number)
{
	/* Otherwise clang would know the result. */
	asm volatile("" : "+r"(number));
	return number;
}

SEC("freplace/once")
int twice(int number)
{
	return 2 * number;
}

SEC("syscall")
int ask(struct question *args)
{
	args->answer = once(args->number);
	return 0;
}

SEC("raw_tp/bpf_test_finish")
int counted(struct bpf_raw_tracepoint_args *ctx)
{
	own_calls++;
	return 0;
}

SEC("freplace/counted")
int counts(struct bpf_raw_tracepoint_args *ctx)
{
	calls_in_place++;
	return 0;
}

/* For the test: a test run of it comes to the tracepoint. */
SEC("fentry/bpf_fentry_test1")
int finish(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
