// SPDX-License-Identifier: GPL-2.0-only
/*
 * The decoder. Runs within a page fault, in any context: no state, no locks, no
 * allocation, and nothing of the kernel's is called. What the bytes mean is data, in
 * decode_table.c; here is only how an instruction is put together.
 */

#include "decode.h"
#include "decode_alu.h"
#include "decode_bits.h"
#include "decode_table.h"

#define REX_B		1
#define REX_X		2
#define REX_R		4
#define REX_W		8
#define REX_PRESENT	0x40

/**
 * struct stream - the bytes being decoded
 * @bytes: the first
 * @count: how many there are
 * @at: how many are taken
 * @overrun: more were wanted than there are
 *
 * After an overrun all that is taken reads as 0, so that who takes need not check
 * each time, only once before the result is used.
 */
struct stream {
	const u8 *bytes;
	unsigned int count;
	unsigned int at;
	bool overrun;
};

static u64 take(struct stream *stream, unsigned int bytes)
{
	u64 value = 0;
	unsigned int i;

	if (stream->overrun || bytes > stream->count - stream->at) {
		stream->overrun = true;
		return 0;
	}
	for (i = 0; i < bytes; i++)
		value |= (u64)stream->bytes[stream->at++] << (8 * i);
	return value;
}

static s64 take_signed(struct stream *stream, unsigned int bytes)
{
	return bytes ? sign_extend(take(stream, bytes), bytes) : 0;
}

/**
 * struct encoding - what stands before the ModRM byte
 * @operand_size: prefix 66
 * @address_size: prefix 67
 * @lock: prefix F0
 * @repeat: prefix F2 or F3, whichever is last, or 0
 * @segment: enum barkeep_segment
 * @rex: REX prefix, or the same bits from a VEX or EVEX prefix; 0 for none
 * @vector: has a VEX or EVEX prefix
 * @map: enum barkeep_opcode_map
 * @prefix: enum barkeep_mandatory_prefix
 * @opcode: the opcode
 */
struct encoding {
	bool operand_size;
	bool address_size;
	bool lock;
	u8 repeat;
	u8 segment;
	u8 rex;
	bool vector;
	u8 map;
	u8 prefix;
	u8 opcode;
};

/* Returns the first byte that is no prefix. */
static u8 take_prefixes(struct stream *stream, struct encoding *encoding)
{
	for (;;) {
		u8 byte = take(stream, 1);

		switch (byte) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			break;
		case 0x64:
			encoding->segment = BARKEEP_SEGMENT_FS;
			break;
		case 0x65:
			encoding->segment = BARKEEP_SEGMENT_GS;
			break;
		case 0x66:
			encoding->operand_size = true;
			break;
		case 0x67:
			encoding->address_size = true;
			break;
		case 0xf0:
			encoding->lock = true;
			break;
		case 0xf2:
		case 0xf3:
			encoding->repeat = byte;
			break;
		case 0x40 ... 0x4f:
			encoding->rex = byte;
			continue;
		default:
			return byte;
		}
		/* A REX prefix counts only where the opcode follows it. */
		encoding->rex = 0;
	}
}

/* VEX and EVEX hold R, X and B inverted in bits 7:5, and W in bit 7 of the next. */
static u8 rex_of(u8 inverted, u8 w)
{
	return REX_PRESENT | (w >> 7) * REX_W | (~inverted >> 5 & 7);
}

/* Takes the rest of a VEX or EVEX prefix and the opcode; false if it is invalid. */
static bool take_vector(struct stream *stream, u8 byte, struct encoding *encoding)
{
	u8 first = take(stream, 1);
	u8 second = byte == 0xc5 ? first & 0x7f : take(stream, 1);

	if (encoding->rex || encoding->operand_size || encoding->lock || encoding->repeat)
		return false;
	encoding->vector = true;
	encoding->prefix = second & 3;
	switch (byte) {
	case 0xc5:
		encoding->rex = rex_of(first | 0x60, 0);
		encoding->map = BARKEEP_MAP_0F;
		break;
	case 0xc4:
		encoding->rex = rex_of(first, second);
		encoding->map = first & 0x1f;
		if (encoding->map > BARKEEP_MAP_0F3A)
			return false;
		break;
	default:
		/* Bits that are fixed, in EVEX as it is without APX. */
		if (first & 8 || !(second & 4))
			return false;
		encoding->rex = rex_of(first, second);
		encoding->map = first & 7;
		take(stream, 1);
		break;
	}
	encoding->opcode = take(stream, 1);
	return true;
}

