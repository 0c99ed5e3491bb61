// SPDX-License-Identifier: GPL-2.0
/*
 * The iterators behind maps.debug and progs.debug: one row for each BPF map or prog in the system.
 */
#include "iterators.h"
#include <bpf/bpf_endian.h>

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
};

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};

/* The number of elements in a map, for the map types that count them; 0 for the others. */
extern __s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;

/* Any variable of each CPU: it tells how far apart their memory is. */
extern const int bpf_prog_active __ksym;

/* A digit or a '-', each a string of 2 bytes. */
static const char digits[] = "0\0001\000-";
#define DIGIT(exists, value) ((__u64)(digits + 2 * ((exists) ? (value) : 2)))

/* A bit field, which lies in a word of 2 or 4 bytes. */
#define BITS(p, field) ({							\
	const void *word = (const void *)(p) + __CORE_RELO(p, field, BYTE_OFFSET);	\
	__u64 bits = __CORE_RELO(p, field, BYTE_SIZE) == 2 ? *(__u16 *)word : *(__u32 *)word; \
										\
	bits <<= __CORE_RELO(p, field, LSHIFT_U64);				\
	bits >> __CORE_RELO(p, field, RSHIFT_U64);				\
})

SEC("iter/bpf_map")
int dump_bpf_map(struct bpf_iter__bpf_map *ctx)
{
	/* The last column is a number or a '-'. */
	static const char formats[2][60] = {
		"%4u %-18s%10u%13lld %-24s%11u%11u 0x%08x%11s%11lld%11s\n",
		"%4u %-18s%10u%13lld %-24s%11u%11u 0x%08x%11s%11lld%11u\n",
	};
	struct seq_file *seq;
	struct bpf_map *map = ctx->map;
	const char *format = formats[0];
	char type[40];
	struct {
		__u64 id, name, max_entries, cur_entries, type, key, value, flags, frozen, refs;
		__u64 btf_id;
	} row;

	if (!map)
		return 0;
	seq = header(ctx->meta,
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
	bpf_seq_printf(seq, format, sizeof(formats[0]), &row, sizeof(row));
	return 0;
}

SEC("iter/bpf_prog")
int dump_bpf_prog(struct bpf_iter__bpf_prog *ctx)
{
	static const char names[] = "%-16s %s %s";
	/* The number of instructions is a number or a '-'. */
	static const char formats[2][44] = {
		"%4u %-64s%-25s%016llx%11llu%11u%11s%11s",
		"%4u %-64s%-25s%016llx%11llu%11u%11u%11s",
	};
	static const char rest_formats[2][44] = {
		"%16llu%19llu%16llu%11llu%11u%7u%9u -\n",
		"%16llu%19llu%16llu%11llu%11u%7u%9u %s/%s\n",
	};
	struct seq_file *seq;
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
	seq = header(ctx->meta,
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
	row.verified = bpf_core_field_exists(aux->verified_insns) ?
		       aux->verified_insns : (__u64)none;
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
		/* Too long: the kernel's own name, and as much of the function's. */
		bpf_probe_read_kernel_str(cut, sizeof(cut), (void *)words.attached);
		words.name = (__u64)own_name(aux);
		words.attached = (__u64)cut;
		bpf_snprintf(first, sizeof(first), names, (__u64 *)&words, sizeof(words));
		format = rest_formats[1];
	}
	bpf_seq_printf(seq, formats[bpf_core_field_exists(aux->verified_insns)],
		       sizeof(formats[0]), &row, sizeof(row));
	bpf_seq_printf(seq, format, sizeof(rest_formats[0]), &rest, sizeof(rest));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
