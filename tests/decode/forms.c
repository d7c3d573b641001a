// SPDX-License-Identifier: MIT
/*
 * Every instruction that is emulated, run by the CPU and by the emulation: each
 * with all ModRM bytes, all REX prefixes, with and without the prefixes for
 * operand and address size, and random everything else. Registers, flags, memory
 * and length are compared. What the CPU finds undefined must be invalid.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "harness.h"

/* Within reach of 32-bit absolute and RIP-relative addresses. */
#define DATA		0x10000000UL
#define DATA_PAGES	4
#define CODE		0x20000000UL
/* Operands begin here at the latest, strings run at most that far either way. */
#define MARGIN		1024UL

#define CARRY_TO_OVERFLOW	0xcd5

enum immediate { NOTHING, BYTE, OPERAND_SIZE, ADDRESS };

static const struct form {
	const char *name;
	u8 opcode[3];
	u8 opcode_bytes;
	bool modrm;
	enum immediate immediate;
	const char *twin;	/* same effect and length, for CPUs without it */
} all_forms[] = {
	{ "mov Eb,Gb", { 0x88 }, 1, true, NOTHING, NULL },
	{ "mov Ev,Gv", { 0x89 }, 1, true, NOTHING, NULL },
	{ "mov Gb,Eb", { 0x8a }, 1, true, NOTHING, NULL },
	{ "mov Gv,Ev", { 0x8b }, 1, true, NOTHING, NULL },
	{ "mov Eb,Ib", { 0xc6 }, 1, true, BYTE, NULL },
	{ "mov Ev,Iz", { 0xc7 }, 1, true, OPERAND_SIZE, NULL },
	{ "mov AL,Ob", { 0xa0 }, 1, false, ADDRESS, NULL },
	{ "mov rAX,Ov", { 0xa1 }, 1, false, ADDRESS, NULL },
	{ "mov Ob,AL", { 0xa2 }, 1, false, ADDRESS, NULL },
	{ "mov Ov,rAX", { 0xa3 }, 1, false, ADDRESS, NULL },
	{ "movzx Gv,Eb", { 0x0f, 0xb6 }, 2, true, NOTHING, NULL },
	{ "movzx Gv,Ew", { 0x0f, 0xb7 }, 2, true, NOTHING, NULL },
	{ "movsx Gv,Eb", { 0x0f, 0xbe }, 2, true, NOTHING, NULL },
	{ "movsx Gv,Ew", { 0x0f, 0xbf }, 2, true, NOTHING, NULL },
	{ "movsxd Gv,Ed", { 0x63 }, 1, true, NOTHING, NULL },
	{ "movs Xb,Yb", { 0xa4 }, 1, false, NOTHING, NULL },
	{ "movs Xv,Yv", { 0xa5 }, 1, false, NOTHING, NULL },
	{ "stos Yb,AL", { 0xaa }, 1, false, NOTHING, NULL },
	{ "stos Yv,rAX", { 0xab }, 1, false, NOTHING, NULL },
	{ "movnti My,Gy", { 0x0f, 0xc3 }, 2, true, NOTHING, NULL },
	{ "movbe Gv,Mv", { 0x0f, 0x38, 0xf0 }, 3, true, NOTHING, NULL },
	{ "movbe Mv,Gv", { 0x0f, 0x38, 0xf1 }, 3, true, NOTHING, NULL },
	{ "movdiri My,Gy", { 0x0f, 0x38, 0xf9 }, 3, true, NOTHING, "\x2e\x0f\xc3" },
};

#define FORMS (sizeof(all_forms) / sizeof(*all_forms))

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

static unsigned long *register_of(struct pt_regs *regs, unsigned int number)
{
	return (unsigned long *)((u8 *)regs + register_offset[number & 15]);
}

/* A case: the instruction, and registers that make it point into DATA. */
struct test {
	const struct form *form;
	u8 bytes[24];
	unsigned int count;
	unsigned int opcode_at;
	bool narrow;		/* 32-bit addresses */
	u64 segment_base;	/* of what the prefixes select */
	struct native native;
};

static u8 *code;
static u8 copy[DATA_PAGES * PAGE];

static void put(struct test *test, u64 value, unsigned int bytes)
{
	memcpy(&test->bytes[test->count], &value, bytes);
	test->count += bytes;
}

/* Some address for an operand, without the segment's base. */
static u64 target(const struct test *test)
{
	return DATA + MARGIN + random_below(DATA_PAGES * PAGE - 2 * MARGIN) - test->segment_base;
}

/* With 32-bit addresses the upper half of a register is of no account. */
static void point(struct test *test, unsigned int number, u64 value)
{
	if (test->narrow)
		value = (u32)value | random_bits() << 32;
	*register_of(&test->native.regs, number) = value;
}

