// SPDX-License-Identifier: GPL-2.0
/*
 * The two iterators behind maps.debug and progs.debug: one row for each BPF map and for each BPF prog
 * in the system, under one header line.
 *
 * The kernel's structs are declared here with only the fields that are read. CO-RE finds each field in
 * the running kernel when the program is loaded.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#define __core __attribute__((preserve_access_index))

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 seq_num;
} __core;

struct bpf_map {
	__u32 id;
	char name[BPF_OBJ_NAME_LEN];
	__u32 max_entries;
} __core;

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
} __core;

struct bpf_prog_aux {
	__u32 id;
	char name[BPF_OBJ_NAME_LEN];
	const char *attach_func_name;
	struct bpf_prog *dst_prog;
	struct bpf_func_info *func_info;
	struct btf *btf;
} __core;

struct bpf_prog {
	struct bpf_prog_aux *aux;
} __core;

struct bpf_iter__bpf_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
} __core;

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
} __core;

/* The number of elements in a map, for the map types that count them; 0 for the others. */
extern __s64 bpf_map_sum_elem_count(const struct bpf_map *map) __ksym;

/*
 * The name of a prog's function in its BTF. The kernel cuts a prog's own name at 15 characters; BTF has
 * all of it. A prog without BTF has only its own.
 */
static const char *prog_name(struct bpf_prog_aux *aux)
{
	struct btf *btf = aux->btf;
	struct btf_type *type = NULL;
	__u32 type_id, off;

	if (!btf || !aux->func_info)
		return aux->name;

	type_id = aux->func_info->type_id;
	/* An array of pointers is more than CO-RE can follow: read the one element. */
	bpf_probe_read_kernel(&type, sizeof(type), btf->types + type_id);
	off = BPF_CORE_READ(type, name_off);
	return off < btf->hdr.str_len ? btf->strings + off : aux->name;
}

SEC("iter/bpf_map")
int dump_bpf_map(struct bpf_iter__bpf_map *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct bpf_map *map = ctx->map;

	/* The last call, after the last map, has none. */
	if (!map)
		return 0;

	if (!ctx->meta->seq_num)
		BPF_SEQ_PRINTF(seq, "  id name             max_entries  cur_entries\n");

	BPF_SEQ_PRINTF(seq, "%4u %-16s  %10u   %10lld\n", map->id, map->name, map->max_entries,
		       bpf_map_sum_elem_count(map));
	return 0;
}

SEC("iter/bpf_prog")
int dump_bpf_prog(struct bpf_iter__bpf_prog *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct bpf_prog *prog = ctx->prog;
	struct bpf_prog_aux *aux;

	if (!prog)
		return 0;

	if (!ctx->meta->seq_num)
		BPF_SEQ_PRINTF(seq, "  id name             attached\n");

	aux = prog->aux;
	BPF_SEQ_PRINTF(seq, "%4u %-16s %s %s\n", aux->id, prog_name(aux), aux->attach_func_name,
		       aux->dst_prog->aux->name);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
