/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instructions that access memory: what they do, from their bytes and the
 * registers alone. Has no dependency on the kernel but struct pt_regs, so that
 * the same file is built in user space and tested there against the CPU.
 */
#ifndef _BARKEEP_DECODE_H
#define _BARKEEP_DECODE_H

#ifdef __KERNEL__
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
 */
enum barkeep_operation {
	BARKEEP_OP_NONE,
	BARKEEP_OP_LOAD,
	BARKEEP_OP_STORE,
	BARKEEP_OP_MOVS,
	BARKEEP_OP_STOS,
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

/**
 * struct barkeep_instruction - a decoded instruction
 * @length: bytes, prefixes included
 * @operation: enum barkeep_operation
 * @width: bytes of memory that it touches at once: 1, 2, 4 or 8
 * @rep: MOVS and STOS with a REP prefix
 * @segment: enum barkeep_segment of the memory operand, for MOVS of the source
 * @address_mask: of the address size: of rSI, rDI, rCX and of addresses
 *
 * The rest belongs to decode.c:
 * @register_width: bytes of the register that is loaded or stored; 0 for none
 * @reg: its number
 * @high_byte: it is bits 15:8 of @reg: AH, CH, DH or BH
 * @from_immediate: a store of @immediate, not of a register
 * @sign_extend: a load that fills its register with copies of the sign
 * @byte_swap: MOVBE
 * @base: number of the base register, NO_REGISTER or REGISTER_IP
 * @index: number of the index register or NO_REGISTER
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
	u8 base;
	u8 index;
	u8 scale;
	u64 address_mask;
	s64 displacement;
	s64 immediate;
};

int barkeep_decode(const u8 *bytes, unsigned int count, struct barkeep_instruction *insn);
u64 barkeep_insn_address(const struct barkeep_instruction *insn, const struct pt_regs *regs);
u64 barkeep_insn_value(const struct barkeep_instruction *insn, const struct pt_regs *regs);
void barkeep_insn_load(const struct barkeep_instruction *insn, struct pt_regs *regs, u64 value);
void barkeep_insn_step(const struct barkeep_instruction *insn, struct pt_regs *regs,
		       unsigned long iterations);

#endif
