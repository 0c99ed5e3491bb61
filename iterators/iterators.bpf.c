// SPDX-License-Identifier: GPL-2.0
/*
 * The iterators behind maps.debug, progs.debug and links.debug: one row for each BPF map, prog or
 * link in the system, under one header line. Each column of a row is one word.
 *
 * The kernel's structs are declared here with only the fields that are read. CO-RE finds each field
 * in the running kernel when the program is loaded; a number that the kernel does not have is a
 * '-'.
 *
 * All of this is verified at each load, and the code is laid out so that this costs little:
 *
 * - The kernel looks for each struct or enum that CO-RE asks for among all of its types: some
 *   1,500,000 instructions of the machine for each name. So no name is asked for that can be done
 *   without: what user space knows, too, and the contexts of iterators, have fixed places.
 * - Each BPF instruction costs some 30,000, most of it for finding out which registers are live.
 *   So a row is one call or two of bpf_seq_printf(), whose arguments are stored where they are
 *   found; pointers are followed by loads, after a cast, and not by calls.
 * - The verifier goes through what follows a branch once for each state that comes out of it. Loops
 *   come first, while there is little to tell states apart. Where one pointer or another is
 *   printed, forget() makes a number of it, as all states are the same then.
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

/* The contexts of iterators: each member has 8 bytes, as the kernel promises. */
struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
};

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};

struct bpf_iter__bpf_link {
	struct bpf_iter_meta *meta;
	struct bpf_link *link;
};

typedef struct {
	__s64 counter;
} atomic64_t;

/* The first member of a type is the offset of its name, also in files: see linux/btf.h. */
typedef __u32 btf_type;

struct btf {
	const char *strings;
	btf_type **types;
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

/* The number of elements in a map, for the map types that count them; 0 for the others. */
extern __s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;

/* Any variable of each CPU: it tells how far apart their memory is. */
extern const int bpf_prog_active __ksym;

static const char none[] = "-";

/* A digit or a '-', each a string of 2 bytes. */
static const char digits[] = "0\0" "1\0" "-";
#define DIGIT(exists, value) ((__u64)(digits + 2 * ((exists) ? (value) : 2)))

/*
 * Makes a number of a pointer in memory: to the verifier that is what an atomic operation leaves,
 * also one that changes nothing.
 */
#define forget(pointer) __sync_fetch_and_add(&(pointer), 0)

/* Leaves a loop at `end` that has gone on for longer than any should. */
#define or_give_up(end) asm goto("may_goto %l[" #end "]" : : : : end)

/*
 * Ends the use of a pointer to the stack in a loop. The verifier follows such pointers through the
 * whole prog until it learns nothing new; one that comes back to the start of a loop is news.
 */
#define drop(pointer) asm volatile("%0 = 0" : "+r"(pointer))

/* A bit field, which lies in a word of 2 or 4 bytes. */
#define BITS(p, field) ({							\
	const void *word = (const void *)(p) + __CORE_RELO(p, field, BYTE_OFFSET);	\
	__u64 bits = __CORE_RELO(p, field, BYTE_SIZE) == 2 ? *(__u16 *)word : *(__u32 *)word; \
										\
	bits <<= __CORE_RELO(p, field, LSHIFT_U64);				\
	bits >> __CORE_RELO(p, field, RSHIFT_U64);				\
})

/*
 * What a pointer of the kernel points to. A load that fails gives 0, but not everywhere is NULL an
 * address that cannot be read: what may be NULL is looked at first.
 */
#define AT(pointer) (*(typeof(pointer))bpf_rdonly_cast(pointer, 0))

/*
 * Prints the header before the first row. There always is one: this iterator's own map, prog or
 * link.
 */
#define header(meta, text) ({							\
	static const char line[] = text "\n";					\
	if (!(meta)->seq_num)							\
		bpf_seq_write((meta)->seq, line, sizeof(line) - 1);		\
})

/*
 * The kernel's own name of an enum's value, without the prefix that all of them have, cut at 24
 * characters. A value that has no name is a number: digits have no bit 6, letters do.
 */