static s64 random_displacement(unsigned int bytes)
{
	/* Small enough to be taken from any target. */
	s64 value = (s64)random_bits() >> 40;

	return bytes == 1 ? (int8_t)value : value;
}

/*
 * Appends SIB byte and displacement to a ModRM byte and sets the registers. Where
 * the displacement is all there is, and is relative to an end not yet known, its
 * place is returned.
 */
static unsigned int put_memory(struct test *test, u8 modrm, u8 rex)
{
	static u8 next_sib;
	unsigned int mod = modrm >> 6, base = (modrm & 7) | (rex & 1) << 3, index = 4, scale = 0;
	unsigned int displacement_bytes = mod == 1 ? 1 : mod == 2 ? 4 : 0;
	bool has_base = true;
	u64 address = target(test);
	s64 displacement;

	if ((modrm & 7) == 4) {
		u8 sib = next_sib++;

		put(test, sib, 1);
		scale = sib >> 6;
		index = (sib >> 3 & 7) | (rex & 2) << 2;
		base = (sib & 7) | (rex & 1) << 3;
		has_base = mod != 0 || (sib & 7) != 5;
	} else if ((modrm & 7) == 5 && mod == 0) {
		put(test, address, 4);
		return test->count - 4;
	}
	if (!has_base && index == 4) {
		put(test, address, 4);
		return 0;
	}

	if (!has_base)
		displacement_bytes = 4;
	displacement = displacement_bytes ? random_displacement(displacement_bytes) : 0;
	put(test, displacement, displacement_bytes);
	address -= displacement;
	if (index == 4)
		point(test, base, address);
	else if (!has_base)
		point(test, index, address >> scale);
	else if (base == index)
		point(test, base, address / (1 + (1 << scale)));
	else
		point(test, base, address - (*register_of(&test->native.regs, index) << scale));
	return 0;
}

static void put_prefixes(struct test *test, bool string, bool operand_size)
{
	static const u8 flat[] = { 0x26, 0x2e, 0x36, 0x3e };
	unsigned int i;

	test->segment_base = 0;
	for (i = random_below(4) ? 0 : random_below(3); i; i--) {
		if (random_below(2)) {
			put(test, flat[random_below(4)], 1);
		} else if (random_below(2)) {
			put(test, 0x64, 1);
			test->segment_base = test->native.fs_base;
		} else {
			put(test, 0x65, 1);
			test->segment_base = test->native.gs_base;
		}
	}
	if (operand_size)
		put(test, 0x66, 1);
	if (test->narrow)
		put(test, 0x67, 1);
	if (!random_below(string ? 2 : 64))
		put(test, 0xf2, 1);
	if (!random_below(string ? 2 : 64))
		put(test, 0xf3, 1);
	if (!random_below(256))
		put(test, 0xf0, 1);
	/* One that does not count, since it does not stand before the opcode. */
	if (!random_below(64)) {
		put(test, 0x40 | random_below(16), 1);
		put(test, flat[random_below(4)], 1);
	}
}

static void prepare(struct test *test, const struct form *form, u8 modrm, u8 rex, bool operand_size,
		    bool narrow)
{
	unsigned int relative = 0, i;
	bool string = !form->modrm && form->immediate == NOTHING;
	bool wide = rex & 8;

	*test = (struct test){ .form = form, .narrow = narrow };
	for (i = 0; i < 16; i++)
		*register_of(&test->native.regs, i) = random_bits();
	test->native.fs_base = random_below(1 << 20);
	test->native.gs_base = random_below(1 << 20);
	test->native.regs.flags = 0x202 | (random_bits() & CARRY_TO_OVERFLOW);

	put_prefixes(test, string, operand_size);
	if (rex)
		put(test, rex, 1);
	test->opcode_at = test->count;
	memcpy(&test->bytes[test->count], form->opcode, form->opcode_bytes);
	test->count += form->opcode_bytes;
	if (form->modrm) {
		put(test, modrm, 1);
		if (modrm < 0xc0)
			relative = put_memory(test, modrm, rex);
	}
	if (form->immediate == BYTE)
		put(test, random_bits(), 1);
	else if (form->immediate == OPERAND_SIZE)
		put(test, random_bits(), operand_size && !wide ? 2 : 4);
	else if (form->immediate == ADDRESS)
		put(test, target(test), narrow ? 4 : 8);

	if (string) {
		u64 base = test->segment_base;

		point(test, 6, target(test));
		test->segment_base = 0;
		point(test, 7, target(test));
		/* Now and then they overlap. */
		if (!random_below(4))
			point(test, 7, *register_of(&test->native.regs, 6) + base +
					       random_below(17) - 8);
		/* Vendors differ in what is left above a 32-bit count of 0. */
		point(test, 1, test->narrow ? 1 + random_below(24) : random_below(24));
		test->segment_base = base;
	}
	test->native.regs.ip = CODE;
	if (relative) {
		u32 distance;

		memcpy(&distance, &test->bytes[relative], 4);
		distance -= CODE + test->count;
		memcpy(&test->bytes[relative], &distance, 4);
	}
}

