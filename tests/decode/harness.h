/* SPDX-License-Identifier: MIT */
/*
 * The user-space side of the decoder's tests. Each part is a command of one
 * program; it ends with status 0 and a line of counts, or with status 1 and the
 * bytes of the first case that went wrong.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdnoreturn.h>
#include "../../kernel/decode.h"

#define PAGE	4096UL
#define X86_EFLAGS_TF	0x100

/* native.c: an instruction run by the CPU, with all registers given */
struct native {
	struct pt_regs regs;	/* in and out */
	u64 fs_base;
	u64 gs_base;
	u64 vectors[16][2];	/* in and out: XMM registers */
	/* Out: the exception that ended it. */
	u64 trap;
	u64 error;
	u64 address;
};

enum trap {
	TRAP_DEBUG = 1,
	TRAP_BREAKPOINT = 3,
	TRAP_UNDEFINED = 6,
	TRAP_PROTECTION = 13,
	TRAP_PAGE = 14,
};

void native_init(void);
void native_run(struct native *native);

/* random.c */
void random_seed(u64 seed);
u64 random_bits(void);
unsigned int random_below(unsigned int limit);
void random_instruction(unsigned int number, u8 *bytes);

/* main.c */
void *map_pages(u64 address, unsigned int pages, int protection, int file);
noreturn void fail(const u8 *bytes, unsigned int count, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void forms(unsigned int rounds);
void fuzz(unsigned int cases);
void lengths(unsigned int cases);

#endif
