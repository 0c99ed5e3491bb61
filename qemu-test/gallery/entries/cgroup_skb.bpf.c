// SPDX-License-Identifier: GPL-2.0
/*
 * A prog for the packets that the sockets of a cgroup receive: it drops those to UDP port 47005.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

__u32 dropped;

/* Returns 1 to let the packet through. Here it starts with the IP header. */
SEC("cgroup_skb/ingress")
int cgroup_drop(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	struct iphdr *ip = (void *)(long)skb->data;
	struct udphdr *udp = (void *)(ip + 1);

	/* The verifier wants this before anything is read. */
	if ((void *)(udp + 1) > end)
		return 1;
	/* IPv4 with a header of 5 words. */
	if (skb->protocol != bpf_htons(0x0800) || *(__u8 *)ip != 0x45)
		return 1;
	if (ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(47005))
		return 1;
	dropped++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
