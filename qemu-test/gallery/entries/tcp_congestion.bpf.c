// SPDX-License-Identifier: GPL-2.0
/*
 * struct_ops: a TCP congestion control. The struct is the kernel's by its name without what follows ___, and each
 * member by its own: the order does not count, and what this one has no use for can be missing. Numbers are set by the
 * module before the load, and what the kernel lacks is left out by it.
 *
 * One object can have several of them, and the same progs. The first two are registered, one by a link; the others
 * are refused for what is wrong with them.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock {
} __attribute__((preserve_access_index));

struct tcp_sock {
	__u32 snd_cwnd;
} __attribute__((preserve_access_index));

struct tcp_congestion_ops___gallery {
	__u64 no_such_number;
	char name[16];
	void (*no_such_callback)(struct sock *sk);
	void (*init)(struct sock *sk);
	__u32 flags;
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*undo_cwnd)(struct sock *sk);
	__u32 (*ssthresh)(struct sock *sk);
};

extern void tcp_reno_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;

__u64 connections;
__u64 acks;

SEC("struct_ops")
void BPF_PROG(cc_init, struct sock *sk)
{
	__sync_fetch_and_add(&connections, 1);
}

SEC("struct_ops")
void BPF_PROG(cc_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	__sync_fetch_and_add(&acks, 1);
	tcp_reno_cong_avoid(sk, ack, acked);
}

SEC("struct_ops")
__u32 BPF_PROG(cc_undo_cwnd, struct sock *sk)
{
	return ((struct tcp_sock *)sk)->snd_cwnd;
}

SEC("struct_ops")
__u32 BPF_PROG(cc_ssthresh, struct sock *sk)
{
	return ((struct tcp_sock *)sk)->snd_cwnd / 2;
}

SEC("struct_ops")
void BPF_PROG(cc_no_such, struct sock *sk)
{
}

SEC(".struct_ops.link")
struct tcp_congestion_ops___gallery linked = {
	.no_such_callback = (void *)cc_no_such,
	.init = (void *)cc_init,
	.cong_avoid = (void *)cc_cong_avoid,
	.undo_cwnd = (void *)cc_undo_cwnd,
	.ssthresh = (void *)cc_ssthresh,
	.name = "gallery_unnamed",
};

SEC(".struct_ops")
struct tcp_congestion_ops___gallery plain = {
	.cong_avoid = (void *)cc_cong_avoid,
	.undo_cwnd = (void *)cc_undo_cwnd,
	.ssthresh = (void *)cc_ssthresh,
	.name = "gallery_plain",
};

SEC(".struct_ops.link")
struct tcp_congestion_ops___gallery same_name = {
	.cong_avoid = (void *)cc_cong_avoid,
	.undo_cwnd = (void *)cc_undo_cwnd,
	.ssthresh = (void *)cc_ssthresh,
	.name = "gallery_plain",
};

SEC(".struct_ops.link")
struct tcp_congestion_ops___gallery without_undo = {
	.cong_avoid = (void *)cc_cong_avoid,
	.ssthresh = (void *)cc_ssthresh,
	.name = "gallery_no_undo",
};

char LICENSE[] SEC("license") = "GPL";
