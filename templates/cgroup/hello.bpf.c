// SPDX-License-Identifier: GPL-2.0
/* Refuses IPv4 connections to one port. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Set by the module. */
__u16 port;
/* Read by it. */
__u64 refused;

/* Called for connect() and, of an unconnected UDP socket, not for sendto(): that is cgroup/sendmsg4. */
SEC("cgroup/connect4")
int refuse_port(struct bpf_sock_addr *ctx)
{
	if (ctx->user_port != bpf_htons(port))
		return 1;
	__sync_fetch_and_add(&refused, 1);
	/* The caller gets EPERM. */
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
