// SPDX-License-Identifier: GPL-2.0
/*
 * The iterators behind maps.debug, progs.debug and links.debug: one row for each BPF map, prog or
 * link in the system, under one header line.
 *
 * The kernel's structs are declared here with only the fields that are read. CO-RE finds each field
 * in the running kernel when the program is loaded; a number that the kernel does not have is a
 * '-'. Each column of a row is one word.
 */
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>

#define __core __attribute__((preserve_access_index))

/* The kernel's enums are found by these names; their enumerators come from the kernel's BTF. */
enum bpf_map_type___any { ANY_MAP_TYPE };
enum bpf_prog_type___any { ANY_PROG_TYPE };
enum bpf_link_type___any { ANY_LINK_TYPE };
enum bpf_attach_type___any { ANY_ATTACH_TYPE };

struct seq_file {
	__u64 count;
} __core;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
} __core;

typedef struct {
	__s64 counter;
} atomic64_t;

struct btf_header {
	__u32 str_len;
} __core;

struct btf_type {
	__u32 name_off;
} __core;

struct btf {
	struct btf_header hdr;
	const char *strings;
	struct btf_type **types;
	__u32 id;
} __core;

struct bpf_map {
	__u32 id;
	char name[BPF_OBJ_NAME_LEN];
	enum bpf_map_type___any map_type;
	__u32 key_size;
	__u32 value_size;
	__u32 max_entries;
	__u32 map_flags;
	struct btf *btf;
	atomic64_t refcnt;
	_Bool frozen;
} __core;

struct user_struct {
	struct {
		__u32 val;
	} uid;
} __core;

struct bpf_prog_aux {
	__u32 id;
	char name[BPF_OBJ_NAME_LEN];
	const char *attach_func_name;
	struct bpf_prog *dst_prog;
	struct bpf_func_info *func_info;
	struct btf *btf;
	__u32 used_map_cnt;
	__u32 func_cnt;
	struct bpf_prog **func;
	__u32 verified_insns;
	struct user_struct *user;
	__u64 load_time;
} __core;

typedef struct {
	__u64 v;
} u64_stats_t;

struct bpf_prog_stats {
	u64_stats_t cnt;
	u64_stats_t nsecs;
	u64_stats_t misses;
} __core;

struct bpf_prog {
	__u32 sleepable:1;
	enum bpf_prog_type___any type;
	enum bpf_attach_type___any expected_attach_type;
	__u32 len;
	__u32 jited_len;
	__u8 tag[BPF_TAG_SIZE];
	struct bpf_prog_stats *stats;
	struct bpf_prog_aux *aux;
} __core;

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

struct bpf_iter_reg {
	const char *target;
} __core;

struct bpf_iter_target_info {
	struct bpf_iter_reg *reg_info;
} __core;

struct bpf_iter_aux_info {
	struct bpf_map *map;
} __core;

struct bpf_iter_link {
	struct bpf_link link;
	struct bpf_iter_aux_info aux;
	struct bpf_iter_target_info *tinfo;
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
	__u8 pf;
	__u32 hooknum;
} __core;

struct bpf_nf_link {
	struct bpf_link link;
	struct nf_hook_ops hook_ops;
} __core;

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
} __core;

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
} __core;

struct bpf_iter__bpf_link {
	struct bpf_iter_meta *meta;
	struct bpf_link *link;
} __core;

/* The number of elements in a map, for the map types that count them; 0 for the others. */
extern __s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;

/* Any variable of each CPU: it tells how far apart their memory is. */
extern const int bpf_prog_active __ksym;

/* A number that this kernel does not have, or that makes no sense for this row. */
#define NONE (~0ULL)

/* Not a literal: those come in a map of their own. */
static const char none[] = "-";

#define FIELD(p, field) (bpf_core_field_exists((p)->field) ? (__u64)(p)->field : NONE)

/* Leaves a loop at `end` that has gone on for longer than any should. */
#define or_give_up(end) asm goto("may_goto %l[" #end "]" : : : : end)

/* Prints the header before the first row. A call without an object is the last one: no row. */
#define header(meta, object, text) ({						\
	if (!(meta)->seq_num && ((object) || !(meta)->seq->count))		\
		BPF_SEQ_PRINTF((meta)->seq, text "\n");				\
})

