// SPDX-License-Identifier: GPL-2.0
/*
 * The iterator behind links.debug: one row for each BPF link in the system.
 */
#include <linux/perf_event.h>
#include "iterators.h"

struct bpf_iter__bpf_link {
	struct bpf_iter_meta *meta;
	struct bpf_link *link;
};

struct bpf_link {
	__u32 id;
	enum bpf_link_type___any type;
	enum bpf_attach_type___any attach_type;
	struct bpf_prog *prog;
} __core;

struct bpf_tramp_link___any {
	struct bpf_link link;
} __core;

struct bpf_tracing_link {
	struct bpf_tramp_link___any link;
	struct bpf_prog *tgt_prog;
} __core;

struct tracepoint {
	const char *name;
} __core;

struct bpf_raw_event_map {
	struct tracepoint *tp;
} __core;

struct bpf_raw_tp_link {
	struct bpf_link link;
	struct bpf_raw_event_map *btp;
} __core;

struct kernfs_node {
	__u64 id;
} __core;

struct cgroup {
	struct kernfs_node *kn;
} __core;

struct bpf_cgroup_link {
	struct bpf_link link;
	struct cgroup *cgroup;
} __core;

struct bpf_iter_aux_info {
	struct bpf_map *map;
} __core;

struct bpf_iter_link {
	struct bpf_link link;
	struct bpf_iter_aux_info aux;
} __core;

struct ns_common {
	__u32 inum;
} __core;

struct net {
	struct ns_common ns;
} __core;

struct bpf_netns_link {
	struct bpf_link link;
	struct net *net;
} __core;

struct net_device {
	char name[16];
	__u32 ifindex;
} __core;

struct bpf_xdp_link {
	struct bpf_link link;
	struct net_device *dev;
} __core;

struct tcx_link {
	struct bpf_link link;
	struct net_device *dev;
} __core;

struct trace_event_call {
	union {
		const char *name;
		struct tracepoint *tp;
	};
} __core;

struct pmu {
	const char *name;
} __core;

struct perf_event_attr___any {
	__u32 type;
	__u64 config;
} __core;

struct perf_event {
	struct pmu *pmu;
	struct perf_event_attr___any attr;
	struct trace_event_call *tp_event;
} __core;

struct file {
	void *private_data;
} __core;

struct bpf_perf_link {
	struct bpf_link link;
	struct file *perf_file;
} __core;

struct bpf_kprobe_multi_link {
	struct bpf_link link;
	unsigned long *addrs;
	__u32 cnt;
} __core;

struct qstr {
	const char *name;
} __core;

struct dentry {
	struct qstr d_name;
} __core;

struct path {
	struct dentry *dentry;
} __core;

struct bpf_uprobe_multi_link {
	struct path path;
	struct bpf_link link;
	__u32 cnt;
} __core;

struct bpf_struct_ops_link {
	struct bpf_link link;
	struct bpf_map *map;
} __core;

struct sockmap_link {
	struct bpf_link link;
	struct bpf_map *map;
} __core;

struct nf_hook_ops {
	__u32 hooknum;
} __core;

struct bpf_nf_link {
	struct bpf_link link;
	struct nf_hook_ops hook_ops;
} __core;

/*
 * Ends the use of a pointer to the stack in a loop. The verifier follows such pointers through the
 * whole prog until it learns nothing new; one that comes back to the start of a loop is news.
 */
#define drop(pointer) asm volatile("%0 = 0" : "+r"(pointer))

/* The struct of a kind of link, which has the link in it. */
#define LINK(link, type) \
	bpf_core_cast((void *)(link) - bpf_core_field_offset(struct type, link), struct type)

/* Nothing is said of a kind of link that this kernel was built without. */
#define CASE(kind, type)							\
	case BPF_LINK_TYPE_##kind:						\
		if (!bpf_core_type_exists(struct type))				\
			break

/* A number that makes no sense for this row. */
#define NONE (~0ULL)

