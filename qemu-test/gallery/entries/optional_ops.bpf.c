// SPDX-License-Identifier: GPL-2.0
/*
 * struct_ops: a map that is created only for who asks for it. lskel-gen leaves it out, with the progs that only it
 * calls; `lskel-gen --load sometimes` makes a skeleton with all of it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock;

struct tcp_congestion_ops {
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	__u32 (*ssthresh)(struct sock *sk);
	char name[16];
};

SEC("struct_ops")
void BPF_PROG(oo_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops")
void BPF_PROG(oo_cong_some, struct sock *sk, __u32 ack, __u32 acked)
{
}

SEC("struct_ops")
__u32 BPF_PROG(oo_undo_cwnd, struct sock *sk)
{
	return 10;
}

SEC("struct_ops")
__u32 BPF_PROG(oo_ssthresh, struct sock *sk)
{
	return 10;
}

SEC(".struct_ops.link")
struct tcp_congestion_ops always = {
	.cong_avoid = (void *)oo_cong_avoid,
	.undo_cwnd = (void *)oo_undo_cwnd,
	.ssthresh = (void *)oo_ssthresh,
	.name = "oo_always",
};

SEC("?.struct_ops.link")
struct tcp_congestion_ops sometimes = {
	.cong_avoid = (void *)oo_cong_some,
	.undo_cwnd = (void *)oo_undo_cwnd,
	.ssthresh = (void *)oo_ssthresh,
	.name = "oo_sometimes",
};

char LICENSE[] SEC("license") = "GPL";
