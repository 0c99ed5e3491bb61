// SPDX-License-Identifier: GPL-2.0
/*
 * A prog that says which socket gets a new connection: those to port 47008, whatever the address, go to the socket
 * in a map, which listens elsewhere.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

/* User space puts its socket in, as an fd. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} listener SEC(".maps");

SEC("sk_lookup")
int choose_socket(struct bpf_sk_lookup *ctx)
{
	__u32 zero = 0;
	struct bpf_sock *sk;

	/* In the machine's byte order. */
	if (ctx->protocol != IPPROTO_TCP || ctx->local_port != 47008)
		return SK_PASS;
	sk = bpf_map_lookup_elem(&listener, &zero);
	if (!sk)
		return SK_PASS;
	bpf_sk_assign(ctx, sk, 0);
	bpf_sk_release(sk);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "GPL";
