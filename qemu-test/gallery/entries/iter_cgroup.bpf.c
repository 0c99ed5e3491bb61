// SPDX-License-Identifier: GPL-2.0
/*
 * Iterators over cgroups: a cgroup and all below it, or only one.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define __core __attribute__((preserve_access_index))

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __core;

struct kernfs_node {
	const char *name;
} __core;

struct cgroup {
	int level;
	struct kernfs_node *kn;
} __core;

struct bpf_iter__cgroup {
	struct bpf_iter_meta *meta;
	struct cgroup *cgroup;
} __core;

static int print(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgroup = ctx->cgroup;

	/* One more call after the last. The root has no name. */
	if (cgroup)
		BPF_SEQ_PRINTF(ctx->meta->seq, "level %d /%s\n", cgroup->level, cgroup->kn->name);
	return 0;
}

SEC("iter/cgroup")
int all_cgroups(struct bpf_iter__cgroup *ctx)
{
	return print(ctx);
}

SEC("iter/cgroup")
int one_cgroup(struct bpf_iter__cgroup *ctx)
{
	return print(ctx);
}

char LICENSE[] SEC("license") = "GPL";