#define NAME(text, value, type, prefix) ({					\
	struct btf_ptr ptr = {							\
		.ptr = (void *)(value),						\
		.type_id = bpf_core_type_id_kernel(enum type##___any),		\
	};									\
										\
	_Static_assert(sizeof(text) >= sizeof(prefix) + 24, "too small");	\
	bpf_snprintf_btf(text, sizeof(prefix) + 24, &ptr, sizeof(ptr),		\
			 BTF_F_COMPACT | BTF_F_NONAME | BTF_F_ZERO);		\
	(__u64)(text + ((__u8)text[0] >> 6) * (sizeof(prefix) - 1));		\
})

SEC("iter/bpf_map")
int dump_bpf_map(struct bpf_iter__bpf_map *ctx)
{
	/* The last column is a number or a '-'. */
	static const char formats[2][72] = {
		"%4u %-16s  %10u   %10lld %-24s %10u %10u 0x%08x %10s %10lld %10s\n",
		"%4u %-16s  %10u   %10lld %-24s %10u %10u 0x%08x %10s %10lld %10u\n",
	};
	struct bpf_map *map = ctx->map;
	const char *format = formats[0];
	char type[40];
	struct {
		__u64 id, name, max_entries, cur_entries, type, key, value, flags, frozen, refs;
		__u64 btf_id;
	} row;

	if (!map)
		return 0;
	header(ctx->meta,
	       "  id name             max_entries  cur_entries type                            key      "
	       "value      flags     frozen       refs     btf_id");

	row.id = map->id;
	row.name = (__u64)(map->name[0] ? map->name : none);
	row.max_entries = map->max_entries;
	row.cur_entries = bpf_map_sum_elem_count(map);
	row.type = NAME(type, &map->map_type, bpf_map_type, "BPF_MAP_TYPE_");
	row.key = map->key_size;
	row.value = map->value_size;
	row.flags = map->map_flags;
	row.frozen = DIGIT(bpf_core_field_exists(map->frozen), map->frozen);
	/* One of them is that of this file. */
	row.refs = map->refcnt.counter - 1;
	row.btf_id = (__u64)none;
	if (map->btf) {
		row.btf_id = map->btf->id;
		format = formats[1];
	}
	bpf_seq_printf(ctx->meta->seq, format, sizeof(formats[0]), &row, sizeof(row));
	return 0;
}

/* A prog's own name, which the kernel cuts at 15 characters. */
static __always_inline const char *own_name(struct bpf_prog_aux *aux)
{
	return aux->name[0] ? aux->name : none;
}

/* The whole name of a prog's function, from its BTF. A prog without BTF has only its own. */
static __always_inline const char *prog_name(struct bpf_prog_aux *aux)
{
	btf_type *type;

	if (!aux->func_info)
		return own_name(aux);
	type = AT(aux->btf->types + aux->func_info->type_id);
	return aux->btf->strings + AT(type);
}

