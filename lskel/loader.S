/* SPDX-License-Identifier: GPL-2.0 */
// The loader prog: loads any object by walking the table in its data. abi.rs has the format and
// says what each op does; here is how. A BPF_PROG_TYPE_SYSCALL prog, the data are the value of
// map 0.
//
//	END		next record to head.table; return ctx.error
//	PTR		*(u64 *)b = a
//	FIND_BTF	*(u64 *)b = bpf_btf_find_by_name_kind(a, size, arg)
//	FIND_KSYM	bpf_kallsyms_lookup_name(a, size, b)
//	BPF		*(u32 *)b = bpf_sys_bpf(arg, a, size)
//	COPY		*(u32 *)b = *(u32 *)a
//	SET		if *(u32 *)a, *(u32 *)b = c
//	CLOSE		if *(s32 *)a >= arg, bpf_sys_close(*(u32 *)a)
//
// Why each access is within the data. r8 is the size of the map's value less 1024. The cursor and
// each offset are compared with r8 before they are added to the data's address, so that 1024 bytes
// can be read or written from there: a record has 16, an attr or name (words + 1) * 4, which is
// 1024 at most since words is a byte. The masks change no offset of a table that the generator
// wrote: they show machines that cannot access a u64 at any address that there is none such.
//
// Why it ends. may_goto leaves the loop after so many rounds, and that is an error of its own.
// Whatever else goes wrong goes on at head.cleanup, which closes all fds.
//
// r6 ctx, r7 data, r8 the highest offset, r9 cursor. r1 a, r2 b, r3 size, r4 arg, r5 c, r0 op.

// In assembly and not in C because every slot counts: clang makes 99 of the same loop, written with
// barriers so that it leaves the comparisons where they are, and the kernel takes 3.5 million
// instructions to load them in place of 2.95.

#include <asm-generic/errno.h>

// abi.rs
#define PTR		0
#define FIND_BTF	1
#define FIND_KSYM	2
#define LAST_U64	7
#define BPF		8
#define COPY		9
#define SET		10
#define CLOSE		11
#define END		12

// enum bpf_func_id
#define bpf_sys_bpf			166
#define bpf_btf_find_by_name_kind	167
#define bpf_sys_close			168
#define bpf_kallsyms_lookup_name	179

	.text
	.globl	loader
loader:
	r6 = r1
	// r7 = the value of map 0; for this kind of address the assembler has no words.
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	.byte	0x18, 0x67, 0, 0, 0, 0, 0, 0
#else
	.byte	0x18, 0x76, 0, 0, 0, 0, 0, 0
#endif
	.quad	0
	r8 = 0				// abi.rs: LIMIT_AT
	r9 = *(u32 *)(r7 + 0)		// head.table

next:
	may_goto forever
	if r9 > r8 goto bad
	r9 &= -4
	r0 = r7
	r0 += r9
	r9 += 16
	r1 = *(u32 *)(r0 + 4)
	if r1 > r8 goto bad
	r1 &= -4
	r1 += r7
	r2 = *(u32 *)(r0 + 8)
	if r2 > r8 goto bad
	r3 = *(u8 *)(r0 + 2)
	r3 += 1
	r3 <<= 2
	r4 = *(u8 *)(r0 + 1)
	r5 = *(u32 *)(r0 + 12)
	r0 = *(u8 *)(r0 + 0)
	if r0 > LAST_U64 goto word

	// What writes a u64.
	r2 &= -8
	r2 += r7
	if r0 == PTR goto ptr
	*(u64 *)(r10 - 8) = r2
	*(u64 *)(r10 - 16) = r5
	if r0 == FIND_KSYM goto find_ksym
	if r0 != FIND_BTF goto bad

find_btf:
	r2 = r3
	r3 = r4
	r4 = 0
	call bpf_btf_find_by_name_kind	// (name, size, kind, flags)
	if r0 s>= 0 goto found
missing:
	r1 = *(u64 *)(r10 - 16)
	if w0 != w1 goto fail
	r0 = 0
found:
	r2 = *(u64 *)(r10 - 8)
	*(u64 *)(r2 + 0) = r0
	goto next

find_ksym:
	r4 = r2
	r2 = r3
	r3 = 0
	call bpf_kallsyms_lookup_name	// (name, size, flags, address)
	if r0 == 0 goto next
	goto missing

ptr:
	*(u64 *)(r2 + 0) = r1
	goto next

	// What writes a u32, or nothing.
word:
	r2 &= -4
	r2 += r7
	if r0 == COPY goto copy
	if r0 == SET goto set
	if r0 == CLOSE goto close
	if r0 == END goto end
	if r0 != BPF goto bad

bpf:
	*(u64 *)(r10 - 8) = r2
	r2 = r1
	r1 = r4
	call bpf_sys_bpf		// (cmd, attr, size)
	if r0 s< 0 goto fail
	r2 = *(u64 *)(r10 - 8)
	*(u32 *)(r2 + 0) = r0
	goto next

copy:
	r0 = *(u32 *)(r1 + 0)
	*(u32 *)(r2 + 0) = r0
	goto next

set:
	r0 = *(u32 *)(r1 + 0)
	if r0 == 0 goto next
	*(u32 *)(r2 + 0) = r5
	goto next

close:
	r1 = *(u32 *)(r1 + 0)
	if w1 s< w4 goto next
	call bpf_sys_close		// (fd)
	goto next

bad:
	r0 = -EINVAL
fail:
	*(u32 *)(r6 + 0) = r9		// ctx.failed
	*(u32 *)(r6 + 4) = r0		// ctx.error
	r9 = *(u32 *)(r7 + 4)		// head.cleanup
	goto next

end:
	*(u32 *)(r7 + 0) = r9		// head.table
	r0 = *(u32 *)(r6 + 4)		// ctx.error
	exit

forever:
	r0 = -ELOOP
	exit
