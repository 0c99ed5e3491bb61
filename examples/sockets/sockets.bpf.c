// SPDX-License-Identifier: GPL-2.0
/*
 * An iterator over UDP sockets, IPv4 and IPv6: one row for each, as `ss -uane` has it. Whoever opens
 * the file sees those of its own network namespace.
 */
#include <linux/bpf.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#define AF_INET6 10

/* With only the fields that are read: CO-RE finds them in the kernel that runs. */
#define __core __attribute__((preserve_access_index))

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
} __core;

typedef struct {
	int counter;
} atomic_t;

struct net {
	struct {
		__u32 inum;
	} ns;
} __core;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	__u16 skc_family;
	__u8 skc_state;
	__u8 skc_ipv6only:1;
	int skc_bound_dev_if;
	struct {
		struct net *net;
	} skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
} __core;

struct sock {
	struct sock_common __sk_common;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	struct {
		atomic_t refs;
	} sk_wmem_alloc;
	__u64 sk_ino;
} __core;

struct inet_sock {
	struct sock sk;
} __core;

struct udp_sock {
	struct inet_sock inet;
	int forward_deficit;
	struct {
		atomic_t drops0;
		atomic_t drops1;
	} drop_counters;
} __core;

struct bpf_iter__udp {
	struct bpf_iter_meta *meta;
	struct udp_sock *udp_sk;
	__u32 uid;
} __core;

/*
 * An address and a port are one word, as ss has it, of 47 characters at most. It is made of pieces
 * of up to 8; where one goes the verifier knows by END() to be below 64.
 */
#define WIDTH 72
#define END(text, len) ((text) + ((len) & 63))

static __always_inline void print_port(char *text, __u64 len, __u16 port)
{
	if (port) {
		BPF_SNPRINTF(END(text, len), 8, ":%u", port);
		return;
	}
	*END(text, len) = ':';
	*END(text, len + 1) = '*';
}

static __noinline int print_ipv4(char *text, const __be32 *address, __u16 port)
{
	/* What it returns counts the NUL, too. */
	print_port(text, BPF_SNPRINTF(text, WIDTH, "%pI4", address) - 1, port);
	return 0;
}

/* The first of the longest runs of zeroes is "::", for which bpf_snprintf() has nothing. */
static __noinline int print_ipv6(char *text, const struct in6_addr *from, __u16 port, int only)
{
	__u32 at, zeroes = 0, begin, more, run;
	struct in6_addr address;
	__u64 len = 1;

	bpf_probe_read_kernel(&address, sizeof(address), from);
	/* A bit for each number that is zero: less one, it is below zero. */
	for (at = 0; at < 8; at++)
		zeroes |= (address.s6_addr16[at] - 1U) >> 31 << at;
	/* Where runs begin: all, those of two at least, of three, and so on while there are any. */
	begin = zeroes;
	for (more = 0; more < 7 && begin & begin >> 1; more++)
		begin &= begin >> 1;
	/* The first one. */
	begin &= -begin;
	run = more ? (begin << more << 1) - begin : 0;
	/* Not to be known to the verifier, which would go on for each length of the run. */
	__sync_fetch_and_add(&run, 0);

	if (run == 0xff && !only) {
		/* Any address of IPv4, too. */
		text[0] = '*';
	} else if (run == 0x1f && address.s6_addr16[5] == bpf_htons(0xffff)) {
		len = BPF_SNPRINTF(text, WIDTH, "[::ffff:%pI4]", &address.s6_addr32[3]) - 1;
	} else {
		text[0] = '[';
		for (at = 0; at < 8; at++) {
			if (!(run & 1 << at)) {
				len += BPF_SNPRINTF(END(text, len), 8, "%x:",
						    bpf_ntohs(address.s6_addr16[at])) - 1;
				continue;
			}
			if (!at)
				*END(text, len++) = ':';
			if (!(run & 2 << at))
				*END(text, len++) = ':';
		}
		/* In place of the ':' after the last number. */
		if (!(run & 0x80))
			len--;
		*END(text, len++) = ']';
	}
	print_port(text, len, port);
	return 0;
}

static const char header[] =
	"state    recv-q   send-q    drops        uid      inode      netns    if "
	"local                                           peer\n";
static const char estab[] = "ESTAB", unconn[] = "UNCONN";

SEC("iter/udp")
int udp_sockets(struct bpf_iter__udp *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct udp_sock *udp = ctx->udp_sk;
	char local[WIDTH] = {}, peer[WIDTH] = {};
	struct sock_common *common;
	struct sock *sk;
	struct net *net;
	int only;

	/* After the last one. */
	if (!udp)
		return 0;
	if (!ctx->meta->seq_num)
		bpf_seq_write(seq, header, sizeof(header) - 1);

	sk = &udp->inet.sk;
	common = &sk->__sk_common;
	/* A kernel without IPv6 has no such field. */
	if (common->skc_family == AF_INET6 && bpf_core_field_exists(common->skc_v6_daddr)) {
		only = BPF_CORE_READ_BITFIELD(common, skc_ipv6only);
		print_ipv6(local, &common->skc_v6_rcv_saddr, common->skc_num, only);
		print_ipv6(peer, &common->skc_v6_daddr, bpf_ntohs(common->skc_dport), only);
	} else {
		print_ipv4(local, &common->skc_rcv_saddr, common->skc_num);
		print_ipv4(peer, &common->skc_daddr, bpf_ntohs(common->skc_dport));
	}
	/* In the BTF of a kernel that clang has built this is __rcu, which the verifier takes for a pointer that may be NULL. */
	net = common->skc_net.net;
	if (!net)
		return 0;
	BPF_SEQ_PRINTF(seq, "%-6s %8d %8d %8u %10u %10llu %10u %5d %-47s %s\n",
		       common->skc_state == BPF_TCP_ESTABLISHED ? estab : unconn,
		       sk->sk_backlog.rmem_alloc.counter - udp->forward_deficit,
		       sk->sk_wmem_alloc.refs.counter - 1,
		       udp->drop_counters.drops0.counter + udp->drop_counters.drops1.counter,
		       ctx->uid, sk->sk_ino, net->ns.inum,
		       common->skc_bound_dev_if, local, peer);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