SEC("iter/bpf_prog")
int dump_bpf_prog(struct bpf_iter__bpf_prog *ctx)
{
	static const char names[] = "%-16s %s %s";
	/* The number of instructions is a number or a '-'. */
	static const char formats[2][56] = {
		"%4u %-63s %-24s %016llx %10llu %10u %10s %10s",
		"%4u %-63s %-24s %016llx %10llu %10u %10u %10s",
	};
	static const char rest_formats[2][52] = {
		" %15llu %18llu %15llu %10llu %10u %6u %8u -\n",
		" %15llu %18llu %15llu %10llu %10u %6u %8u %s/%s\n",
	};
	struct bpf_prog *prog = ctx->prog;
	const char *format = rest_formats[0];
	struct bpf_prog_stats *stats;
	struct bpf_prog_aux *aux;
	char first[64], cut[28], type[40];
	const void *other;
	__u64 base, bytes, cnt = 0, nsecs = 0, misses = 0;
	struct bpf_prog *func;
	__s64 subprogs;
	__u32 i;
	long len;
	struct {
		__u64 name, attached, target;
	} words;
	struct {
		__u64 id, words, type, tag, jited, xlated, verified, sleepable;
	} row;
	struct {
		__u64 run_cnt, run_time_ns, misses, age, uid, maps, subprogs, name, attached;
	} rest;

	if (!prog)
		return 0;
	header(ctx->meta,
	       "  id name             attached target                                type               "
	       "      tag                   jited     xlated   verified  sleepable         run_cnt      "
	       "  run_time_ns          misses        age        uid   maps subprogs whole");
	aux = prog->aux;

	/*
	 * The sums over all CPUs: bpf_per_cpu_ptr() takes no pointer out of a struct, so it is done
	 * by hand, with a number, as the verifier lets nothing be added to such a pointer.
	 */
	base = (__u64)prog->stats;
	forget(base);
	for (i = 0; ; i++) {
		or_give_up(counted);
		other = bpf_per_cpu_ptr(&bpf_prog_active, i);
		if (!other)
			break;
		stats = bpf_core_cast((void *)(base + (other - (const void *)&bpf_prog_active)),
				      struct bpf_prog_stats);
		cnt += stats->cnt.v;
		nsecs += stats->nsecs.v;
		misses += stats->misses.v;
	}
counted:
	rest.run_cnt = cnt;
	rest.run_time_ns = nsecs;
	rest.misses = misses;

	/* A prog with subprogs is the first of its functions, and has the length of that. */
	subprogs = (__s64)aux->func_cnt - 1;
	subprogs += (__u64)subprogs >> 63;
	rest.subprogs = subprogs;
	bytes = prog->jited_len;
	for (i = 1; i <= subprogs; i++) {
		or_give_up(summed);
		func = AT(aux->func + i);
		bytes += bpf_core_cast(func, struct bpf_prog)->jited_len;
	}
summed:
	row.jited = bytes;

	row.id = aux->id;
	row.words = (__u64)first;
	row.type = NAME(type, &prog->type, bpf_prog_type, "BPF_PROG_TYPE_");
	row.tag = bpf_be64_to_cpu(*(__u64 *)prog->tag);
	row.xlated = prog->len * 8;
	row.verified = bpf_core_field_exists(aux->verified_insns) ? aux->verified_insns : (__u64)none;
	row.sleepable = DIGIT(bpf_core_field_exists(prog->sleepable), BITS(prog, sleepable));

	rest.age = (bpf_ktime_get_boot_ns() - aux->load_time) / 1000000000;
	rest.uid = aux->user->uid.val;
	rest.maps = aux->used_map_cnt;

	words.name = (__u64)prog_name(aux);
	forget(words.name);
	words.attached = (__u64)(aux->attach_func_name ?: none);
	forget(words.attached);
	words.target = (__u64)(aux->dst_prog ? own_name(aux->dst_prog->aux) : none);
	forget(words.target);
	rest.name = words.name;
	rest.attached = words.attached;
	len = bpf_snprintf(first, sizeof(first), names, (__u64 *)&words, sizeof(words));
	if (len > (long)sizeof(first)) {
		/* Too long for the columns: the kernel's own name, and as much of the function's. */
		bpf_probe_read_kernel_str(cut, sizeof(cut), (void *)words.attached);
		words.name = (__u64)own_name(aux);
		words.attached = (__u64)cut;
		bpf_snprintf(first, sizeof(first), names, (__u64 *)&words, sizeof(words));
		format = rest_formats[1];
	}
	bpf_seq_printf(ctx->meta->seq, formats[bpf_core_field_exists(aux->verified_insns)],
		       sizeof(formats[0]), &row, sizeof(row));
	bpf_seq_printf(ctx->meta->seq, format, sizeof(rest_formats[0]), &rest, sizeof(rest));
	return 0;
}

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
		{ "%4u %-24s %10s %-16s %-24s %10s %s\n", "%4u %-24s %10s %-16s %-24s %10llu %s\n" },
		{ "%4u %-24s %10u %-16s %-24s %10s %s\n", "%4u %-24s %10u %-16s %-24s %10llu %s\n" },
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

	if (!link)
		return 0;
	header(ctx->meta,
	       "  id type                           prog name             attach                    "
	       "target_id target");

	/*
	 * What it is attached to: a name, and a number that bpf(2) or another tool knows. Of a device,
	 * map, cgroup or netns that has gone away the number is 0.
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
	bpf_seq_printf(ctx->meta->seq, format, sizeof(formats[0][0]), &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
