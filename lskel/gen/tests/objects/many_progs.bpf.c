// SPDX-License-Identifier: GPL-2.0
/* More functions than libbpf's loader has room for: 40 progs and a few subprogs, one prog not loaded. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 sum;

static __noinline int add(__u64 n)
{
	sum += n;
	return 0;
}

__noinline int add_twice(__u64 n)
{
	return add(n) + add(n);
}

#define PROG(n) SEC("raw_tp/sched_switch") int prog##n(void *ctx) { return add_twice(n); }
#define PROG10(t) PROG(t##0) PROG(t##1) PROG(t##2) PROG(t##3) PROG(t##4) \
		  PROG(t##5) PROG(t##6) PROG(t##7) PROG(t##8) PROG(t##9)

PROG10(1)
PROG10(2)
PROG10(3)
PROG10(4)

SEC("?raw_tp/sched_switch")
int not_loaded(void *ctx)
{
	return add(1);
}

char LICENSE[] SEC("license") = "GPL";
