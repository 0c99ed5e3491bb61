// SPDX-License-Identifier: GPL-2.0
/* Globals of all kinds: what has a type in Rust, what becomes bytes, gaps, names that Rust reserves, and
 * what is the kernel's own. */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct point {
	__u8 tag;
	__s32 x;
	__u64 y;
};

struct flags {
	__u32 low : 4;
	__u32 high : 28;
};

union either {
	__u64 number;
	char text[12];
};

const volatile __u32 wanted_pid = 7;
const volatile bool enabled = true;
const volatile struct point points[2] = { { 1, -2, 3 }, { 4, -5, 6 } };

__u16 type = 3;
struct flags flags = { 5, 6 };
int odd[3] = { 1, 2, 3 };

__u64 hits;
union either either;
void *address;
static __u64 hidden;
__u8 last;

/* The kernel would release whatever is written here. */
struct task_struct;
struct task_struct __kptr *kept;
/* The kernel looks behind other tags, too. */
const struct task_struct __kptr __attribute__((btf_type_tag("mine"))) *kept_too;
struct {
	__u32 count;
	struct bpf_spin_lock lock;
} guarded SEC(".data.guarded");
__u32 beside SEC(".data.guarded") = 9;

char named[5] SEC(".data.read_mostly") = "four";

SEC("tp_btf/sched_switch")
int count(void *ctx)
{
	if (!enabled || bpf_get_current_pid_tgid() >> 32 != wanted_pid)
		return 0;
	hidden += points[type & 1].y + flags.low + odd[1] + named[2];
	hits += hidden;
	last = (__u8)hits;
	either.number = hits;
	address = ctx;
	last += (kept != 0) + (kept_too != 0) + guarded.count + beside;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
