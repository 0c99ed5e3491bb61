// SPDX-License-Identifier: GPL-2.0
/* struct_ops: two maps of one struct, with and without a link, callbacks that both have, numbers of each kind. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

enum mode {
	SLOW = 1,
	FAST,
};

struct inner {
	int a;
	char b;
};

struct some_ops___mine {
	int (*first)(int a);
	void *owner;
	struct inner inner;
	enum mode mode;
	unsigned int bits : 3;
	short numbers[3];
	void (*unused)(void);
	int (*second)(void);
	char name[10];
};

/* What user space sets for its schedulers. */
const volatile unsigned long long __SCX_SLICE_DFL __weak;
const volatile unsigned long long __SCX_KICK_IDLE __weak;

extern void some_kfunc(int a) __ksym;
extern void some_kfunc___compat(void) __ksym;
extern void other_kfunc___v2(void) __ksym __weak;

SEC("struct_ops")
int BPF_PROG(first, int a)
{
	some_kfunc(a + __SCX_SLICE_DFL + __SCX_KICK_IDLE);
	some_kfunc___compat();
	if (bpf_ksym_exists(other_kfunc___v2))
		other_kfunc___v2();
	return 0;
}

/* Not loaded by itself, but a map has it. */
SEC("?struct_ops.s/second")
int BPF_PROG(second)
{
	return 0;
}

SEC("?struct_ops")
int BPF_PROG(nowhere)
{
	return 0;
}

SEC(".struct_ops")
struct some_ops___mine plain = {
	.second = (void *)second,
	.name = "plain",
};

SEC(".struct_ops.link")
struct some_ops___mine linked = {
	.first = (void *)first,
	.second = (void *)second,
	.mode = FAST,
	.numbers = { 1, 2, 3 },
	.name = "linked",
};

char LICENSE[] SEC("license") = "GPL";