/* Runs it up to the breakpoint behind it. */
static void run(struct test *test)
{
	memset(code, 0xcc, 32);
	memcpy(code, test->bytes, test->count);
	native_run(&test->native);
	if (test->native.trap == TRAP_UNDEFINED && test->form->twin) {
		memcpy(&code[test->opcode_at], test->form->twin, test->form->opcode_bytes);
		native_run(&test->native);
	}
	if (test->native.trap == TRAP_BREAKPOINT)
		test->native.regs.ip--;
	else if (test->count > BARKEEP_INSTRUCTION_MAX && test->native.trap == TRAP_PROTECTION)
		test->native.trap = TRAP_UNDEFINED;
	else if (test->native.trap != TRAP_UNDEFINED)
		fail(test->bytes, test->count, "%s: the test itself is wrong: trap %llu at %llx",
		     test->form->name, test->native.trap, test->native.address);
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

static void emulate(const struct test *test, const struct barkeep_instruction *insn,
		    struct pt_regs *regs)
{
	const u64 bases[] = { 0, test->native.fs_base, test->native.gs_base };
	u64 base = bases[insn->segment], value = 0, mask = insn->address_mask;
	bool backward = regs->flags & X86_EFLAGS_DF;
	unsigned long done, step;

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

static void compare(const struct test *test, struct pt_regs *regs)
{
	struct pt_regs *native = (struct pt_regs *)&test->native.regs;
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
	if ((native->flags ^ regs->flags) & CARRY_TO_OVERFLOW)
		fail(test->bytes, test->count, "%s: flags %lx, should be %lx", test->form->name,
		     regs->flags, native->flags);
	if (!memcmp(data, copy, sizeof(copy)))
		return;
	for (i = 0; data[i] == copy[i]; i++)
		;
	fail(test->bytes, test->count, "%s: memory at %lx is %02x, should be %02x",
	     test->form->name, DATA + i, copy[i], data[i]);
}

/* Returns whether something was emulated. */
static bool check(struct test *test)
{
	struct pt_regs regs = test->native.regs;
	struct barkeep_instruction insn;
	int error;

	run(test);
	error = barkeep_decode(test->bytes, test->count, &insn);
	if (test->native.trap == TRAP_UNDEFINED) {
		/* XABORT and XBEGIN share opcodes with MOV. */
		if (!error && insn.operation != BARKEEP_OP_NONE)
			fail(test->bytes, test->count, "%s: valid, should be invalid",
			     test->form->name);
		return false;
	}
	if (error)
		fail(test->bytes, test->count, "%s: invalid, should be %lu bytes",
		     test->form->name, test->native.regs.ip - CODE);
	if (insn.operation == BARKEEP_OP_NONE) {
		if (insn.length != test->native.regs.ip - CODE)
			fail(test->bytes, test->count, "%s: length %u, should be %lu",
			     test->form->name, insn.length, test->native.regs.ip - CODE);
		return false;
	}
	emulate(test, &insn, &regs);
	compare(test, &regs);
	return true;
}

void forms(unsigned int rounds)
{
	int file = memfd_create("code", 0);
	unsigned int total = 0, minimum = ~0U, i, round, number;
	u8 *data;

	if ((u64)forms < 1UL << 32 || ftruncate(file, PAGE)) {
		perror("the program must be position-independent");
		exit(2);
	}
	code = map_pages(0, 1, PROT_READ | PROT_WRITE, file);
	map_pages(CODE, 1, PROT_READ | PROT_EXEC, file);
	data = map_pages(DATA, DATA_PAGES, PROT_READ | PROT_WRITE, -1);
	for (i = 0; i < sizeof(copy); i++)
		copy[i] = random_bits() >> 32;
	memcpy(data, copy, sizeof(copy));

	for (i = 0; i < FORMS; i++) {
		unsigned int count = 0;

		/* ModRM (8 bits), size prefixes (2), REX: none or one of sixteen. */
		for (round = 0; round < rounds; round++) {
			for (number = 0; number < 1024 * 17; number++) {
				unsigned int rex = number / 1024;
				struct test test;

				prepare(&test, &all_forms[i], number, rex ? 0x3f + rex : 0,
					number & 256, number & 512);
				count += check(&test);
			}
		}
		total += count;
		if (count < minimum)
			minimum = count;
	}
	printf("forms %zu emulated %u least %u\n", FORMS, total, minimum);
}
