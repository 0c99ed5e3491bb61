// SPDX-License-Identifier: GPL-2.0
/*
 * CO-RE: the prog says by name what it wants of the kernel's types, and the kernel that loads it fills in where
 * that is. One object fits kernels with other layouts, and asks what they have.
 *
 * The types here are wrong on purpose: other offsets, another size, another value. Each result is the kernel's.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#define __core __attribute__((preserve_access_index))

/* None of these is where the kernel has it, comm is longer there, and the last is not there at all. */
struct task_struct {
	int tgid;
	int pid;
	char comm[4];
	struct task_struct *group_leader;
	int no_such_field;
} __core;

struct no_such_struct {
	int field;
} __core;

/* The kernel's PIDTYPE_SID is 3. */
enum pid_type {
	PIDTYPE_SID = 77,
	PIDTYPE_NO_SUCH = 78,
};

/* Fields that have moved. */
__u32 pid;
__u32 leader_pid;
__u32 comm_offset;
/* A field of another size. */
__u32 comm_size;
char comm[16];
/* What is there and what is not: 1 or 0. */
__u32 field_present;
__u32 field_absent;
__u32 type_present;
__u32 type_absent;
__u32 value_present;
__u32 value_absent;
__u32 type_size;
__u32 type_size_absent;
__u32 enum_value;

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(read_fields, int a)
{
	struct task_struct *task = bpf_get_current_task_btf();

	/* The verifier checks this kind of access, so it needs no helper. */
	pid = task->pid;
	/* This kind reads what it has no type for, too. */
	leader_pid = BPF_CORE_READ(task, group_leader, pid);
	bpf_core_read_str(comm, sizeof(comm), &task->comm);
	comm_offset = bpf_core_field_offset(task->comm);
	comm_size = bpf_core_field_size(task->comm);
	return 0;
}

SEC("fentry/bpf_fentry_test2")
int BPF_PROG(ask_for_types, int a)
{
	struct task_struct *task = bpf_get_current_task_btf();

	field_present = bpf_core_field_exists(task->pid);
	field_absent = bpf_core_field_exists(task->no_such_field);
	type_present = bpf_core_type_exists(struct task_struct);
	type_absent = bpf_core_type_exists(struct no_such_struct);
	type_size = bpf_core_type_size(struct task_struct);
	type_size_absent = bpf_core_type_size(struct no_such_struct);
	value_present = bpf_core_enum_value_exists(enum pid_type, PIDTYPE_SID);
	value_absent = bpf_core_enum_value_exists(enum pid_type, PIDTYPE_NO_SUCH);
	enum_value = bpf_core_enum_value(enum pid_type, PIDTYPE_SID);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