/* Takes the opcode with all that precedes it; false if it is invalid. */
static bool take_opcode(struct stream *stream, struct encoding *encoding)
{
	u8 byte = take_prefixes(stream, encoding);

	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62)
		return take_vector(stream, byte, encoding);

	if (encoding->repeat)
		encoding->prefix = encoding->repeat == 0xf3 ? BARKEEP_PREFIX_F3 : BARKEEP_PREFIX_F2;
	else if (encoding->operand_size)
		encoding->prefix = BARKEEP_PREFIX_66;

	if (byte == 0x0f) {
		encoding->map = BARKEEP_MAP_0F;
		byte = take(stream, 1);
		if (byte == 0x38 || byte == 0x3a) {
			encoding->map = byte == 0x38 ? BARKEEP_MAP_0F38 : BARKEEP_MAP_0F3A;
			byte = take(stream, 1);
		}
	}
	encoding->opcode = byte;
	return true;
}

/* Takes what follows the ModRM byte of a memory operand. */
static void take_memory(struct stream *stream, u8 modrm, u8 rex, struct barkeep_instruction *insn)
{
	unsigned int mod = modrm >> 6;
	u8 base = modrm & 7;

	if (base == BARKEEP_REGISTER_SP) {
		u8 sib = take(stream, 1);
		u8 index = (sib >> 3 & 7) | (rex & REX_X ? 8 : 0);

		base = sib & 7;
		insn->index = index == BARKEEP_REGISTER_SP ? BARKEEP_REGISTER_NONE : index;
		insn->scale = sib >> 6;
		if (base == BARKEEP_REGISTER_BP && mod == 0)
			base = BARKEEP_REGISTER_NONE;
	} else if (base == BARKEEP_REGISTER_BP && mod == 0) {
		base = BARKEEP_REGISTER_IP;
	}
	if (base < 8 && rex & REX_B)
		base |= 8;
	insn->base = base;

	if (mod == 1)
		insn->displacement = take_signed(stream, 1);
	else if (mod == 2 || base == BARKEEP_REGISTER_IP || base == BARKEEP_REGISTER_NONE)
		insn->displacement = take_signed(stream, 4);
}

/* COMPUTE where nothing but a register, if that, is written. */
static void describe_alu(const struct encoding *encoding, const struct barkeep_form *form, u8 reg,
			 struct barkeep_instruction *insn)
{
	insn->alu = form->alu;
	if (form->flags & FORM_ALU_OPCODE)
		insn->alu += encoding->opcode >> 3 & 7;
	if (form->flags & FORM_ALU_REG)
		insn->alu += reg & 7;
	insn->to_register = form->flags & FORM_TO_REGISTER;
	insn->bit_string = form->flags & FORM_BIT_STRING;
	if (insn->to_register || !(barkeep_alu_changes(insn->alu) & BARKEEP_ALU_DESTINATION))
		insn->operation = BARKEEP_OP_COMPUTE;
}

/* Prefix 66 is no operand size there. */
static void describe_vector(const struct encoding *encoding, const struct barkeep_form *form,
			    u8 reg, struct barkeep_instruction *insn)
{
	insn->operation = form->operation;
	insn->width = form->width;
	if (!insn->width)
		insn->width = encoding->rex & REX_W ? 8 : 4;
	insn->reg = reg;
	insn->segment = encoding->segment;
}

