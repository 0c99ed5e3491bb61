// SPDX-License-Identifier: GPL-2.0
/*
 * A timer that would load another prog, which the verifier refuses.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "load_prog.h"

struct alarm {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct alarm);
} alarms SEC(".maps");

__s32 answer;

static int ring(void *map, int *key, void *value)
{
	answer = load_prog();
	return 0;
}

SEC("syscall")
int by_timer(void *ctx)
{
	__u32 zero = 0;
	struct alarm *alarm = bpf_map_lookup_elem(&alarms, &zero);

	if (!alarm || bpf_timer_init(&alarm->timer, &alarms, 1) ||
	    bpf_timer_set_callback(&alarm->timer, ring))
		return 1;
	return bpf_timer_start(&alarm->timer, 0, 0);
}

char LICENSE[] SEC("license") = "GPL";
