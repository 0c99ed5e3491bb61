// SPDX-License-Identifier: GPL-2.0
/*
 * A policy that is sealed while the machine boots, and that root cannot take off afterwards. Each
 * rule is one hook of the kernel's security modules; README.md has the table of them.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* With only the fields that are read: CO-RE finds them in the kernel that runs. */
#define __core __attribute__((preserve_access_index))

enum lockdown_reason {
	LOCKDOWN_MODULE_SIGNATURE = 1,
	LOCKDOWN_KEXEC,
	LOCKDOWN_HIBERNATION,
	LOCKDOWN_INTEGRITY_MAX,
	LOCKDOWN_KCORE,
	LOCKDOWN_KPROBES,
};

enum bpf_sig_verdict {
	BPF_SIG_VERIFIED = 1,
};

enum bpf_sig_keyring {
	BPF_SIG_KEYRING_BUILTIN = 1,
	BPF_SIG_KEYRING_SECONDARY,
	BPF_SIG_KEYRING_PLATFORM,
	BPF_SIG_KEYRING_USER,
};

struct bpf_prog_aux {
	__u32 id;
	struct {
		__s32 keyring_serial;
		__u8 keyring_type;
		__u8 verdict;
	} __core sig;
} __core;

struct bpf_prog {
	enum bpf_prog_type type;
	struct bpf_prog_aux *aux;
} __core;

struct bpf_map {
	__u32 id;
} __core;

struct cred {
	struct {
		__u32 val;
	} uid;
} __core;

struct file;

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} __core;

struct files_struct {
	struct {
		int counter;
	} __core count;
	struct fdtable *fdt;
} __core;

struct task_struct {
	int tgid;
	const struct cred *real_cred;
	struct files_struct *files;
} __core;

struct super_block {
	unsigned long s_magic;
} __core;

struct qstr {
	const unsigned char *name;
} __core;

struct dentry {
	struct qstr d_name;
	struct super_block *d_sb;
} __core;

struct file {
	__u32 f_mode;
	void *private_data;
	struct {
		struct dentry *dentry;
	} f_path;
} __core;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __core;

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	__u32 *key;
	__u64 *value;
} __core;

/* What a system call was called with, on each machine. */
struct pt_regs___x86 {
	unsigned long si;
	unsigned long cx;
	unsigned long orig_ax;
} __core;

struct pt_regs___arm64 {
	__u64 regs[31];
	int syscallno;
} __core;

struct pt_regs___s390 {
	unsigned long gprs[16];
	unsigned int int_code;
} __core;

struct bpf_token;
struct user_namespace;

/* The order is that of `RULES` in gate.rs. */
enum rule {
	RULE_PROGS,
	RULE_MODULES,
	RULE_KEXEC,
	RULE_MEMORY,
	RULE_KPROBES,
	RULE_PTRACE,
	RULE_UPDATES,
	/* The gate's own: these cannot be left out. */
	RULE_OWN,
	RULE_UNLOAD,
	RULES,
};

/* Which rules hold once it is sealed. Frozen, as the rest of .rodata. */
const volatile __u8 rules[RULES] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
/* Whether the kernel's verdict on a prog's signature covers its maps, too: from 7.3 on. */
const volatile __u8 verdicts = 1;
/* A keyring that is trusted beside the kernel's own, or 0. */
const volatile __s32 keyring = 0;

/* Set once, by the module. */
__u32 sealed;
/* Set by the first bpf command of anyone: security modules in BPF are asked. */
__u32 asked;
/* The ids of what must not be had. 0 is none. */
__u32 own_links[16];
__u32 own_progs[16];
__u32 own_maps[8];
/* Denials that found no room in `untold`. */
__u64 lost;

/* How often each rule has refused something. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RULES);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

/* One refusal. What `what` is depends on the rule. */
struct denial {
	__u64 cgroup;
	__u32 rule;
	__u32 what;
	__u32 pid;
	__u32 uid;
	__u8 comm[16];
};