SEC("iter/bpf_link")
int dump_bpf_link(struct bpf_iter__bpf_link *ctx)
{
	/* By prog and target_id, each a number or a '-'. */
	static const char formats[2][2][48] = {
		{
			"%4u %-24s %10s %-16s %-24s %10s %s\n",
			"%4u %-24s %10s %-16s %-24s %10llu %s\n",
		}, {
			"%4u %-24s %10u %-16s %-24s %10s %s\n",
			"%4u %-24s %10u %-16s %-24s %10llu %s\n",
		},
	};
	struct bpf_link *link = ctx->link;
	/* bpf_link has a place in it: that is one name less for CO-RE. */
	struct bpf_iter_link *any = (struct bpf_iter_link *)link;
	struct bpf_uprobe_multi_link *uprobes;
	struct trace_event_call *call;
	struct perf_event *event;
	struct net_device *dev;
	struct bpf_prog *prog;
	struct cgroup *cgroup;
	struct net *net;
	char target[64], type[40], attach[40], *at;
	const char *format;
	struct bpf_map *map;
	__u64 id = NONE, name = (__u64)none;
	long len;
	struct {
		__u64 id, type, prog, name, attach, target_id, target;
	} row;
	struct seq_file *seq;

	if (!link)
		return 0;
	seq = header(ctx->meta,
		     "  id type                           prog name             attach                    "
		     "target_id target");

	/*
	 * What it is attached to: a name, and a number that bpf(2) or another tool knows. Of a
	 * device, map, cgroup or netns that has gone away the number is 0.
	 */
	switch ((__u32)any->link.type) {
	CASE(RAW_TRACEPOINT, bpf_raw_tp_link);
		name = (__u64)LINK(link, bpf_raw_tp_link)->btp->tp->name;
		break;
	case BPF_LINK_TYPE_TRACING:
		name = (__u64)any->link.prog->aux->attach_func_name;
		prog = LINK(link, bpf_tracing_link)->tgt_prog;
		if (prog)
			id = prog->aux->id;
		break;
	CASE(CGROUP, bpf_cgroup_link);
		cgroup = LINK(link, bpf_cgroup_link)->cgroup;
		id = cgroup ? cgroup->kn->id : 0;
		break;
	case BPF_LINK_TYPE_ITER:
		/* The kernel finds an iterator's target by what follows "bpf_iter_". */
		name = (__u64)any->link.prog->aux->attach_func_name + sizeof("bpf_iter_") - 1;
		map = LINK(link, bpf_iter_link)->aux.map;
		if (map)
			id = map->id;
		break;
	CASE(NETNS, bpf_netns_link);
		net = LINK(link, bpf_netns_link)->net;
		id = net ? net->ns.inum : 0;
		break;
	CASE(XDP, bpf_xdp_link);
		dev = LINK(link, bpf_xdp_link)->dev;
		goto device;
	case BPF_LINK_TYPE_TCX:
	CASE(NETKIT, tcx_link); /* its struct is the same, but in a module */
		dev = LINK(link, tcx_link)->dev;
device:
		id = 0;
		if (dev) {
			name = (__u64)dev->name;
			id = dev->ifindex;
		}
		break;
	CASE(PERF_EVENT, bpf_perf_link);
		event = bpf_core_cast(LINK(link, bpf_perf_link)->perf_file->private_data,
				      struct perf_event);
		call = event->tp_event;
		if (event->attr.type == PERF_TYPE_TRACEPOINT) {
			name = (__u64)bpf_core_cast(call->tp, struct tracepoint)->name;
			id = event->attr.config;
		} else if (call) {
			/* The function of a kprobe. */
			name = (__u64)call->name;
		} else {
			name = (__u64)event->pmu->name;
			id = event->attr.config;
		}
		break;
	CASE(UPROBE_MULTI, bpf_uprobe_multi_link);
		uprobes = LINK(link, bpf_uprobe_multi_link);
		name = (__u64)uprobes->path.dentry->d_name.name;
		id = uprobes->cnt;
		break;
	CASE(KPROBE_MULTI, bpf_kprobe_multi_link);
		id = LINK(link, bpf_kprobe_multi_link)->cnt;
		break;
	CASE(STRUCT_OPS, bpf_struct_ops_link);
		map = LINK(link, bpf_struct_ops_link)->map;
		goto map;
	CASE(SOCKMAP, sockmap_link);
		map = LINK(link, sockmap_link)->map;
map:
		id = 0;
		if (map) {
			name = (__u64)map->name;
			id = map->id;
		}
		break;
	CASE(NETFILTER, bpf_nf_link);
		id = LINK(link, bpf_nf_link)->hook_ops.hooknum;
		break;
	}
	forget(name);
	row.target_id = id;
	forget(row.target_id);

	/*
	 * Names of devices and files can have any byte. From the end, as the verifier does not know
	 * how long it is: it would go through each round from a number that it knows.
	 */
	len = bpf_probe_read_kernel_str(target, sizeof(target), (void *)name);
	while (len > 0) {
		or_give_up(clean);
		at = &target[--len & (sizeof(target) - 1)];
		if (*at && (*at <= ' ' || *at > '~'))
			*at = '?';
		drop(at);
	}
clean:
	row.target = (__u64)(target[0] ? target : none);
	row.id = any->link.id;
	row.type = NAME(type, &any->link.type, bpf_link_type, "BPF_LINK_TYPE_");
	row.attach = NAME(attach, &any->link.attach_type, bpf_attach_type, "BPF_");
	/* A struct_ops link has no prog of its own. */
	row.prog = row.name = (__u64)none;
	format = formats[0][1];
	prog = any->link.prog;
	if (prog) {
		row.prog = prog->aux->id;
		row.name = (__u64)prog_name(prog->aux);
		forget(row.name);
		format = formats[1][1];
	}
	if (row.target_id == NONE) {
		row.target_id = (__u64)none;
		format -= sizeof(formats[0][0]);
	}
	bpf_seq_printf(seq, format, sizeof(formats[0][0]), &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
