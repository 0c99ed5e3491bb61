// SPDX-License-Identifier: GPL-2.0
/*
 * A prog that sees each packet that an interface receives, before anything else does: it drops those to UDP port
 * 47001.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

__u32 dropped;

SEC("xdp")
int xdp_drop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);

	/* The verifier wants this before anything is read. */
	if ((void *)(udp + 1) > end)
		return XDP_PASS;
	/* IPv4 with a header of 5 words. */
	if (eth->h_proto != bpf_htons(ETH_P_IP) || *(__u8 *)ip != 0x45)
		return XDP_PASS;
	if (ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(47001))
		return XDP_PASS;
	dropped++;
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
