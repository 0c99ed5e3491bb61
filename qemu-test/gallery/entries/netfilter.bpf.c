// SPDX-License-Identifier: GPL-2.0
/*
 * A prog in the place of a firewall's rule: it drops IPv4 packets for this machine to UDP port 47004.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define __core __attribute__((preserve_access_index))

struct nf_hook_state;
struct sk_buff;

struct bpf_nf_ctx {
	const struct nf_hook_state *state;
	struct sk_buff *skb;
} __core;

extern int bpf_dynptr_from_skb(struct sk_buff *skb, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u64 offset, void *buffer, __u64 size) __ksym;

__u32 dropped;

SEC("netfilter")
int nf_drop(struct bpf_nf_ctx *ctx)
{
	struct iphdr ip_buffer, *ip;
	struct udphdr udp_buffer, *udp;
	struct bpf_dynptr packet;

	if (bpf_dynptr_from_skb(ctx->skb, 0, &packet))
		return NF_ACCEPT;
	/* In place if it can be, or else a copy. */
	ip = bpf_dynptr_slice(&packet, 0, &ip_buffer, sizeof(ip_buffer));
	/* A header of 5 words. */
	if (!ip || *(__u8 *)ip != 0x45 || ip->protocol != IPPROTO_UDP)
		return NF_ACCEPT;
	udp = bpf_dynptr_slice(&packet, sizeof(*ip), &udp_buffer, sizeof(udp_buffer));
	if (!udp || udp->dest != bpf_htons(47004))
		return NF_ACCEPT;
	dropped++;
	return NF_DROP;
}

char LICENSE[] SEC("license") = "GPL";
