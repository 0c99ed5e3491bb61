// SPDX-License-Identifier: GPL-2.0
/*
 * Iterators over the TCP and the UDP sockets of the network namespace of whoever reads them.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __core __attribute__((preserve_access_index))

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __core;

struct sock_common {
	__u16 skc_num;
	unsigned char skc_state;
} __core;

struct sock {
	struct sock_common __sk_common;
} __core;

struct inet_sock {
	struct sock sk;
} __core;

struct udp_sock {
	struct inet_sock inet;
} __core;

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
} __core;

struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
} __core;

/* Not all of them are connections: TCP_LISTEN is state 10. */
SEC("iter/tcp")
int list_tcp(struct bpf_iter__tcp *ctx)
{
	struct sock_common *sk = ctx->sk_common;

	if (sk)
		BPF_SEQ_PRINTF(ctx->meta->seq, "port %u state %u\n", sk->skc_num, sk->skc_state);
	return 0;
}

SEC("iter/udp")
int list_udp(struct bpf_iter__udp *ctx)
{
	struct udp_sock *sk = ctx->udp_sk;

	if (sk)
		BPF_SEQ_PRINTF(ctx->meta->seq, "port %u\n", sk->inet.sk.__sk_common.skc_num);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
