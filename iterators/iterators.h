/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the iterators share. Each prints one row for each BPF map, prog or link in the system, under
 * one header line. Each column of a row is one word.
 *
 * The kernel's structs are declared here with only the fields that are read. CO-RE finds each field
 * in the running kernel when the program is loaded; a number that the kernel does not have is a
 * '-'.
 *
 * All of this is verified at each load, and the code is laid out so that this costs little:
 *
 * - The kernel looks for each struct that CO-RE asks for among all of its types: some 1,500,000
 *   instructions of the machine for each name. So no name is asked for that can be done without:
 *   what user space knows, too, and the contexts of iterators, have fixed places. (Enums, of which
 *   only the id is asked, lskel-gen has found in a cheaper way.)
 * - Each BPF instruction costs some 30,000, most of it for finding out which registers are live.
 *   So a row is one call or two of bpf_seq_printf(), whose arguments are stored where they are
 *   found; pointers are followed by loads, after a cast, and not by calls.
 * - The verifier goes through what follows a branch once for each state that comes out of it. Loops
 *   come first, while there is little to tell states apart. Where one pointer or another is
 *   printed, forget() makes a number of it, as all states are the same then.
 *
 * What a row costs is mostly the kernel's printf: some 80 instructions for each piece of a format.
 * So widths have room for the space before a column, where what is printed is never that long.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

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

typedef struct {
	__s64 counter;
} atomic64_t;

struct btf {
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

/* KSYM_NAME_LEN is no part of what is promised: only the start of a name is asked for. */
struct bpf_ksym {
	char name[64];
} __core;

struct bpf_prog_aux {
	__u32 id;
	char name[BPF_OBJ_NAME_LEN];
	const char *attach_func_name;
	struct bpf_prog *dst_prog;
	struct bpf_ksym ksym;
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

static const char none[] = "-";

/*
 * Makes a number of a pointer in memory: to the verifier that is what an atomic operation leaves,
 * also one that changes nothing.
 */
#define forget(pointer) __sync_fetch_and_add(&(pointer), 0)

/* Leaves a loop at `end` that has gone on for longer than any should. */
#define or_give_up(end) asm goto("may_goto %l[" #end "]" : : : : end)

/*
 * What a pointer of the kernel points to. A load that fails gives 0, but not everywhere is NULL an
 * address that cannot be read: what may be NULL is looked at first.
 */
#define AT(pointer) (*(typeof(pointer))bpf_rdonly_cast(pointer, 0))

/*
 * Prints the header before the first row. There always is one: this iterator's own map, prog or
 * link. Gives the file that is written to.
 */
#define header(meta, text) ({							\
	static const char line[] = text "\n";					\
	struct seq_file *seq = (meta)->seq;					\
										\
	if (!(meta)->seq_num)							\
		bpf_seq_write(seq, line, sizeof(line) - 1);			\
	seq;									\
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

/* A prog's own name, which the kernel cuts at 15 characters. */
static __always_inline const char *own_name(struct bpf_prog_aux *aux)
{
	return aux->name[0] ? aux->name : none;
}

/*
 * The whole name of a prog's function, if it has BTF, else its own: both are the end of its symbol,
 * bpf_prog_TAG_NAME, see bpf_prog_ksym_set_name(). A prog that the JIT has not compiled has no
 * symbol.
 */
static __always_inline const char *prog_name(struct bpf_prog_aux *aux)
{
	const char *name = &aux->ksym.name[sizeof("bpf_prog_") - 1 + 2 * BPF_TAG_SIZE + 1];

	return *name ? name : own_name(aux);
}