/* Those that dmesg has not told yet. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 64);
	__type(value, struct denial);
} untold SEC(".maps");

/* Counts a refusal, and has it told. */
static __noinline int refuse(__u32 rule, __u32 what)
{
	struct denial denial = { .rule = rule, .what = what };
	__u64 *count = bpf_map_lookup_elem(&counts, &rule);

	if (count)
		__sync_fetch_and_add(count, 1);
	denial.cgroup = bpf_get_current_cgroup_id();
	denial.pid = bpf_get_current_pid_tgid() >> 32;
	denial.uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(denial.comm, sizeof(denial.comm));
	if (bpf_map_push_elem(&untold, &denial, 0))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

/* Whether a rule holds now. */
static __always_inline bool holds(enum rule rule)
{
	return sealed && rules[rule];
}

/* Whether the kernel has verified a prog's signature, by a key of a keyring that is trusted. */
static __always_inline bool is_trusted(struct bpf_prog_aux *aux)
{
	__u8 type;

	if (!verdicts || BPF_CORE_READ(aux, sig.verdict) !=
				 bpf_core_enum_value(enum bpf_sig_verdict, BPF_SIG_VERIFIED))
		return false;
	type = BPF_CORE_READ(aux, sig.keyring_type);
	/* Root can put any key into a keyring of its own. */
	return type != bpf_core_enum_value(enum bpf_sig_keyring, BPF_SIG_KEYRING_USER) ||
	       (keyring && BPF_CORE_READ(aux, sig.keyring_serial) == keyring);
}

/* Progs come from the kernel, or with a signature by a key of the kernel's keyrings. */
SEC("lsm/bpf_prog_load")
int BPF_PROG(progs, struct bpf_prog *prog, union bpf_attr *attr, struct bpf_token *token,
	     bool kernel, int ret)
{
	if (ret || kernel || !holds(RULE_PROGS) || is_trusted(prog->aux))
		return ret;
	refuse(RULE_PROGS, prog->type);
	return -EPERM;
}

/* For dmesg, where a prog's type would be. */
#define SHARED ((__u32)-1)

/*
 * What a SYSCALL prog loads comes from the kernel. So one from before the seal is not run any more by
 * user space, unless it is trusted. Gives what was refused.
 */
static __always_inline bool may_run(__u32 fd, __u32 *what)
{
	struct files_struct *files = BPF_CORE_READ(bpf_get_current_task_btf(), files);
	struct file *file = NULL;
	struct bpf_prog *prog;
	struct fdtable *table;

	/* Another task could put another prog there, after this and before the run. */
	*what = SHARED;
	if (BPF_CORE_READ(files, count.counter) != 1)
		return false;
	table = BPF_CORE_READ(files, fdt);
	if (fd >= BPF_CORE_READ(table, max_fds))
		return true;
	bpf_probe_read_kernel(&file, sizeof(file), BPF_CORE_READ(table, fd) + fd);
	/* What is no prog at all the kernel refuses next. */
	prog = BPF_CORE_READ(file, private_data);
	*what = BPF_CORE_READ(prog, type);
	return *what != BPF_PROG_TYPE_SYSCALL || is_trusted(BPF_CORE_READ(prog, aux));
}

/* What lockdown(7) has hooks for: modules, kernel images, memory of the kernel, kprobes. */
SEC("lsm/locked_down")
int BPF_PROG(locked_down, int what, int ret)
{
	enum rule rule;

	if (ret || !sealed)
		return ret;
	if (what == bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_MODULE_SIGNATURE))
		rule = RULE_MODULES;
	else if (what == bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_KEXEC) ||
		 what == bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_HIBERNATION))
		rule = RULE_KEXEC;
	else if (what < bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_INTEGRITY_MAX) ||
		 what == bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_KCORE))
		rule = RULE_MEMORY;
	else if (what == bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_KPROBES))
		rule = RULE_KPROBES;
	else
		return 0;
	if (!rules[rule])
		return 0;
	refuse(rule, what);
	return -EPERM;
}

#define PTRACE_MODE_ATTACH 2

/* Nobody gets into a process of another user: not by /proc/PID/mem or pidfd_getfd(2), either. */
SEC("lsm/ptrace_access_check")
int BPF_PROG(ptrace, struct task_struct *child, unsigned int mode, int ret)
{
	const struct cred *cred;

	if (ret || !holds(RULE_PTRACE) || !(mode & PTRACE_MODE_ATTACH))
		return ret;
	/* In the BTF of a kernel that clang has built this is __rcu, which the verifier takes for a pointer that may be NULL. */
	cred = child->real_cred;
	if (cred && cred->uid.val == (__u32)bpf_get_current_uid_gid())
		return ret;
	refuse(RULE_PTRACE, child->tgid);
	return -EPERM;
}

static __always_inline bool is_in(const __u32 *ids, __u32 count, __u32 id)
{
	for (__u32 at = 0; at < count; at++) {
		if (ids[at] == id)
			return id;
		/* One after the other: of all at once the verifier walks each combination. */
		barrier();
	}
	return false;
}

#define IS_IN(ids, id) is_in(ids, sizeof(ids) / sizeof(*ids), id)

/*
 * What is the gate's own cannot be had, sealed or not: to its ids there is nothing, so that who lists
 * all goes on. Links have only ids; for maps and progs the two hooks below see every new fd.
 */
