/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What decode.c takes from the kernel, for user space: the types, and pt_regs
 * with the kernel's names in the kernel's order.
 */
#ifndef _BARKEEP_DECODE_USER_H
#define _BARKEEP_DECODE_USER_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define X86_EFLAGS_CF	0x001
#define X86_EFLAGS_PF	0x004
#define X86_EFLAGS_AF	0x010
#define X86_EFLAGS_ZF	0x040
#define X86_EFLAGS_SF	0x080
#define X86_EFLAGS_DF	0x400
#define X86_EFLAGS_OF	0x800

#define unlikely(condition)	__builtin_expect(!!(condition), 0)

struct pt_regs {
	unsigned long r15;
	unsigned long r14;
	unsigned long r13;
	unsigned long r12;
	unsigned long bp;
	unsigned long bx;
	unsigned long r11;
	unsigned long r10;
	unsigned long r9;
	unsigned long r8;
	unsigned long ax;
	unsigned long cx;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	unsigned long ip;
	unsigned long cs;
	unsigned long flags;
	unsigned long sp;
	unsigned long ss;
};

#endif
