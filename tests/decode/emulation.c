// SPDX-License-Identifier: MIT
/*
 * The emulation of an instruction, and what is compared with the CPU's effect.
 */
#include <string.h>
#include "../../kernel/decode_alu.h"
#include "forms.h"

#define UNDEFINED_BY_BITS	(X86_EFLAGS_OF | X86_EFLAGS_SF | X86_EFLAGS_AF | X86_EFLAGS_PF)

u8 copy[DATA_PAGES * PAGE];

static const u8 register_offset[16] = {
	offsetof(struct pt_regs, ax), offsetof(struct pt_regs, cx), offsetof(struct pt_regs, dx),
	offsetof(struct pt_regs, bx), offsetof(struct pt_regs, sp), offsetof(struct pt_regs, bp),
	offsetof(struct pt_regs, si), offsetof(struct pt_regs, di), offsetof(struct pt_regs, r8),
	offsetof(struct pt_regs, r9), offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
	offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13), offsetof(struct pt_regs, r14),
	offsetof(struct pt_regs, r15),
};

static const char *const register_names[16] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

unsigned long *register_of(struct pt_regs *regs, unsigned int number)
{
	return (unsigned long *)((u8 *)regs + register_offset[number & 15]);
}

static u8 *emulated(const struct test *test, u64 address, unsigned int width)
{
	if (address < DATA || address + width > DATA + sizeof(copy))
		fail(test->bytes, test->count, "%s: address %llx", test->form->name, address);
	return &copy[address - DATA];
}

/* One iteration of MOVS or STOS, @number elements on from where rSI and rDI point. */
static void copy_element(const struct test *test, const struct barkeep_instruction *insn,
			 const struct pt_regs *regs, s64 number)
{
	const u64 bases[] = { 0, test->native.fs_base, test->native.gs_base };
	u64 value = barkeep_insn_value(insn, regs);
	u64 to = (regs->di + number * insn->width) & insn->address_mask;
	u64 from = (regs->si + number * insn->width) & insn->address_mask;
	u64 base = bases[insn->segment];

	if (insn->operation == BARKEEP_OP_MOVS)
		memcpy(&value, emulated(test, base + from, insn->width), insn->width);
	else
		to += base;
	memcpy(emulated(test, to, insn->width), &value, insn->width);
}

void emulate(const struct test *test, const struct barkeep_instruction *insn,
	     struct native *native)
{
	struct pt_regs *regs = &native->regs;
	struct barkeep_alu_operands operands;
	const u64 bases[] = { 0, test->native.fs_base, test->native.gs_base };
	u64 base = bases[insn->segment], value = 0, mask = insn->address_mask;
	bool backward = regs->flags & X86_EFLAGS_DF;
	unsigned long done, step;
	u8 *memory;