/* Which register, how wide, and what is done on the way. */
static void describe(const struct encoding *encoding, const struct barkeep_form *form, u8 reg,
		     unsigned int operand_bytes, struct barkeep_instruction *insn)
{
	insn->operation = form->operation;
	insn->width = form->width ? form->width : operand_bytes;
	insn->register_width = form->flags & FORM_EXTEND ? operand_bytes : insn->width;
	/* MOVSXD to a 16-bit register */
	if (insn->width > insn->register_width)
		insn->width = insn->register_width;

	insn->reg = form->flags & FORM_ACCUMULATOR ? BARKEEP_REGISTER_AX : reg;
	if (insn->register_width == 1 && !encoding->rex && insn->reg >= 4) {
		insn->reg -= 4;
		insn->high_byte = true;
	}
	insn->from_immediate = form->flags & FORM_IMMEDIATE;
	insn->sign_extend = form->flags & FORM_SIGN;
	insn->byte_swap = form->flags & FORM_SWAP;
	if (form->operation == BARKEEP_OP_MODIFY)
		describe_alu(encoding, form, reg, insn);

	if (form->operation == BARKEEP_OP_MOVS || form->operation == BARKEEP_OP_STOS)
		insn->rep = encoding->repeat;
	/* The destination of string instructions is in ES whatever the prefix. */
	insn->segment = form->operation == BARKEEP_OP_STOS ? BARKEEP_SEGMENT_FLAT :
							     encoding->segment;
}

/**
 * barkeep_decode() - decode one instruction of 64-bit mode
 * @bytes: where the instruction begins
 * @count: how many bytes can be read
 * @insn: the result
 *
 * Returns 0, or -EINVAL when the bytes are no complete valid instruction. With
 * BARKEEP_OP_NONE an all-ones barkeep_insn_load() is what the instruction would
 * leave in its register had the access read all-ones, where that register is
 * known; flags are not set.
 */
int barkeep_decode(const u8 *bytes, unsigned int count, struct barkeep_instruction *insn)
{
	struct stream stream = {
		.bytes = bytes,
		.count = count < BARKEEP_INSTRUCTION_MAX ? count : BARKEEP_INSTRUCTION_MAX,
	};
	struct encoding encoding = {};
	const struct barkeep_form *form;
	unsigned int operand_size = 1;	/* log2 of bytes */
	u8 modrm = 0;
	u8 reg = 0;
	bool memory;

	*insn = (struct barkeep_instruction){
		.base = BARKEEP_REGISTER_NONE,
		.index = BARKEEP_REGISTER_NONE,
	};

	if (!take_opcode(&stream, &encoding) || stream.overrun)
		return -EINVAL;
	form = encoding.vector ? barkeep_form_vector(encoding.map, encoding.opcode) :
				 barkeep_form(encoding.map, encoding.opcode, encoding.prefix);
	if (form && form->flags & FORM_MODRM) {
		modrm = take(&stream, 1);
		reg = (modrm >> 3 & 7) | (encoding.rex & REX_R ? 8 : 0);
		form = barkeep_form_reg(form, reg);
	}
	if (!form)
		return -EINVAL;

	memory = form->flags & FORM_MODRM && modrm < 0xc0 &&
		 !(form->flags & FORM_MODRM_IS_REGISTER);
	if (form->flags & (memory ? FORM_REGISTER_ONLY : FORM_MEMORY_ONLY) ||
	    (encoding.lock && !(memory && form->flags & FORM_LOCK)))
		return -EINVAL;

	insn->address_mask = mask_of(encoding.address_size ? 4 : 8);
	if (memory)
		take_memory(&stream, modrm, encoding.rex, insn);
	else if (form->flags & FORM_OFFSET)
		insn->displacement = take(&stream, encoding.address_size ? 4 : 8);

	if (encoding.rex & REX_W)
		operand_size = 3;
	else if (!encoding.operand_size)
		operand_size = 2;
	insn->immediate = take_signed(&stream, form->immediate[operand_size - 1]);
	if (stream.overrun)
		return -EINVAL;

	insn->length = stream.at;
	if (insn->base == BARKEEP_REGISTER_IP)
		insn->displacement += insn->length;
	/* Registers alone are nothing to emulate. */
	if (form->flags & FORM_MODRM && !memory)
		return 0;
	if (form->flags & FORM_VECTOR)
		describe_vector(&encoding, form, reg, insn);
	else if (form->operation != BARKEEP_OP_NONE || form->flags & FORM_DESTINATION)
		describe(&encoding, form, reg, 1U << operand_size, insn);
	return 0;
}
