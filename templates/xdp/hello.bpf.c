// SPDX-License-Identifier: GPL-2.0
/* Drops IPv4 echo requests (ping) with more than so many bytes of data. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* linux/icmp.h takes headers of the C library with it, which are not for BPF. */
struct icmphdr {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 id_and_sequence;
};

#define ICMP_ECHO 8

/* Set by the module. */
__u32 max_data;
/* Read by it. */
__u64 dropped;

SEC("xdp")
int drop_long_pings(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct icmphdr *icmp = (void *)(ip + 1);

	/* The verifier wants this before anything is read. */
	if ((void *)(icmp + 1) > end)
		return XDP_PASS;
	/* IPv4 with a header of 5 words. */
	if (eth->h_proto != bpf_htons(ETH_P_IP) || *(__u8 *)ip != 0x45)
		return XDP_PASS;
	if (ip->protocol != IPPROTO_ICMP || icmp->type != ICMP_ECHO)
		return XDP_PASS;
	if (bpf_ntohs(ip->tot_len) <= sizeof(*ip) + sizeof(*icmp) + max_data)
		return XDP_PASS;
	__sync_fetch_and_add(&dropped, 1);
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
