/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The opcode maps: what follows an opcode, and what it does with memory.
 */
#ifndef _BARKEEP_DECODE_TABLE_H
#define _BARKEEP_DECODE_TABLE_H

#include "decode.h"

/* Numbered as VEX.mmmmm and EVEX.mmm number them. */
enum barkeep_opcode_map {
	BARKEEP_MAP_ONE_BYTE,
	BARKEEP_MAP_0F,
	BARKEEP_MAP_0F38,
	BARKEEP_MAP_0F3A,
	BARKEEP_MAP_5 = 5,	/* EVEX only, as is the next */
	BARKEEP_MAP_6,
};

/* The prefix that selects among instructions of one opcode; numbered as VEX.pp. */
enum barkeep_mandatory_prefix {
	BARKEEP_PREFIX_NONE,
	BARKEEP_PREFIX_66,
	BARKEEP_PREFIX_F3,
	BARKEEP_PREFIX_F2,
};

enum barkeep_form_flags {
	FORM_MODRM = 1 << 0,
	FORM_MODRM_IS_REGISTER = 1 << 1,	/* whatever ModRM.mod says */
	FORM_MEMORY_ONLY = 1 << 2,		/* invalid with ModRM.mod == 3 */
	FORM_REGISTER_ONLY = 1 << 3,		/* invalid with another */
	FORM_VECTOR_ONLY = 1 << 4,		/* invalid without VEX or EVEX */
	FORM_LOCK = 1 << 5,			/* may be locked */
	FORM_OFFSET = 1 << 6,			/* an address follows: moffs */
	FORM_ACCUMULATOR = 1 << 7,		/* rAX, not ModRM.reg */
	FORM_IMMEDIATE = 1 << 8,		/* stores the immediate */
	FORM_DESTINATION = 1 << 9,		/* not emulated, but sets the register */
	FORM_EXTEND = 1 << 10,			/* operand may be narrower than register */
	FORM_SIGN = 1 << 11,
	FORM_SWAP = 1 << 12,
	FORM_TO_REGISTER = 1 << 13,		/* the memory operand is the source */
	FORM_BIT_STRING = 1 << 14,
	FORM_ALU_OPCODE = 1 << 15,		/* bits 5:3 of the opcode are added to alu */
	FORM_ALU_REG = 1 << 16,			/* ModRM.reg is */
	FORM_VECTOR = 1 << 17,			/* ModRM.reg is an XMM register */
};

/**
 * struct barkeep_form - what an opcode means
 * @flags: enum barkeep_form_flags
 * @operation: enum barkeep_operation
 * @alu: enum barkeep_alu, or the first of eight
 * @width: bytes of the memory operand, 0 for the operand size
 * @immediate: bytes of it with 16, 32 and 64-bit operand size
 * @by_prefix: forms by enum barkeep_mandatory_prefix, instead of all that
 * @by_reg: forms by ModRM.reg, instead of all but FORM_MODRM
 */
struct barkeep_form {
	u32 flags;
	u8 operation;
	u8 alu;
	u8 width;
	u8 immediate[3];
	const u8 *by_prefix;
	const u8 *by_reg;
};

const struct barkeep_form *barkeep_form(unsigned int map, u8 opcode, unsigned int prefix);
const struct barkeep_form *barkeep_form_vector(unsigned int map, u8 opcode);
const struct barkeep_form *barkeep_form_reg(const struct barkeep_form *form, unsigned int reg);

#endif
