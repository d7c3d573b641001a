// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the CPU's arithmetic and logic unit does, flags included. Flags that the
 * manuals leave undefined are as Intel's and AMD's CPUs have them: cleared by logic,
 * unchanged by bit tests.
 */

#include "decode_alu.h"
#include "decode_bits.h"

#define FLAGS_ALL	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_AF | X86_EFLAGS_ZF | \
			 X86_EFLAGS_SF | X86_EFLAGS_OF)

/* Bit n is the parity of n, for the 4 bits that the halves of a byte fold to. */
#define ODD_PARITY	0x6996

static u64 sign_of(unsigned int bytes)
{
	return 1ULL << (8 * bytes - 1);
}

/* Those that only the result determines. */
static u64 flags_of(u64 result, unsigned int bytes)
{
	u64 flags = 0;

	result &= mask_of(bytes);
	if (!result)
		flags |= X86_EFLAGS_ZF;
	if (result & sign_of(bytes))
		flags |= X86_EFLAGS_SF;
	if (!(ODD_PARITY >> ((result ^ result >> 4) & 0xf) & 1))
		flags |= X86_EFLAGS_PF;
	return flags;
}

static void set_flags(struct barkeep_alu_operands *operands, u64 affected, u64 flags)
{
	operands->flags = (operands->flags & ~affected) | (flags & affected);
}

/*
 * Flags of a sum, the carries of whose bits are in @carries, or of a difference and
 * its borrows: that out of bit 3 is AF, that out of the sign CF, and where it differs
 * from that into the sign the result is too large.
 */
static u64 flags_of_carries(u64 carries, unsigned int bytes)
{
	u64 flags = 0;

	if (carries & 1 << 3)
		flags |= X86_EFLAGS_AF;
	if (carries & sign_of(bytes))
		flags |= X86_EFLAGS_CF;
	if ((carries ^ carries << 1) & sign_of(bytes))
		flags |= X86_EFLAGS_OF;
	return flags;
}

static u64 add(struct barkeep_alu_operands *operands, u64 a, u64 b, bool carry, u64 affected)
{
	u64 result = a + b + carry;
	u64 carries = (a & b) | ((a | b) & ~result);

	set_flags(operands, affected, flags_of(result, operands->bytes) |
				      flags_of_carries(carries, operands->bytes));
	return result;
}

static u64 subtract(struct barkeep_alu_operands *operands, u64 a, u64 b, bool borrow, u64 affected)
{
	u64 result = a - b - borrow;
	u64 borrows = (~a & b) | ((~a | b) & result);

	set_flags(operands, affected, flags_of(result, operands->bytes) |
				      flags_of_carries(borrows, operands->bytes));
	return result;
}

static u64 logic(struct barkeep_alu_operands *operands, u64 result)
{
	set_flags(operands, FLAGS_ALL, flags_of(result, operands->bytes));
	return result;
}

static void alu_add(struct barkeep_alu_operands *operands)
{
	operands->destination = add(operands, operands->destination, operands->source, false,
				    FLAGS_ALL);
}

static void alu_or(struct barkeep_alu_operands *operands)
{
	operands->destination = logic(operands, operands->destination | operands->source);
}

static void alu_adc(struct barkeep_alu_operands *operands)
{
	operands->destination = add(operands, operands->destination, operands->source,
				    operands->flags & X86_EFLAGS_CF, FLAGS_ALL);
}

static void alu_sbb(struct barkeep_alu_operands *operands)
{
	operands->destination = subtract(operands, operands->destination, operands->source,
					 operands->flags & X86_EFLAGS_CF, FLAGS_ALL);
}

static void alu_and(struct barkeep_alu_operands *operands)
{
	operands->destination = logic(operands, operands->destination & operands->source);
}

static void alu_sub(struct barkeep_alu_operands *operands)
{
	operands->destination = subtract(operands, operands->destination, operands->source, false,
					 FLAGS_ALL);
}

static void alu_xor(struct barkeep_alu_operands *operands)
{
	operands->destination = logic(operands, operands->destination ^ operands->source);
}

static void alu_cmp(struct barkeep_alu_operands *operands)
{
	subtract(operands, operands->destination, operands->source, false, FLAGS_ALL);
}

static void alu_test(struct barkeep_alu_operands *operands)
{
	logic(operands, operands->destination & operands->source);
}

static void alu_xchg(struct barkeep_alu_operands *operands)
{
	u64 destination = operands->destination;

	operands->destination = operands->source;
	operands->source = destination;
}

