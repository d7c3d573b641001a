// SPDX-License-Identifier: MIT
/*
 * The CPU says how long an instruction is. Its first k bytes stand at the end of
 * a page, and the next page is inaccessible: as long as k is too small, fetching
 * it is a page fault at the boundary; once k is its length, it is something else:
 * the single-step trap, or whatever the instruction does with registers that
 * point nowhere. So two runs tell whether a length is right, k one less and k.
 *
 * Undefined opcodes have no length: the CPU may refuse them before it has fetched
 * all that the opcode map has follow. Those must not be called invalid only if
 * the CPU runs them.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "harness.h"

/*
 * Nothing of ours is within 2 GiB, which RIP-relative operands can reach. Nor is
 * anything at 1 to 9 times NOWHERE, all that an address can be made of it, nor
 * in the low 4 GiB, since the program is position-independent.
 */
#define CODE		0x300000000000UL
#define NOWHERE		0x11111111111UL

enum outcome {
	INCOMPLETE,	/* the fetch went over the boundary */
	UNDEFINED,
	REFUSED,	/* #GP: privileged, or an address that cannot be */
	EXECUTED,	/* or stopped by a page fault on its operand */
};

static u8 *writable;	/* the page at CODE, again */

static enum outcome run(const u8 *bytes, unsigned int count)
{
	struct native native = {};
	unsigned long *reg;

	for (reg = &native.regs.r15; reg <= &native.regs.di; reg++)
		*reg = NOWHERE;
	native.regs.sp = NOWHERE;
	native.regs.ip = CODE + PAGE - count;
	native.regs.flags = 0x202 | X86_EFLAGS_TF;
	memcpy(writable + PAGE - count, bytes, count);
	native_run(&native);

	switch (native.trap) {
	case TRAP_UNDEFINED:
		return UNDEFINED;
	case TRAP_PROTECTION:
		return REFUSED;
	case TRAP_PAGE:
		if (native.regs.ip == CODE + PAGE - count && native.address == CODE + PAGE)
			return INCOMPLETE;
		return EXECUTED;
	default:
		return EXECUTED;
	}
}

/* The least k that is not incomplete. */
static unsigned int length_of(const u8 *bytes)
{
	unsigned int count = 1;

	while (count < BARKEEP_INSTRUCTION_MAX && run(bytes, count) == INCOMPLETE)
		count++;
	return count;
}

/* Whether the CPU agrees; not asked of what it does not know. */
static bool agrees(const u8 *bytes, unsigned int length, unsigned int *undefined)
{
	enum outcome outcome = run(bytes, length);

	if (outcome == INCOMPLETE)
		outcome = run(bytes, length_of(bytes)) == UNDEFINED ? UNDEFINED : INCOMPLETE;
	if (outcome == UNDEFINED) {
		++*undefined;
		return true;
	}
	return outcome != INCOMPLETE && run(bytes, length - 1) == INCOMPLETE;
}

/*
 * Not compared: SYSENTER, which returns elsewhere, and near branches with an
 * operand-size prefix, whose displacement Intel's CPUs take as 32 and AMD's as 16
 * bits; they touch no memory operand.
 */
static bool left_out(const u8 *bytes)
{
	bool operand_size = false;

	for (;; bytes++) {
		operand_size |= *bytes == 0x66;
		if (*bytes == 0x66 || *bytes == 0x67 || *bytes == 0xf0 || *bytes == 0xf2 ||
		    *bytes == 0xf3 || (*bytes & 0xe7) == 0x26 || (*bytes & 0xfe) == 0x64 ||
		    (*bytes & 0xf0) == 0x40)
			continue;
		break;
	}
	if (bytes[0] == 0x0f)
		return bytes[1] == 0x34 || ((bytes[1] & 0xf0) == 0x80 && operand_size);
	return (bytes[0] & 0xfe) == 0xe8 && operand_size;
}

void lengths(unsigned int cases)
{
	unsigned int valid = 0, undefined = 0, invalid = 0, number;
	int file = memfd_create("code", 0);

	if ((u64)lengths < 1UL << 32 || ftruncate(file, PAGE)) {
		perror("the program must be position-independent");
		exit(2);
	}
	writable = map_pages(0, 1, PROT_READ | PROT_WRITE, file);
	map_pages(CODE, 1, PROT_READ | PROT_EXEC, file);
	map_pages(CODE + PAGE, 1, PROT_NONE, -1);

	for (number = 0; number < cases; number++) {
		/* Prefixes may fill all; what ends left_out()'s loop stands behind. */
		u8 bytes[BARKEEP_INSTRUCTION_MAX + 1] = {};
		struct barkeep_instruction insn;

		random_instruction(number, bytes);
		if (left_out(bytes))
			continue;
		if (barkeep_decode(bytes, BARKEEP_INSTRUCTION_MAX, &insn)) {
			if (run(bytes, BARKEEP_INSTRUCTION_MAX) == EXECUTED)
				fail(bytes, BARKEEP_INSTRUCTION_MAX, "invalid; the CPU takes %u",
				     length_of(bytes));
			invalid++;
			continue;
		}
		if (!agrees(bytes, insn.length, &undefined))
			fail(bytes, BARKEEP_INSTRUCTION_MAX, "length %u; the CPU takes %u",
			     insn.length, length_of(bytes));
		valid++;
	}
	printf("cases %u compared %u undefined %u invalid %u\n", cases, valid - undefined,
	       undefined, invalid);
}