static __noinline int number(struct seq_file *seq, __u64 value)
{
	if (value == NONE)
		return BPF_SEQ_PRINTF(seq, " %10s", none);
	return BPF_SEQ_PRINTF(seq, " %10llu", value);
}

/* Prints the kernel's own name of an enum's value, without the prefix that all of them have. */
static __noinline int name(struct seq_file *seq, __u32 value, __u32 type_id, __u32 prefix)
{
	struct btf_ptr ptr = { .ptr = &value, .type_id = type_id };
	char text[40];

	bpf_snprintf_btf(text, prefix + 25, &ptr, sizeof(ptr),
			 BTF_F_COMPACT | BTF_F_NONAME | BTF_F_ZERO);
	/* A value that has no name is a number. */
	return BPF_SEQ_PRINTF(seq, " %-24s", text[0] == 'B' ? text + prefix : text);
}

#define NAME(seq, value, type, prefix) \
	name(seq, value, bpf_core_type_id_kernel(enum type##___any), sizeof(prefix) - 1)

/*
 * The name of a prog's function in its BTF. The kernel cuts a prog's own name at 15 characters; BTF
 * has all of it. A prog without BTF has only its own.
 */
static const char *prog_name(struct bpf_prog_aux *aux)
{
	struct btf *btf = aux->btf;
	struct btf_type *type = NULL;
	__u32 type_id, off;

	if (!btf || !aux->func_info)
		return aux->name[0] ? aux->name : none;

	type_id = aux->func_info->type_id;
	/* An array of pointers is more than CO-RE can follow: read the one element. */
	bpf_probe_read_kernel(&type, sizeof(type), btf->types + type_id);
	off = BPF_CORE_READ(type, name_off);
	return off < btf->hdr.str_len ? btf->strings + off : aux->name;
}

/*
 * The bytes that the JIT has made of a prog and its subprogs.
 *
 * Print such a sum as it is: where it is compared with a number, the verifier tells each round from
 * the one before and never comes to the end of the loop.
 */
static __u64 jited(struct bpf_prog *prog)
{
	/* Not a load: the verifier would count along with a pointer that it knows. */
	struct bpf_prog **funcs = BPF_CORE_READ(prog, aux, func);
	__u32 i, count = prog->aux->func_cnt;
	struct bpf_prog *func;
	__u64 bytes = 0;

	if (!count)
		return prog->jited_len;
	for (i = 0; i < count; i++) {
		or_give_up(end);
		func = NULL;
		bpf_probe_read_kernel(&func, sizeof(func), funcs + i);
		bytes += BPF_CORE_READ(func, jited_len);
	}
end:
	return bytes;
}

struct stats {
	__u64 cnt;
	__u64 nsecs;
	__u64 misses;
};

/*
 * The sums over all CPUs: bpf_per_cpu_ptr() takes no pointer out of a struct, so it is done by
 * hand.
 */
static void sum_stats(struct bpf_prog *prog, struct stats *sum)
{
	/* Not a load: the verifier lets nothing be added to a pointer that it knows. */
	void *base = BPF_CORE_READ(prog, stats);
	struct bpf_prog_stats *stats;
	const void *other;
	__u32 cpu;

	for (cpu = 0; ; cpu++) {
		or_give_up(end);
		other = bpf_per_cpu_ptr(&bpf_prog_active, cpu);
		if (!other)
			break;
		stats = base + (other - (const void *)&bpf_prog_active);
		sum->cnt += BPF_CORE_READ(stats, cnt).v;
		sum->nsecs += BPF_CORE_READ(stats, nsecs).v;
		sum->misses += BPF_CORE_READ(stats, misses).v;
	}
end:
	return;
}

SEC("iter/bpf_map")
int dump_bpf_map(struct bpf_iter__bpf_map *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct bpf_map *map = ctx->map;

	header(ctx->meta, map,
	       "  id name             max_entries  cur_entries type                            key      "
	       "value      flags     frozen       refs     btf_id");
	if (!map)
		return 0;

	BPF_SEQ_PRINTF(seq, "%4u %-16s  %10u   %10lld", map->id, map->name[0] ? map->name : none,
		       map->max_entries, bpf_map_sum_elem_count(map));
	NAME(seq, map->map_type, bpf_map_type, "BPF_MAP_TYPE_");
	BPF_SEQ_PRINTF(seq, " %10u %10u 0x%08x", map->key_size, map->value_size, map->map_flags);
	number(seq, FIELD(map, frozen));
	/* One of them is that of this file. */
	BPF_SEQ_PRINTF(seq, " %10lld", map->refcnt.counter - 1);
	number(seq, map->btf ? map->btf->id : NONE);
	BPF_SEQ_PRINTF(seq, "\n");
	return 0;
}

SEC("iter/bpf_prog")
int dump_bpf_prog(struct bpf_iter__bpf_prog *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct bpf_prog *prog = ctx->prog;
	const char *full, *attached, *target = none;
	struct stats stats = {};
	struct bpf_prog_aux *aux;
	char first[64], cut[28];
	long len;

	header(ctx->meta, prog,
	       "  id name             attached target                                type               "
	       "      tag                   jited     xlated   verified  sleepable         run_cnt      "
	       "  run_time_ns          misses        age        uid   maps subprogs whole");
	if (!prog)
		return 0;

	aux = prog->aux;
	full = prog_name(aux);
	attached = aux->attach_func_name ?: none;
	if (aux->dst_prog)
		target = aux->dst_prog->aux->name;
	len = BPF_SNPRINTF(first, sizeof(first), "%-16s %s %s", full, attached, target);
	if (len > (long)sizeof(first)) {
		bpf_probe_read_kernel_str(cut, sizeof(cut), attached);
		BPF_SNPRINTF(first, sizeof(first), "%-16s %s %s", aux->name, cut, target);
	}
	BPF_SEQ_PRINTF(seq, "%4u %-63s", aux->id, first);
	NAME(seq, prog->type, bpf_prog_type, "BPF_PROG_TYPE_");
	BPF_SEQ_PRINTF(seq, " %016llx %10llu %10u", bpf_be64_to_cpu(*(__u64 *)prog->tag),
		       jited(prog), prog->len * 8);
	number(seq, FIELD(aux, verified_insns));
	number(seq, bpf_core_field_exists(prog->sleepable) ?
		    BPF_CORE_READ_BITFIELD(prog, sleepable) : NONE);
	sum_stats(prog, &stats);
	BPF_SEQ_PRINTF(seq, " %15llu %18llu %15llu %10llu %10u %6u %8u",
		       stats.cnt, stats.nsecs, stats.misses,
		       (bpf_ktime_get_boot_ns() - aux->load_time) / 1000000000, aux->user->uid.val,
		       aux->used_map_cnt, aux->func_cnt - !!aux->func_cnt);
	if (len > (long)sizeof(first))
		BPF_SEQ_PRINTF(seq, " %s/%s\n", full, attached);
	else
		BPF_SEQ_PRINTF(seq, " -\n");
	return 0;
}

/* The struct of a kind of link, which has the link in it. */
#define LINK(link, type) \
	((struct type *)((void *)(link) - bpf_core_field_offset(struct type, link)))
#define READ(link, type, ...) BPF_CORE_READ(LINK(link, type), __VA_ARGS__)

/* What a link is attached to: a name, and a number that bpf(2) or another tool knows. */
struct target {
	const char *name;
	__u64 id;
};

static void map_target(struct target *to, struct bpf_map *map)
{
	to->name = map->name;
	to->id = BPF_CORE_READ(map, id);
}

static void device_target(struct target *to, struct net_device *dev)
{
	to->name = dev->name;
	to->id = BPF_CORE_READ(dev, ifindex);
}

static void perf_target(struct target *to, struct perf_event *event)
{
	struct trace_event_call *call = BPF_CORE_READ(event, tp_event);

	if (BPF_CORE_READ(event, attr.type) == PERF_TYPE_TRACEPOINT) {
		to->name = BPF_CORE_READ(call, tp, name);
		to->id = BPF_CORE_READ(event, attr.config);
	} else if (call) {
		/* The function of a kprobe. */
		to->name = BPF_CORE_READ(call, name);
	} else {
		to->name = BPF_CORE_READ(event, pmu, name);
		to->id = BPF_CORE_READ(event, attr.config);
	}
}

/* Nothing is said of a kind of link that this kernel was built without. */
#define CASE(kind, type)							\
	case BPF_LINK_TYPE_##kind:						\
		if (!bpf_core_type_exists(struct type))				\
			break

static void link_target(struct target *to, struct bpf_link *link)
{
	struct bpf_prog *prog;
	struct bpf_map *map;

	switch ((__u32)link->type) {
	CASE(RAW_TRACEPOINT, bpf_raw_tp_link);
		to->name = READ(link, bpf_raw_tp_link, btp, tp, name);
		break;
	case BPF_LINK_TYPE_TRACING:
		to->name = BPF_CORE_READ(link, prog, aux, attach_func_name);
		prog = BPF_CORE_READ((struct bpf_tracing_link *)link, tgt_prog);
		if (prog)
			to->id = BPF_CORE_READ(prog, aux, id);
		break;
	CASE(CGROUP, bpf_cgroup_link);
		to->id = READ(link, bpf_cgroup_link, cgroup, kn, id);
		break;
	case BPF_LINK_TYPE_ITER:
		to->name = READ(link, bpf_iter_link, tinfo, reg_info, target);
		map = READ(link, bpf_iter_link, aux.map);
		if (map)
			to->id = BPF_CORE_READ(map, id);
		break;
	CASE(NETNS, bpf_netns_link);
		to->id = READ(link, bpf_netns_link, net, ns.inum);
		break;
	CASE(XDP, bpf_xdp_link);
		device_target(to, READ(link, bpf_xdp_link, dev));
		break;
	case BPF_LINK_TYPE_TCX:
	CASE(NETKIT, tcx_link); /* its struct is the same, but in a module */
		device_target(to, READ(link, tcx_link, dev));
		break;
	CASE(PERF_EVENT, bpf_perf_link);
		perf_target(to, READ(link, bpf_perf_link, perf_file, private_data));
		break;
	CASE(UPROBE_MULTI, bpf_uprobe_multi_link);
		to->name = READ(link, bpf_uprobe_multi_link, path.dentry, d_name.name);
		to->id = READ(link, bpf_uprobe_multi_link, cnt);
		break;
	CASE(KPROBE_MULTI, bpf_kprobe_multi_link);
		to->id = READ(link, bpf_kprobe_multi_link, cnt);
		break;
	CASE(STRUCT_OPS, bpf_struct_ops_link);
		map_target(to, READ(link, bpf_struct_ops_link, map));
		break;
	CASE(SOCKMAP, sockmap_link);
		map_target(to, READ(link, sockmap_link, map));
		break;
	CASE(NETFILTER, bpf_nf_link);
		to->id = READ(link, bpf_nf_link, hook_ops.hooknum);
		break;
	}
}

SEC("iter/bpf_link")
int dump_bpf_link(struct bpf_iter__bpf_link *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct bpf_link *link = ctx->link;
	struct target to = { .id = NONE };
	struct bpf_prog *prog;
	char text[64] = {}, *at;
	__u32 i;

	header(ctx->meta, link,
	       "  id type                           prog name             attach                    "
	       "target_id target");
	if (!link)
		return 0;

	prog = link->prog;
	BPF_SEQ_PRINTF(seq, "%4u", link->id);
	NAME(seq, link->type, bpf_link_type, "BPF_LINK_TYPE_");
	/* A struct_ops link has no prog of its own. */
	number(seq, prog ? prog->aux->id : NONE);
	BPF_SEQ_PRINTF(seq, " %-16s", prog ? prog_name(prog->aux) : none);
	NAME(seq, bpf_core_field_exists(link->attach_type) ?
		  link->attach_type : prog->expected_attach_type,
	     bpf_attach_type, "BPF_");
	link_target(&to, link);
	number(seq, to.id);
	bpf_probe_read_kernel_str(text, sizeof(text), to.name ?: none);
	/* Names of devices and files can have any byte. */
	for (i = 0; i < sizeof(text); i++) {
		or_give_up(end);
		at = &text[i & (sizeof(text) - 1)];
		if (*at && (*at <= ' ' || *at > '~'))
			*at = '?';
	}
end:
	BPF_SEQ_PRINTF(seq, " %s\n", text);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