static void alu_xadd(struct barkeep_alu_operands *operands)
{
	alu_xchg(operands);
	alu_add(operands);
}

/* The destination is written in any case. */
static void alu_cmpxchg(struct barkeep_alu_operands *operands)
{
	subtract(operands, operands->accumulator, operands->destination, false, FLAGS_ALL);
	if (operands->flags & X86_EFLAGS_ZF)
		operands->destination = operands->source;
	else
		operands->accumulator = operands->destination;
}

/* The bit in question; CF is what it was. */
static u64 take_bit(struct barkeep_alu_operands *operands)
{
	u64 bit = 1ULL << (operands->source & (8 * operands->bytes - 1));

	set_flags(operands, X86_EFLAGS_CF, operands->destination & bit ? X86_EFLAGS_CF : 0);
	return bit;
}

static void alu_bt(struct barkeep_alu_operands *operands)
{
	take_bit(operands);
}

static void alu_bts(struct barkeep_alu_operands *operands)
{
	operands->destination |= take_bit(operands);
}

static void alu_btr(struct barkeep_alu_operands *operands)
{
	operands->destination &= ~take_bit(operands);
}

static void alu_btc(struct barkeep_alu_operands *operands)
{
	operands->destination ^= take_bit(operands);
}

static void alu_inc(struct barkeep_alu_operands *operands)
{
	operands->destination = add(operands, operands->destination, 1, false,
				    FLAGS_ALL & ~X86_EFLAGS_CF);
}

static void alu_dec(struct barkeep_alu_operands *operands)
{
	operands->destination = subtract(operands, operands->destination, 1, false,
					 FLAGS_ALL & ~X86_EFLAGS_CF);
}

static void alu_not(struct barkeep_alu_operands *operands)
{
	operands->destination = ~operands->destination;
}

static void alu_neg(struct barkeep_alu_operands *operands)
{
	operands->destination = subtract(operands, 0, operands->destination, false, FLAGS_ALL);
}

#define DESTINATION	BARKEEP_ALU_DESTINATION
#define SOURCE		BARKEEP_ALU_SOURCE
#define ACCUMULATOR	BARKEEP_ALU_ACCUMULATOR

static const struct {
	void (*compute)(struct barkeep_alu_operands *operands);
	unsigned int changes;
} alu_operations[BARKEEP_ALU_COUNT] = {
	[BARKEEP_ALU_ADD] = { alu_add, DESTINATION },
	[BARKEEP_ALU_OR] = { alu_or, DESTINATION },
	[BARKEEP_ALU_ADC] = { alu_adc, DESTINATION },
	[BARKEEP_ALU_SBB] = { alu_sbb, DESTINATION },
	[BARKEEP_ALU_AND] = { alu_and, DESTINATION },
	[BARKEEP_ALU_SUB] = { alu_sub, DESTINATION },
	[BARKEEP_ALU_XOR] = { alu_xor, DESTINATION },
	[BARKEEP_ALU_CMP] = { alu_cmp, 0 },
	[BARKEEP_ALU_TEST] = { alu_test, 0 },
	[BARKEEP_ALU_XCHG] = { alu_xchg, DESTINATION | SOURCE },
	[BARKEEP_ALU_XADD] = { alu_xadd, DESTINATION | SOURCE },
	[BARKEEP_ALU_CMPXCHG] = { alu_cmpxchg, DESTINATION | ACCUMULATOR },
	[BARKEEP_ALU_BT] = { alu_bt, 0 },
	[BARKEEP_ALU_BTS] = { alu_bts, DESTINATION },
	[BARKEEP_ALU_BTR] = { alu_btr, DESTINATION },
	[BARKEEP_ALU_BTC] = { alu_btc, DESTINATION },
	[BARKEEP_ALU_INC] = { alu_inc, DESTINATION },
	[BARKEEP_ALU_DEC] = { alu_dec, DESTINATION },
	[BARKEEP_ALU_NOT] = { alu_not, DESTINATION },
	[BARKEEP_ALU_NEG] = { alu_neg, DESTINATION },
};

/* enum barkeep_alu_changes */
unsigned int barkeep_alu_changes(unsigned int alu)
{
	return alu_operations[alu].changes;
}

/* @operands are changed as the CPU would. */
void barkeep_alu_compute(unsigned int alu, struct barkeep_alu_operands *operands)
{
	alu_operations[alu].compute(operands);
}
