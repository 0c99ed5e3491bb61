// SPDX-License-Identifier: GPL-2.0
/*
 * A TCP congestion control: as Reno, but after a loss it keeps as much of its window as it is told.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

struct sock {
} __attribute__((preserve_access_index));

struct tcp_sock {
	__u32 snd_cwnd;
} __attribute__((preserve_access_index));

/* Those members that it has; where the kernel has them is found when it is loaded. */
struct tcp_congestion_ops {
	void (*init)(struct sock *sk);
	void (*cong_avoid)(struct sock *sk, __u32 ack, __u32 acked);
	__u32 (*ssthresh)(struct sock *sk);
	__u32 (*undo_cwnd)(struct sock *sk);
	char name[16];
};

extern void tcp_reno_cong_avoid(struct sock *sk, __u32 ack, __u32 acked) __ksym;
extern __u32 tcp_reno_undo_cwnd(struct sock *sk) __ksym;

/* In percent. */
const volatile __u32 keep = 70;

__u64 connections;
__u64 losses;

SEC("struct_ops")
void BPF_PROG(keep_init, struct sock *sk)
{
	__sync_fetch_and_add(&connections, 1);
}

SEC("struct_ops")
void BPF_PROG(keep_cong_avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	tcp_reno_cong_avoid(sk, ack, acked);
}

SEC("struct_ops")
__u32 BPF_PROG(keep_ssthresh, struct sock *sk)
{
	__u32 window = ((struct tcp_sock *)sk)->snd_cwnd * keep / 100;

	__sync_fetch_and_add(&losses, 1);
	return window > 2 ? window : 2;
}

SEC("struct_ops")
__u32 BPF_PROG(keep_undo_cwnd, struct sock *sk)
{
	return tcp_reno_undo_cwnd(sk);
}

SEC(".struct_ops.link")
struct tcp_congestion_ops reno = {
	.init = (void *)keep_init,
	.cong_avoid = (void *)keep_cong_avoid,
	.ssthresh = (void *)keep_ssthresh,
	.undo_cwnd = (void *)keep_undo_cwnd,
	.name = "bpf_keep",
};

char LICENSE[] SEC("license") = "GPL";
