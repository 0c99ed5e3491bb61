// SPDX-License-Identifier: GPL-2.0
/*
 * A timer: a function of the prog runs later, without anybody calling it. Timers are in the values of a map, and
 * the kernel takes none in a map that nobody has open: the module holds it open.
 *
 * A test run starts the timer, which goes off three times, a millisecond apart.
 */
#include <linux/bpf.h>
#include <linux/time.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define MILLISECOND 1000000

struct alarm {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct alarm);
} alarms SEC(".maps");

__u64 started_ns;
__u32 fired;
__u64 waited_ns;
/* The kernel has refused the timer. */
__u32 no_timer;

static int on_alarm(void *map, __u32 *key, struct alarm *alarm)
{
	waited_ns = bpf_ktime_get_ns() - started_ns;
	if (++fired < 3)
		bpf_timer_start(&alarm->timer, MILLISECOND, 0);
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int BPF_PROG(start_timer, int a)
{
	__u32 zero = 0;
	struct alarm *alarm = bpf_map_lookup_elem(&alarms, &zero);

	if (!alarm)
		return 0;
	if (bpf_timer_init(&alarm->timer, &alarms, CLOCK_MONOTONIC)) {
		/* Also when it is there already: a timer is made once. */
		no_timer++;
		return 0;
	}
	bpf_timer_set_callback(&alarm->timer, on_alarm);
	started_ns = bpf_ktime_get_ns();
	bpf_timer_start(&alarm->timer, MILLISECOND, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
