// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a decoded instruction does with registers: where its operand is, what it
 * stores, and what is left behind. As decode.c: for any context, and nothing of the
 * kernel's is called.
 */

#include "decode.h"
#include "decode_alu.h"
#include "decode_bits.h"

#define OFFSET(name)	offsetof(struct pt_regs, name)

static const u8 register_offset[] = {
	OFFSET(ax), OFFSET(cx), OFFSET(dx), OFFSET(bx),
	OFFSET(sp), OFFSET(bp), OFFSET(si), OFFSET(di),
	OFFSET(r8), OFFSET(r9), OFFSET(r10), OFFSET(r11),
	OFFSET(r12), OFFSET(r13), OFFSET(r14), OFFSET(r15),
	[BARKEEP_REGISTER_IP] = OFFSET(ip),
};

static u64 read_register(const struct pt_regs *regs, u8 number)
{
	return *(const unsigned long *)((const u8 *)regs + register_offset[number]);
}

static void write_register(struct pt_regs *regs, u8 number, u64 value)
{
	*(unsigned long *)((u8 *)regs + register_offset[number]) = value;
}

/* A bit string is signed, and as long as a register can number its bits. */
static u64 bit_string_distance(const struct barkeep_instruction *insn, const struct pt_regs *regs)
{
	s64 bit = sign_extend(read_register(regs, insn->reg), insn->width);

	return (bit >> 3) & -(s64)insn->width;
}

/**
 * barkeep_insn_address() - effective address of the operand, but of MOVS and STOS
 * @insn: as decoded
 * @regs: with the instruction pointer still at it
 *
 * To be added to the base of insn->segment, if that is not flat.
 */
u64 barkeep_insn_address(const struct barkeep_instruction *insn, const struct pt_regs *regs)
{
	u64 address = insn->displacement;

	if (insn->base != BARKEEP_REGISTER_NONE)
		address += read_register(regs, insn->base);
	if (insn->index != BARKEEP_REGISTER_NONE)
		address += read_register(regs, insn->index) << insn->scale;
	if (unlikely(insn->bit_string))
		address += bit_string_distance(insn, regs);
	return address & insn->address_mask;
}

static u64 swap_bytes(u64 value, unsigned int bytes)
{
	return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

/**
 * barkeep_insn_value() - what a STORE or STOS writes
 * @insn: as decoded
 * @regs: before the instruction
 *
 * The bytes beyond insn->width are zero.
 */
u64 barkeep_insn_value(const struct barkeep_instruction *insn, const struct pt_regs *regs)
{
	u64 value = insn->immediate;

	if (!insn->from_immediate)
		value = read_register(regs, insn->reg) >> (insn->high_byte ? 8 : 0);
	if (insn->byte_swap)
		value = swap_bytes(value, insn->width);
	return value & mask_of(insn->width);
}

static void put_register(struct pt_regs *regs, u8 number, unsigned int bytes, bool high_byte,
			 u64 value)
{
	unsigned int shift = high_byte ? 8 : 0;
	u64 mask = mask_of(bytes) << shift;
	u64 kept = 0;

	if (bytes < 4)
		kept = read_register(regs, number) & ~mask;
	write_register(regs, number, kept | (value << shift & mask));
}

/**
 * barkeep_insn_load() - put what a LOAD read into its register
 * @insn: as decoded
 * @regs: changed as the CPU would, but for the instruction pointer
 * @value: as read; only insn->width bytes of it count
 */
void barkeep_insn_load(const struct barkeep_instruction *insn, struct pt_regs *regs, u64 value)
{
	if (!insn->register_width)
		return;
	value &= mask_of(insn->width);
	if (insn->byte_swap)
		value = swap_bytes(value, insn->width);
	if (insn->sign_extend)
		value = sign_extend(value, insn->width);
	put_register(regs, insn->reg, insn->register_width, insn->high_byte, value);
}

/**
 * barkeep_insn_step() - advance a MOVS or STOS
 * @insn: as decoded
 * @regs: changed as the CPU would
 * @iterations: how many were done, at most rCX, or 1 without REP
 *
 * The instruction pointer moves on when none is left to be done.
 */
void barkeep_insn_step(const struct barkeep_instruction *insn, struct pt_regs *regs,
		       unsigned long iterations)
{
	u64 mask = insn->address_mask;
	u64 count = insn->rep ? regs->cx & mask : 1;
	u64 distance;

	if (iterations > count)
		iterations = count;
	distance = insn->width * iterations;
	if (regs->flags & X86_EFLAGS_DF)
		distance = -distance;

	regs->di = (regs->di + distance) & mask;
	if (insn->operation == BARKEEP_OP_MOVS)
		regs->si = (regs->si + distance) & mask;
	if (insn->rep)
		regs->cx = count - iterations;
	if (iterations == count)
		regs->ip += insn->length;
}

/**
 * barkeep_insn_compute() - what a COMPUTE or MODIFY makes of its memory operand
 * @insn: as decoded
 * @regs: before the instruction
 * @value: as read; only insn->width bytes of it count
 * @operands: the result. A MODIFY writes insn->width bytes of its destination; then
 *	it is for barkeep_insn_commit()
 */
void barkeep_insn_compute(const struct barkeep_instruction *insn, const struct pt_regs *regs,
			  u64 value, struct barkeep_alu_operands *operands)
{
	u64 mask = mask_of(insn->width);
	u64 other = barkeep_insn_value(insn, regs);

	value &= mask;
	*operands = (struct barkeep_alu_operands){
		.destination = insn->to_register ? other : value,
		.source = insn->to_register ? value : other,
		.accumulator = read_register(regs, BARKEEP_REGISTER_AX) & mask,
		.flags = regs->flags,
		.bytes = insn->width,
	};
	barkeep_alu_compute(insn->alu, operands);
	operands->destination &= mask;
}

/**
 * barkeep_insn_commit() - put the result of barkeep_insn_compute() into registers
 * @insn: as decoded
 * @regs: changed as the CPU would, but for the instruction pointer
 * @operands: the result
 */
void barkeep_insn_commit(const struct barkeep_instruction *insn, struct pt_regs *regs,
			 const struct barkeep_alu_operands *operands)
{
	unsigned int changes = barkeep_alu_changes(insn->alu);

	regs->flags = operands->flags;
	if (insn->to_register && changes & BARKEEP_ALU_DESTINATION)
		put_register(regs, insn->reg, insn->width, insn->high_byte, operands->destination);
	if (changes & BARKEEP_ALU_SOURCE)
		put_register(regs, insn->reg, insn->width, insn->high_byte, operands->source);
	if (changes & BARKEEP_ALU_ACCUMULATOR && !(operands->flags & X86_EFLAGS_ZF))
		put_register(regs, BARKEEP_REGISTER_AX, insn->width, false, operands->accumulator);
}