SEC("lsm/bpf")
int BPF_PROG(commands, int cmd, union bpf_attr *attr, unsigned int size, bool kernel, int ret)
{
	__u32 id, what;

	asked = 1;
	if (ret || kernel)
		return ret;
	if (cmd == BPF_LINK_GET_FD_BY_ID) {
		id = attr->link_id;
		if (!IS_IN(own_links, id))
			return 0;
		refuse(RULE_OWN, id);
		return -ENOENT;
	}
	if (cmd == BPF_PROG_TEST_RUN && holds(RULE_PROGS) && !may_run(attr->test.prog_fd, &what)) {
		refuse(RULE_PROGS, what);
		return -EPERM;
	}
	/* By a pinned file the iterator of the counts can be had, and would print something else. */
	if (cmd == BPF_LINK_UPDATE && holds(RULE_UPDATES)) {
		refuse(RULE_UPDATES, 0);
		return -EPERM;
	}
	return 0;
}

SEC("lsm/bpf_prog")
int BPF_PROG(own_prog, struct bpf_prog *prog, int ret)
{
	__u32 id = prog->aux->id;

	if (ret || !IS_IN(own_progs, id))
		return ret;
	refuse(RULE_OWN, id);
	return -ENOENT;
}

SEC("lsm/bpf_map")
int BPF_PROG(own_map, struct bpf_map *map, unsigned int mode, int ret)
{
	__u32 id = map->id;

	if (ret || !IS_IN(own_maps, id))
		return ret;
	refuse(RULE_OWN, id);
	return -ENOENT;
}

#define CAP_SYS_MODULE 16
#define O_TRUNC 01000

/* `rmmod -f` takes away what is in use: of any module, as the name is the caller's to change. */
SEC("lsm/capable")
int BPF_PROG(unload, const struct cred *cred, struct user_namespace *user, int cap,
	     unsigned int opts, int ret)
{
	unsigned long number, second, third;
	bool forced = false;
	void *regs;

	if (cap != CAP_SYS_MODULE || ret || !holds(RULE_UNLOAD))
		return ret;
	regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	if (bpf_core_field_exists(((struct pt_regs___x86 *)regs)->orig_ax)) {
		struct pt_regs___x86 *x86 = regs;

		/* x32 has a bit of its own. 129 is that of 32 bits, which has its second argument in cx. */
		number = BPF_CORE_READ(x86, orig_ax) & ~0x40000000UL;
		second = BPF_CORE_READ(x86, si);
		third = BPF_CORE_READ(x86, cx);
		forced = (number == 176 && second & O_TRUNC) || (number == 129 && third & O_TRUNC);
	} else if (bpf_core_field_exists(((struct pt_regs___arm64 *)regs)->syscallno)) {
		struct pt_regs___arm64 *arm64 = regs;

		number = BPF_CORE_READ(arm64, syscallno);
		second = BPF_CORE_READ(arm64, regs[1]);
		forced = (number == 106 || number == 129) && second & O_TRUNC;
	} else if (bpf_core_field_exists(((struct pt_regs___s390 *)regs)->int_code)) {
		struct pt_regs___s390 *s390 = regs;

		number = BPF_CORE_READ(s390, int_code) & 0xffff;
		second = BPF_CORE_READ(s390, gprs[3]);
		forced = number == 129 && second & O_TRUNC;
	}
	if (!forced)
		return 0;
	refuse(RULE_UNLOAD, 0);
	return -EPERM;
}

#define FMODE_WRITE 2
#define PROC_SUPER_MAGIC 0x9fa0

/* Before 7.3, kernel.ftrace_enabled=0 takes all BPF progs off the functions that they hang on. */
SEC("lsm/file_open")
int BPF_PROG(files, struct file *file, int ret)
{
	static const char ftrace_enabled[] = "ftrace_enabled";
	char name[sizeof(ftrace_enabled)] = {};
	struct dentry *dentry;

	if (ret || !(file->f_mode & FMODE_WRITE) || !sealed)
		return ret;
	dentry = file->f_path.dentry;
	if (dentry->d_sb->s_magic != PROC_SUPER_MAGIC)
		return 0;
	bpf_probe_read_kernel_str(name, sizeof(name), dentry->d_name.name);
	if (bpf_strncmp(name, sizeof(name), ftrace_enabled))
		return 0;
	refuse(RULE_OWN, 0);
	return -EPERM;
}

/* For the module: takes the oldest denial that is not told yet. */
SEC("syscall")
int next(struct denial *args)
{
	struct denial denial;
	long error = bpf_map_pop_elem(&untold, &denial);

	if (!error)
		*args = denial;
	return error;
}

/* The file of the counts, for `bpf-preload-pin --iter denials`. */
SEC("iter/bpf_map_elem")
int denials(struct bpf_iter__bpf_map_elem *ctx)
{
	static const char names[16][8] = { "progs",  "modules", "kexec", "memory", "kprobes",
					   "ptrace", "updates", "own",   "unload" };

	__u32 *key = ctx->key;
	__u64 *value = ctx->value;

	if (!key || !value)
		return 0;
	BPF_SEQ_PRINTF(ctx->meta->seq, "%-8s %llu\n", names[*key & 15], *value);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
