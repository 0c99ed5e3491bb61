// SPDX-License-Identifier: GPL-2.0
/*
 * What a module can load and not attach: the kernel hangs kprobes, tracepoints and uprobes on a perf event, and a
 * module cannot open one. kprobe.multi, fentry and raw_tp do the same without.
 *
 * And progs of other kinds, for the test to attach in a way that is not theirs.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

SEC("kprobe/bpf_fentry_test1")
int no_kprobe(void *ctx)
{
	return 0;
}

SEC("kretprobe/bpf_fentry_test1")
int no_kretprobe(void *ctx)
{
	return 0;
}

SEC("tracepoint/sched/sched_switch")
int no_tracepoint(void *ctx)
{
	return 0;
}

SEC("perf_event")
int no_perf_event(void *ctx)
{
	return 0;
}

SEC("uprobe")
int no_uprobe(void *ctx)
{
	return 0;
}

SEC("uretprobe")
int no_uretprobe(void *ctx)
{
	return 0;
}

SEC("uprobe.multi")
int no_uprobe_multi(void *ctx)
{
	return 0;
}

SEC("usdt")
int no_usdt(void *ctx)
{
	return 0;
}

/* From here on: can be attached, each in its own way. */
SEC("raw_tp")
int no_raw_tp(void *ctx)
{
	return 0;
}

SEC("kprobe.multi/bpf_fentry_test*")
int no_kp_multi(void *ctx)
{
	return 0;
}

SEC("xdp")
int no_xdp(void *ctx)
{
	return XDP_PASS;
}

SEC("tcx/ingress")
int no_tcx(void *ctx)
{
	return TCX_NEXT;
}

SEC("cgroup_skb/egress")
int no_cgroup(void *ctx)
{
	return 1;
}

SEC("sk_lookup")
int no_sk_lookup(void *ctx)
{
	return SK_PASS;
}

SEC("netfilter")
int no_netfilter(void *ctx)
{
	return 1;
}

SEC("fentry/bpf_fentry_test1")
int no_fentry(void *ctx)
{
	return 0;
}

SEC("iter/bpf_link")
int no_iter(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
