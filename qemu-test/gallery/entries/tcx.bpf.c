// SPDX-License-Identifier: GPL-2.0
/*
 * Progs that see the packets that an interface receives and sends: the first changes the text of those to UDP port
 * 47002 from "ping" to "pong", the second drops those to port 47003.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

__u32 changed;
__u32 dropped;

static int is_to(struct __sk_buff *skb, __u16 port)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);

	/* The verifier wants this before anything is read. */
	if ((void *)(udp + 1) > end)
		return 0;
	/* IPv4 with a header of 5 words. */
	return eth->h_proto == bpf_htons(ETH_P_IP) && *(__u8 *)ip == 0x45 &&
	       ip->protocol == IPPROTO_UDP && udp->dest == bpf_htons(port);
}

SEC("tcx/ingress")
int tcx_change(struct __sk_buff *skb)
{
	const __u32 text = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr);
	char ping[4], pong[4] = { 'p', 'o', 'n', 'g' };

	if (!is_to(skb, 47002) || bpf_skb_load_bytes(skb, text, ping, sizeof(ping)))
		return TCX_NEXT;
	if (ping[1] != 'i' || bpf_skb_store_bytes(skb, text, pong, sizeof(pong), BPF_F_RECOMPUTE_CSUM))
		return TCX_NEXT;
	changed++;
	/* There may be more progs. */
	return TCX_NEXT;
}

SEC("tcx/egress")
int tcx_drop(struct __sk_buff *skb)
{
	if (!is_to(skb, 47003))
		return TCX_NEXT;
	dropped++;
	return TCX_DROP;
}

char LICENSE[] SEC("license") = "GPL";
