/* SPDX-License-Identifier: GPL-2.0 */
/* How loads_by_*.bpf.c load another prog: one that does nothing. */

char gpl[4] = "GPL";
struct bpf_insn insns[2] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
	{ .code = BPF_JMP | BPF_EXIT },
};

static long load_prog(void)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insn_cnt = 2,
		.insns = (unsigned long)insns,
		.license = (unsigned long)gpl,
	};

	return bpf_sys_bpf(BPF_PROG_LOAD, &attr, sizeof(attr));
}
