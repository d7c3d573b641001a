// SPDX-License-Identifier: MIT
/*
 * What holds for any bytes. They stand at the very end of a page that an
 * inaccessible one follows, so that a read past them is a fault.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../../kernel/decode_alu.h"
#include "harness.h"

/* Seconds for this many cases, which take a fraction of one. */
#define BATCH_SECONDS	30
#define BATCH_CASES	100000

static u8 *end;
static u8 current[32];
static unsigned int current_count;

static void read_past(int number)
{
	(void)number;
	fail(current, current_count, "fault while decoding");
}

static void took_too_long(int number)
{
	(void)number;
	fail(current, current_count, "decoding does not end");
}

static int decode_at_end(const u8 *bytes, unsigned int count, struct barkeep_instruction *insn)
{
	memcpy(current, bytes, count);
	current_count = count;
	memcpy(end - count, bytes, count);
	return barkeep_decode(end - count, count, insn);
}

static bool same(const struct barkeep_instruction *a, const struct barkeep_instruction *b)
{
	return a->length == b->length && a->operation == b->operation && a->width == b->width &&
	       a->rep == b->rep && a->segment == b->segment &&
	       a->register_width == b->register_width && a->reg == b->reg &&
	       a->high_byte == b->high_byte && a->from_immediate == b->from_immediate &&
	       a->sign_extend == b->sign_extend && a->byte_swap == b->byte_swap &&
	       a->alu == b->alu && a->to_register == b->to_register &&
	       a->bit_string == b->bit_string &&
	       a->base == b->base && a->index == b->index && a->scale == b->scale &&
	       a->address_mask == b->address_mask && a->displacement == b->displacement &&
	       a->immediate == b->immediate;
}

static bool plausible(const struct barkeep_instruction *insn)
{
	bool vector = insn->operation == BARKEEP_OP_VECTOR_LOAD ||
		      insn->operation == BARKEEP_OP_VECTOR_STORE;
	bool width = insn->width == 1 || insn->width == 2 || insn->width == 4 ||
		     insn->width == 8 || (insn->width == 16 && vector);

	return insn->length && insn->length <= BARKEEP_INSTRUCTION_MAX &&
	       insn->operation <= BARKEEP_OP_VECTOR_STORE && (width || !insn->operation) &&
	       (vector ? !insn->register_width : insn->width <= insn->register_width) &&
	       insn->alu < BARKEEP_ALU_COUNT && insn->reg < 16 && insn->scale < 4;
}

/* Returns whether the bytes were an instruction. */
static bool check(u8 *bytes, unsigned int count)
{
	struct barkeep_instruction insn, again;
	unsigned int i;

	memset(&insn, 0x00, sizeof(insn));
	memset(&again, 0xff, sizeof(again));
	if (decode_at_end(bytes, count, &insn)) {
		if (!decode_at_end(bytes, count, &again))
			fail(bytes, count, "invalid at first, then valid");
		return false;
	}
	if (!plausible(&insn) || insn.length > count)
		fail(bytes, count, "length %u, operation %u, width %u", insn.length,
		     insn.operation, insn.width);

	/* The bytes of the instruction, and nothing else, say what it is. */
	for (i = insn.length; i < count; i++)
		bytes[i] = random_bits() >> 32;
	if (decode_at_end(bytes, count, &again) || !same(&insn, &again))
		fail(bytes, count, "depends on what follows its %u bytes", insn.length);
	if (decode_at_end(bytes, insn.length, &again) || !same(&insn, &again))
		fail(bytes, count, "%u bytes, but that many do not suffice", insn.length);
	for (i = 0; i < insn.length; i++)
		if (!decode_at_end(bytes, i, &again))
			fail(bytes, count, "%u bytes, but %u suffice", insn.length, i);
	return true;
}

void fuzz(unsigned int cases)
{
	u8 *pages = map_pages(0, 2, PROT_READ | PROT_WRITE, -1);
	unsigned int valid = 0, number, i;

	end = pages + PAGE;
	mprotect(end, PAGE, PROT_NONE);
	signal(SIGSEGV, read_past);
	signal(SIGBUS, read_past);
	signal(SIGALRM, took_too_long);

	for (number = 0; number < cases; number++) {
		unsigned int count = random_below(21);
		u8 bytes[32];

		if (number % BATCH_CASES == 0)
			alarm(BATCH_SECONDS);
		random_instruction(number, bytes);
		for (i = number & 1 ? 0 : BARKEEP_INSTRUCTION_MAX; i < count; i++)
			bytes[i] = random_bits() >> 32;
		valid += check(bytes, count);
	}
	alarm(0);
	printf("cases %u valid %u\n", cases, valid);
}
