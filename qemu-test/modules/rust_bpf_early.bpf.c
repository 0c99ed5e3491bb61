// SPDX-License-Identifier: GPL-2.0
/*
 * No program of user space sets the clock. rust_bpf_early.rs attaches this before init runs.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct timespec64;
struct timezone;

/* .bss: how often it was refused. */
__u32 refused;

SEC("lsm/settime")
int BPF_PROG(no_settime, const struct timespec64 *ts, const struct timezone *tz, int ret)
{
	if (ret)
		return ret;
	refused++;
	return -EACCES;
}

char LICENSE[] SEC("license") = "GPL";
