/* SPDX-License-Identifier: MIT */
/*
 * What the files of the comparison with the CPU share.
 */
#ifndef FORMS_H
#define FORMS_H

#include "harness.h"

/* Within reach of 32-bit absolute and RIP-relative addresses. */
#define DATA		0x10000000UL
#define DATA_PAGES	4
#define CODE		0x20000000UL
/* Operands begin here at the latest, strings run at most that far either way. */
#define MARGIN		1024UL

/* All flags between the two, but TF and IF. */
#define CARRY_TO_OVERFLOW	0xcd5

enum immediate { NOTHING, BYTE, OPERAND_SIZE, ADDRESS };

/**
 * struct form - an instruction, but for its operands
 * @name: as the manuals write it
 * @opcode: its bytes
 * @opcode_bytes: how many they are
 * @modrm: a ModRM byte follows
 * @immediate: what follows that
 * @prefix: that it needs, or 0
 * @members: bit per ModRM.reg that is run, where that is an opcode; 0 for all
 * @lock: may be locked
 * @string: repeats with REP
 * @bit_string: ModRM.reg is a bit's number
 * @aligned: #GP unless its operand is
 * @twin: opcode of the same effect and length, for CPUs without it
 */
struct form {
	const char *name;
	u8 opcode[3];
	u8 opcode_bytes;
	bool modrm;
	enum immediate immediate;
	u8 prefix;
	u8 members;
	bool lock;
	bool string;
	bool bit_string;
	bool aligned;
	const char *twin;
};

/* A case: the instruction, and registers that make it point into DATA. */
struct test {
	const struct form *form;
	u8 bytes[32];
	unsigned int count;
	unsigned int opcode_at;
	bool narrow;		/* 32-bit addresses */
	u64 segment_base;	/* of what the prefixes select */
	struct native native;
};

/* instructions.c */
extern const struct form all_forms[];
extern const unsigned int form_count;

/* emulation.c: on a copy of what is at DATA; @native is as before the instruction */
extern u8 copy[DATA_PAGES * PAGE];
unsigned long *register_of(struct pt_regs *regs, unsigned int number);
void emulate(const struct test *test, const struct barkeep_instruction *insn,
	     struct native *native);
void compare(const struct test *test, const struct barkeep_instruction *insn,
	     struct native *native);

#endif
