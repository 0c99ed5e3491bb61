// SPDX-License-Identifier: GPL-2.0
/* Progs that are called: what they take, and those that take what Rust has no type for, or may not be called. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	__u8 tag;
	__s32 x;
};

struct element {
	__u32 key;
	struct point points[2];
	const char *name;
	__u16 type;
};

/* Of another size in Rust: what is passed is aligned to 8. */
struct number {
	__u32 n;
};

union either {
	__u64 number;
	char text[12];
};

/* A global of the same type. */
struct element latest;
struct number counts;

SEC("syscall")
int set(struct element *args)
{
	latest = *args;
	return args->points[1].x;
}

SEC("syscall")
int get(const struct element *args)
{
	return args->key == latest.key;
}

SEC("syscall")
int twice(struct number *args)
{
	args->n *= 2;
	counts.n++;
	return 0;
}

SEC("syscall")
int nothing(void *ctx)
{
	return 1;
}

SEC("syscall")
int no_struct(union either *args)
{
	return args->number;
}

SEC("syscall")
int by_address(struct number *args)
{
	return bpf_sys_bpf(args->n, 0, 0);
}

static __noinline int close_it(int fd)
{
	return bpf_sys_close(fd);
}

SEC("syscall")
int by_fd(struct number *args)
{
	return close_it(args->n);
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} jumps SEC(".maps");

SEC("syscall")
int by_jump(struct number *args)
{
	bpf_tail_call(args, &jumps, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
