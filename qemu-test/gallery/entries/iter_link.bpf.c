// SPDX-License-Identifier: GPL-2.0
/*
 * An iterator: who reads it gets a row for each BPF link, as this prog prints it.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __core __attribute__((preserve_access_index))

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __core;

/* CO-RE wants an enum where the kernel has one. */
struct bpf_link {
	__u32 id;
	enum bpf_link_type type;
} __core;

struct bpf_iter__bpf_link {
	struct bpf_iter_meta *meta;
	struct bpf_link *link;
} __core;

SEC("iter/bpf_link")
int list_links(struct bpf_iter__bpf_link *ctx)
{
	struct bpf_link *link = ctx->link;

	/* One more call after the last. */
	if (link)
		BPF_SEQ_PRINTF(ctx->meta->seq, "link %u type %u\n", link->id, link->type);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