	switch (insn->operation) {
	case BARKEEP_OP_LOAD:
		memcpy(&value, emulated(test, base + barkeep_insn_address(insn, regs), insn->width),
		       insn->width);
		/* What is beyond the width must not matter. */
		if (insn->width < 8)
			value |= random_bits() << (8 * insn->width);
		barkeep_insn_load(insn, regs, value);
		regs->ip += insn->length;
		break;
	case BARKEEP_OP_STORE:
		value = barkeep_insn_value(insn, regs);
		if (insn->width < 8 && value >> (8 * insn->width))
			fail(test->bytes, test->count, "%s: value %llx", test->form->name, value);
		memcpy(emulated(test, base + barkeep_insn_address(insn, regs), insn->width), &value,
		       insn->width);
		regs->ip += insn->length;
		break;
	case BARKEEP_OP_COMPUTE:
	case BARKEEP_OP_MODIFY:
		memory = emulated(test, base + barkeep_insn_address(insn, regs), insn->width);
		memcpy(&value, memory, insn->width);
		if (insn->width < 8)
			value |= random_bits() << (8 * insn->width);
		barkeep_insn_compute(insn, regs, value, &operands);
		if (insn->operation == BARKEEP_OP_MODIFY)
			memcpy(memory, &operands.destination, insn->width);
		barkeep_insn_commit(insn, regs, &operands);
		regs->ip += insn->length;
		break;
	case BARKEEP_OP_VECTOR_LOAD:
		memset(native->vectors[insn->reg], 0, 16);
		memcpy(native->vectors[insn->reg],
		       emulated(test, base + barkeep_insn_address(insn, regs), insn->width),
		       insn->width);
		regs->ip += insn->length;
		break;
	case BARKEEP_OP_VECTOR_STORE:
		memcpy(emulated(test, base + barkeep_insn_address(insn, regs), insn->width),
		       native->vectors[insn->reg], insn->width);
		regs->ip += insn->length;
		break;
	case BARKEEP_OP_MOVS:
	case BARKEEP_OP_STOS:
		/* A few at a time, as a handler does that must not take too long. */
		while (regs->ip == CODE) {
			step = insn->rep ? 1 + random_below(3) : 1;
			if (insn->rep && step > (regs->cx & mask))
				step = regs->cx & mask;
			for (done = 0; done < step; done++)
				copy_element(test, insn, regs, backward ? -done : done);
			barkeep_insn_step(insn, regs, step);
		}
		break;
	}
}

/* What the manuals leave undefined. */
static const unsigned int undefined_flags[BARKEEP_ALU_COUNT] = {
	[BARKEEP_ALU_OR] = X86_EFLAGS_AF,
	[BARKEEP_ALU_AND] = X86_EFLAGS_AF,
	[BARKEEP_ALU_XOR] = X86_EFLAGS_AF,
	[BARKEEP_ALU_TEST] = X86_EFLAGS_AF,
	[BARKEEP_ALU_BT] = UNDEFINED_BY_BITS,
	[BARKEEP_ALU_BTS] = UNDEFINED_BY_BITS,
	[BARKEEP_ALU_BTR] = UNDEFINED_BY_BITS,
	[BARKEEP_ALU_BTC] = UNDEFINED_BY_BITS,
};

void compare(const struct test *test, const struct barkeep_instruction *insn,
	     struct native *emulated_native)
{
	struct pt_regs *native = (struct pt_regs *)&test->native.regs;
	struct pt_regs *regs = &emulated_native->regs;
	unsigned int flags = CARRY_TO_OVERFLOW;
	const u8 *data = (const u8 *)DATA;
	unsigned int i;

	for (i = 0; i < 16; i++) {
		unsigned long theirs = *register_of(native, i), ours = *register_of(regs, i);

		if (theirs != ours)
			fail(test->bytes, test->count, "%s: %s is %lx, should be %lx",
			     test->form->name, register_names[i], ours, theirs);
	}
	if (native->ip != regs->ip)
		fail(test->bytes, test->count, "%s: length %lu, should be %lu", test->form->name,
		     regs->ip - CODE, native->ip - CODE);
	if (insn->operation == BARKEEP_OP_COMPUTE || insn->operation == BARKEEP_OP_MODIFY)
		flags &= ~undefined_flags[insn->alu];
	if ((native->flags ^ regs->flags) & flags)
		fail(test->bytes, test->count, "%s: flags %lx, should be %lx", test->form->name,
		     regs->flags, native->flags);
	for (i = 0; i < 16; i++)
		if (memcmp(test->native.vectors[i], emulated_native->vectors[i], 16))
			fail(test->bytes, test->count, "%s: xmm%u differs", test->form->name, i);
	if (!memcmp(data, copy, sizeof(copy)))
		return;
	for (i = 0; data[i] == copy[i]; i++)
		;
	fail(test->bytes, test->count, "%s: memory at %lx is %02x, should be %02x",
	     test->form->name, DATA + i, copy[i], data[i]);
}
