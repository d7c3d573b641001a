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
#include "../../kernel/decode_alu.h"
#include "forms.h"

static u8 *code;

static void put(struct test *test, u64 value, unsigned int bytes)
{
	memcpy(&test->bytes[test->count], &value, bytes);
	test->count += bytes;
}

/* Some address for an operand, without the segment's base. */
static u64 target(const struct test *test)
{
	u64 address = DATA + MARGIN + random_below(DATA_PAGES * PAGE - 2 * MARGIN);

	return (test->form->aligned ? address & ~15UL : address) - test->segment_base;
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

static void put_prefixes(struct test *test, bool operand_size)
{
	const struct form *form = test->form;
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
	if (!random_below(form->string ? 2 : 64))
		put(test, 0xf2, 1);
	if (!random_below(form->string ? 2 : 64))
		put(test, 0xf3, 1);
	if (!random_below(form->lock ? 2 : 256))
		put(test, 0xf0, 1);
	if (form->prefix)
		put(test, form->prefix, 1);
	/* One that does not count, since it does not stand before the opcode. */
	if (!random_below(64)) {
		put(test, 0x40 | random_below(16), 1);
		put(test, flat[random_below(4)], 1);
	}
}

/* Where carries and signs are, now and then. */
static u64 random_value(void)
{
	static const u64 special[] = {
		0, 1, 0xf, 0x10, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff,
		0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff,
	};

	return random_below(3) ? random_bits() : special[random_below(16)];
}

/* A bit's number that leads a little way off, but for what is above the operand. */
static void number_bit(struct test *test, unsigned int number, bool operand_size, bool wide)
{
	s64 bit = (s64)random_below(8 * MARGIN) - 4 * MARGIN;
	unsigned int bits = wide ? 64 : operand_size ? 16 : 32;

	if (bits < 64)
		bit = (bit & ~(~0ULL << bits)) | random_bits() << bits;
	*register_of(&test->native.regs, number) = bit;
}

static void prepare(struct test *test, const struct form *form, u8 modrm, u8 rex, bool operand_size,
		    bool narrow)
{
	unsigned int relative = 0, i;
	bool wide = rex & 8;

	*test = (struct test){ .form = form, .narrow = narrow };
	for (i = 0; i < 16; i++)
		*register_of(&test->native.regs, i) = random_value();
	for (i = 0; i < 16; i++) {
		test->native.vectors[i][0] = random_bits();
		test->native.vectors[i][1] = random_bits();
	}
	if (form->bit_string)
		number_bit(test, (modrm >> 3 & 7) | (rex & 4) << 1, operand_size, wide);
	test->native.fs_base = random_below(1 << 20);
	test->native.gs_base = random_below(1 << 20);
	test->native.regs.flags = 0x202 | (random_bits() & CARRY_TO_OVERFLOW);

	put_prefixes(test, operand_size);
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

	if (form->string) {
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
	else if (test->form->aligned && test->native.trap == TRAP_PROTECTION)
		return;
	else if (test->count > BARKEEP_INSTRUCTION_MAX && test->native.trap == TRAP_PROTECTION)
		test->native.trap = TRAP_UNDEFINED;
	else if (test->native.trap != TRAP_UNDEFINED)
		fail(test->bytes, test->count, "%s: the test itself is wrong: trap %llu at %llx",
		     test->form->name, test->native.trap, test->native.address);
}

/* Makes operands equal, or of a value where carries and signs are, now and then. */
static void prime(const struct test *test, const struct barkeep_instruction *insn)
{
	const u64 bases[] = { 0, test->native.fs_base, test->native.gs_base };
	const struct pt_regs *regs = &test->native.regs;
	const u64 values[] = { barkeep_insn_value(insn, regs), regs->ax, random_value() };
	u64 address = bases[insn->segment] + barkeep_insn_address(insn, regs);
	u64 value = values[random_below(3)];

	/* If it is not right, the comparison will tell. */
	if (address < DATA || address + insn->width > DATA + sizeof(copy) || random_below(2))
		return;
	memcpy((void *)address, &value, insn->width);
	memcpy(&copy[address - DATA], &value, insn->width);
}

/* Where the bit's number is part of the address, that leads anywhere. */
static bool leads_astray(const struct barkeep_instruction *insn)
{
	return insn->bit_string && (insn->reg == insn->base || insn->reg == insn->index);
}

/* Whether a prefix that was added at random has made another instruction of it. */
static bool is_another(const struct test *test)
{
	const struct form *form = test->form;
	unsigned int i;

	for (i = 0; i < test->opcode_at && form->opcode[0] == 0x0f; i++) {
		u8 byte = test->bytes[i];

		if ((byte == 0xf2 || byte == 0xf3) && byte != form->prefix)
			return true;
	}
	return false;
}

static bool has_memory_operand(const struct test *test)
{
	const struct form *form = test->form;

	return !form->modrm || test->bytes[test->opcode_at + form->opcode_bytes] < 0xc0;
}

/* Returns whether something was emulated. */
static bool check(struct test *test)
{
	struct native native = test->native;
	struct barkeep_instruction insn;
	int error;

	error = barkeep_decode(test->bytes, test->count, &insn);
	if (!error && leads_astray(&insn))
		return false;
	if (!error && (insn.operation == BARKEEP_OP_COMPUTE || insn.operation == BARKEEP_OP_MODIFY))
		prime(test, &insn);
	run(test);
	if (test->native.trap == TRAP_PROTECTION)
		return false;
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
		if (has_memory_operand(test) && !is_another(test))
			fail(test->bytes, test->count, "%s: not emulated", test->form->name);
		if (insn.length != test->native.regs.ip - CODE)
			fail(test->bytes, test->count, "%s: length %u, should be %lu",
			     test->form->name, insn.length, test->native.regs.ip - CODE);
		/* A prefix has made another instruction of it, which may have stored. */
		memcpy(copy, (const void *)DATA, sizeof(copy));
		return false;
	}
	emulate(test, &insn, &native);
	compare(test, &insn, &native);
	return true;
}

void forms(unsigned int rounds)
{
	int file = memfd_create("code", 0);
	unsigned int total = 0, least = 100, i, round, number;
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

	for (i = 0; i < form_count; i++) {
		unsigned int count = 0, members = 0;

		/* ModRM (8 bits), size prefixes (2), REX: none or one of sixteen. */
		for (round = 0; round < rounds; round++) {
			for (number = 0; number < 1024 * 17; number++) {
				unsigned int rex = number / 1024;
				struct test test;

				if (all_forms[i].members &&
				    !(all_forms[i].members >> (number >> 3 & 7) & 1))
					continue;
				members++;
				prepare(&test, &all_forms[i], number, rex ? 0x3f + rex : 0,
					number & 256, number & 512);
				count += check(&test);
			}
		}
		total += count;
		if (count * 100 / members < least)
			least = count * 100 / members;
	}
	printf("forms %u emulated %u least %u\n", form_count, total, least);
}
