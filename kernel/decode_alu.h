/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arithmetic and logic with a memory operand.
 */
#ifndef _BARKEEP_DECODE_ALU_H
#define _BARKEEP_DECODE_ALU_H

#include "decode.h"

/*
 * Numbered so that three bits of the encoding select within each eight: the bits 5:3
 * of an opcode of the first eight and of BT to BTC, ModRM.reg in the opcode groups.
 */
enum barkeep_alu {
	BARKEEP_ALU_ADD,
	BARKEEP_ALU_OR,
	BARKEEP_ALU_ADC,
	BARKEEP_ALU_SBB,
	BARKEEP_ALU_AND,
	BARKEEP_ALU_SUB,
	BARKEEP_ALU_XOR,
	BARKEEP_ALU_CMP,
	BARKEEP_ALU_TEST,
	BARKEEP_ALU_XCHG,
	BARKEEP_ALU_XADD,
	BARKEEP_ALU_CMPXCHG,
	BARKEEP_ALU_BT,
	BARKEEP_ALU_BTS,
	BARKEEP_ALU_BTR,
	BARKEEP_ALU_BTC,
	BARKEEP_ALU_INC,
	BARKEEP_ALU_DEC,
	BARKEEP_ALU_NOT,
	BARKEEP_ALU_NEG,
	BARKEEP_ALU_COUNT
};

/**
 * struct barkeep_alu_operands - of one operation
 * @destination: before, then after it
 * @source: the other one; XCHG and XADD change it
 * @accumulator: CMPXCHG compares with it, and changes it
 * @flags: before, then after it
 * @bytes: of the operands: 1, 2, 4 or 8. What is above them is 0 before and of no
 *	account after
 */
struct barkeep_alu_operands {
	u64 destination;
	u64 source;
	u64 accumulator;
	u64 flags;
	unsigned int bytes;
};

/*
 * Which operands an operation changes. The accumulator is changed only where it and
 * the destination were different: ZF is then 0.
 */
enum barkeep_alu_changes {
	BARKEEP_ALU_DESTINATION = 1 << 0,
	BARKEEP_ALU_SOURCE = 1 << 1,
	BARKEEP_ALU_ACCUMULATOR = 1 << 2,
};

unsigned int barkeep_alu_changes(unsigned int alu);

void barkeep_alu_compute(unsigned int alu, struct barkeep_alu_operands *operands);

#endif
