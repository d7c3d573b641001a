/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that access memory: what they do, from their bytes and the
 * registers alone. Has no dependency on the kernel but struct pt_regs, so that
 * the same file is built in user space and tested there against the CPU.
 */
#ifndef _BARKEEP_DECODE_H
#define _BARKEEP_DECODE_H

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/stddef.h>
#include <linux/types.h>
#include <asm/processor-flags.h>
#include <asm/ptrace.h>
#else
#include "decode_user.h"
#endif

#define BARKEEP_INSTRUCTION_MAX	15

/**
 * enum barkeep_operation - what is done with the memory operand
 * @BARKEEP_OP_NONE: nothing that can be emulated; the length is still right
 * @BARKEEP_OP_LOAD: read it, extend it, put it into a register
 * @BARKEEP_OP_STORE: write a register or an immediate to it
 * @BARKEEP_OP_MOVS: copy from [rSI] to [rDI], once or rCX times
 * @BARKEEP_OP_STOS: write rAX to [rDI], once or rCX times
 * @BARKEEP_OP_COMPUTE: read it, set flags and, but for TEST and the like, a register
 * @BARKEEP_OP_MODIFY: the same, and write it
 * @BARKEEP_OP_VECTOR_LOAD: read it to an XMM register, whose rest is then 0
 * @BARKEEP_OP_VECTOR_STORE: write (the low part of) an XMM register to it
 */
enum barkeep_operation {
	BARKEEP_OP_NONE,
	BARKEEP_OP_LOAD,
	BARKEEP_OP_STORE,
	BARKEEP_OP_MOVS,
	BARKEEP_OP_STOS,
	BARKEEP_OP_COMPUTE,
	BARKEEP_OP_MODIFY,
	BARKEEP_OP_VECTOR_LOAD,
	BARKEEP_OP_VECTOR_STORE,
};

/**
 * enum barkeep_segment - whose base is added to the address
 * @BARKEEP_SEGMENT_FLAT: none; all but FS and GS are flat in 64-bit mode
 * @BARKEEP_SEGMENT_FS: that of FS, which pt_regs does not hold
 * @BARKEEP_SEGMENT_GS: that of GS, likewise
 */
enum barkeep_segment {
	BARKEEP_SEGMENT_FLAT,
	BARKEEP_SEGMENT_FS,
	BARKEEP_SEGMENT_GS,
};

/* Register numbers, those of the encoding and some more. */
enum barkeep_register_number {
	BARKEEP_REGISTER_AX = 0,
	BARKEEP_REGISTER_SP = 4,
	BARKEEP_REGISTER_BP = 5,
	BARKEEP_REGISTER_IP = 16,
	BARKEEP_REGISTER_NONE = 0xff,
};

/**
 * struct barkeep_instruction - a decoded instruction
 * @length: bytes, prefixes included
 * @operation: enum barkeep_operation
 * @width: bytes of memory that it touches at once: 1, 2, 4 or 8; 16 with VECTOR
 * @rep: MOVS and STOS with a REP prefix
 * @segment: enum barkeep_segment of the memory operand, for MOVS of the source
 * @reg: number of the register that is loaded or stored
 * @address_mask: of the address size: of rSI, rDI, rCX and of addresses
 *
 * The rest belongs to decode.c and decode_registers.c:
 * @register_width: bytes of @reg that count; 0 for none, or of an XMM register
 * @high_byte: it is bits 15:8 of @reg: AH, CH, DH or BH
 * @from_immediate: a store of @immediate, or an operation with it, not a register
 * @sign_extend: a load that fills its register with copies of the sign
 * @byte_swap: MOVBE
 * @alu: enum barkeep_alu of COMPUTE and MODIFY
 * @to_register: the destination of @alu is the register, not the memory operand
 * @bit_string: the register is a bit's number, which may be beyond the operand
 * @base: number of the base register, BARKEEP_REGISTER_IP or BARKEEP_REGISTER_NONE
 * @index: number of the index register or BARKEEP_REGISTER_NONE
 * @scale: shift of the index
 * @displacement: sign-extended; of RIP-relative operands with @length added
 * @immediate: sign-extended
 */
struct barkeep_instruction {
	u8 length;
	u8 operation;
	u8 width;
	bool rep;
	u8 segment;
	u8 register_width;
	u8 reg;
	bool high_byte;
	bool from_immediate;
	bool sign_extend;
	bool byte_swap;
	u8 alu;
	bool to_register;
	bool bit_string;
	u8 base;
	u8 index;
	u8 scale;
	u64 address_mask;
	s64 displacement;
	s64 immediate;
};

struct barkeep_alu_operands;

/* decode.c */
int barkeep_decode(const u8 *bytes, unsigned int count, struct barkeep_instruction *insn);

/* decode_registers.c */
u64 barkeep_insn_address(const struct barkeep_instruction *insn, const struct pt_regs *regs);
u64 barkeep_insn_value(const struct barkeep_instruction *insn, const struct pt_regs *regs);
void barkeep_insn_load(const struct barkeep_instruction *insn, struct pt_regs *regs, u64 value);
void barkeep_insn_step(const struct barkeep_instruction *insn, struct pt_regs *regs,
		       unsigned long iterations);
void barkeep_insn_compute(const struct barkeep_instruction *insn, const struct pt_regs *regs,
			  u64 value, struct barkeep_alu_operands *operands);
void barkeep_insn_commit(const struct barkeep_instruction *insn, struct pt_regs *regs,
			 const struct barkeep_alu_operands *operands);

#endif
