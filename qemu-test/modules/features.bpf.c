// SPDX-License-Identifier: GPL-2.0
/*
 * One object with each thing that a light skeleton can hold. lskel_features.rs loads it; what the progs
 * leave in .bss tells whether it worked.
 *
 * The kernel calls bpf_fentry_test1() and bpf_modify_return_test(), to which some progs attach, when
 * BPF_PROG_TEST_RUN is done on a tracing prog.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#define __core __attribute__((preserve_access_index))

struct task_struct {
	int pid;
} __core;

/* The part after ___ is for C only: in the kernel this is task_struct too, and it has no such field. */
struct task_struct___no_such_field {
	int no_such_field;
} __core;

/* .rodata and .data: the module sets them before it loads this. */
const volatile __u32 answer = 1;
const volatile __u32 loader_pid = 0;
__u32 step = 1;

/* .bss: the module sets this one once all is loaded. */
__u32 from_module;

/* .bss: set by the progs, read by the module. */
__u32 seen_answer;
__u32 seen_from_module;
__u32 sum_of_steps;
__u32 subprogs;
__u32 jumps;
__u32 no_jumps;
__u32 weak_present;
__u32 weak_absent;
__u32 elements;
__u32 core_fields;
__u32 no_core_fields;
__u32 fentry;
__u32 fexit;
__u32 fmod_ret;
__u32 tp_btf;
__u32 new_pid;
__u32 lsm;

/* The module makes room for more than this. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sized SEC(".maps");

int jump_target(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} jump_table SEC(".maps") = {
	.values = { [1] = (void *)&jump_target },
};

struct bpf_map;

/* The number of elements in a map. Every kernel that this is for has it. */
extern __s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;
/* Every kernel has this, but a prog that only asks for it can do without. */
extern void bpf_rcu_read_lock(void) __ksym __weak;
/* No kernel has this. */
extern void bpf_no_such_kfunc(void) __ksym __weak;

static __noinline int static_subprog(int n)
{
	return n + 10;
}

__noinline int global_func(int n)
{
	return n + 20;
}

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(use_globals, int a)
{
	seen_answer = answer;
	seen_from_module = from_module;
	sum_of_steps += step;
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(call_subprogs, int a)
{
	subprogs = static_subprog(a) + global_func(a);
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(use_ksyms, int a)
{
	__u32 key = 7;

	bpf_map_update_elem(&sized, &key, &key, BPF_ANY);
	elements = bpf_map_sum_elem_count((struct bpf_map *)&sized);
	if (bpf_ksym_exists(bpf_rcu_read_lock))
		weak_present++;
	if (bpf_ksym_exists(bpf_no_such_kfunc)) {
		bpf_no_such_kfunc();
		weak_absent++;
	}
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(ask_for_fields, int a)
{
	struct task_struct___no_such_field *task = NULL;

	core_fields = bpf_core_field_exists(((struct task_struct *)NULL)->pid);
	no_core_fields = bpf_core_field_exists(task->no_such_field);
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(count_fentry, int a)
{
	fentry++;
	return 0;
}

SEC("fexit/bpf_fentry_test1")
int BPF_PROG(count_fexit, int a, int ret)
{
	if (ret == a + 1)
		fexit++;
	return 0;
}

/* What it returns, unless it is 0, the caller gets instead of what the function would have returned. */
SEC("fmod_ret/bpf_modify_return_test")
int BPF_PROG(count_fmod_ret, int a, int *b, int ret)
{
	fmod_ret++;
	return 42;
}

/* The pid of what the loading task forks. */
SEC("tp_btf/task_newtask")
int BPF_PROG(count_tp_btf, struct task_struct *task, __u64 clone_flags)
{
	if ((__u32)bpf_get_current_pid_tgid() != loader_pid)
		return 0;
	tp_btf++;
	new_pid = task->pid;
	return 0;
}

/* No task gets this niceness. */
SEC("lsm/task_setnice")
int BPF_PROG(count_lsm, struct task_struct *task, int nice, int ret)
{
	if (ret || nice != 13)
		return ret;
	lsm++;
	return -EPERM;
}

/* The kernel asks security_bpf() before each bpf command, also before those that the module gives. */
SEC("fentry/security_bpf")
int jump(void *ctx)
{
	bpf_tail_call(ctx, &jump_table, 1);
	no_jumps++;
	return 0;
}

SEC("fentry/security_bpf")
int jump_target(void *ctx)
{
	jumps++;
	return 0;
}

/* Not loaded, or nothing would be: there is no such function. */
SEC("?fentry/no_such_function")
int BPF_PROG(optional)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
