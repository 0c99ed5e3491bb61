// SPDX-License-Identifier: GPL-2.0
/*
 * An exception: bpf_throw() ends the prog from however deep a function, and one that the prog names has the last
 * word. The JIT has to know how, which not each machine's does.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __catch(function) __attribute__((btf_decl_tag("exception_callback:" #function)))

extern void bpf_throw(__u64 cookie) __ksym;

__u32 runs;
/* What was thrown, and how many times. */
__u64 thrown;
__u32 caught;
/* Runs that came to the end. */
__u32 finished;

__noinline int catch_it(__u64 cookie)
{
	thrown = cookie;
	caught++;
	return 0;
}

static __noinline int deeper(__u32 run)
{
	if (run == 2)
		bpf_throw(4711);
	return run;
}

static __noinline int deep(__u32 run)
{
	return deeper(run) + 1;
}

/* The second run throws. */
SEC("fentry/bpf_fentry_test2")
__catch(catch_it)
int BPF_PROG(throws, int a)
{
	deep(++runs);
	finished++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
