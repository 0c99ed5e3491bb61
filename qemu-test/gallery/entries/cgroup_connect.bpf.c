// SPDX-License-Identifier: GPL-2.0
/*
 * A prog that is asked about each connect() in a cgroup, and may change where it goes: 127.0.0.1:47006 becomes
 * 127.0.0.1:47007.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Returns 1 to allow the call, 0 to refuse it with EPERM. */
SEC("cgroup/connect4")
int redirect(struct bpf_sock_addr *ctx)
{
	if (ctx->user_ip4 == bpf_htonl(0x7f000001) && ctx->user_port == bpf_htons(47006))
		ctx->user_port = bpf_htons(47007);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
