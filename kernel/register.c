// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses to pages with declared registers. Runs where access.c does: in any context
 * but NMI, and it takes no lock.
 *
 * A register's value is in the BAR's backing memory, where the model and other CPUs
 * change it at the same time. So every change is one compare-and-swap of the 8 aligned
 * bytes that the register is in. Somebody who changes them all the time could have
 * that fail for ever; after some tries the change is made with one AND and one OR,
 * which cannot fail and lose no bit either, but let others see the value in between.
 */
#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/mm.h>

#include "decode_bits.h"
#include "ring.h"

#define REGISTER_TRIES	64

/* A load or store of a driver. */
struct register_access {
	struct barkeep_bar_memory *bar;
	u64 offset;
	unsigned int width;
};

/* The 8 bytes around what is at @offset; they contain all of its register. */
static u64 *register_memory(const struct barkeep_bar_memory *bar, u64 offset)
{
	return &bar->registers[offset >> PAGE_SHIFT].memory[offset_in_page(offset) / sizeof(u64)];
}

/* Its first bit in them. */
static unsigned int register_bit(u64 offset)
{
	return 8 * (offset % sizeof(u64));
}

/* What was there before it lost its bits of @clear and got those of @set. */
static u64 memory_change(u64 *memory, u64 clear, u64 set)
{
	u64 old = READ_ONCE(*memory);
	unsigned int n;

	for (n = 0; n < REGISTER_TRIES; n++) {
		u64 new = (old & ~clear) | set;

		if (new == old || try_cmpxchg(memory, &old, new))
			return old;
	}
	/* Bits that were set after this look are not among what it clears. */
	atomic64_and(~(old & clear), (atomic64_t *)memory);
	atomic64_or(set, (atomic64_t *)memory);
	return old;
}

static const struct barkeep_register *register_declared(const struct barkeep_bar_memory *bar,
							u64 offset)
{
	const u16 *numbers = bar->registers[offset >> PAGE_SHIFT].numbers;
	u16 number = numbers[offset_in_page(offset) >> bar->register_shift];

	return number ? &bar->declared[number - 1] : NULL;
}

/* The one that byte @at of the access is in, unless it does not take such accesses. */
static const struct barkeep_register *register_accessed(const struct register_access *access,
							u64 at)
{
	const struct barkeep_register *reg = register_declared(access->bar, at);

	if (!reg || !(reg->flags & BARKEEP_REGISTER_EXACT))
		return reg;
	if (access->width != reg->width || !IS_ALIGNED(access->offset, reg->width))
		return NULL;
	return reg;
}

/* Bits of the register below the byte at @offset. */
static unsigned int register_shift(const struct barkeep_register *reg, u64 offset)
{
	return 8 * (offset & (reg->width - 1));
}

/* Whether an access is of nothing but this register: what nearly all are. */
static bool register_takes(const struct barkeep_register *reg, u64 offset, unsigned int width)
{
	if (unlikely(register_shift(reg, offset) + 8 * width > 8 * reg->width))
		return false;
	return !(reg->flags & BARKEEP_REGISTER_EXACT) || width == reg->width;
}

/*
 * Bytes of no register, from @at on. An event has a width of 1, 2, 4 or 8, so what is
 * not the whole access is cut into aligned pieces.
 */
static unsigned int undeclared_length(const struct register_access *access, u64 at)
{
	u64 end = access->offset + access->width;
	unsigned int run = 1;

	while (at + run < end && !register_accessed(access, at + run))
		run++;
	return run == access->width ? run : barkeep_access_piece(at, run);
}

/* The register, or NULL, that byte @at is in, and how many bytes from there on. */
static const struct barkeep_register *register_part(const struct register_access *access, u64 at,
						    unsigned int *length)
{
	const struct barkeep_register *reg = register_accessed(access, at);
	u64 end = access->offset + access->width;

	if (reg)
		*length = min((at | (reg->width - 1)) + 1, end) - at;
	else
		*length = undeclared_length(access, at);
	return reg;
}

/* Whether an access that begins in no register is of none at all. */
static bool register_none(const struct barkeep_bar_memory *bar, u64 offset, unsigned int width)
{
	const u16 *numbers = bar->registers[offset >> PAGE_SHIFT].numbers;
	unsigned int first = offset_in_page(offset) >> bar->register_shift;
	unsigned int last = (offset_in_page(offset) + width - 1) >> bar->register_shift;

	while (first < last) {
		if (numbers[++first])
			return false;
	}
	return true;
}

/*
 * From here on an access is of @width bytes at @offset that are in @reg. Of its event,
 * offset and width are the register's.
 */
static struct barkeep_event register_event(const struct barkeep_bar_memory *bar,
					   const struct barkeep_register *reg, u64 offset,
					   unsigned int width)
{
	unsigned int shift = register_shift(reg, offset);

	return (struct barkeep_event){
		.bar = bar->number,
		.width = reg->width,
		.offset = offset - shift / 8,
		.slot = BARKEEP_NO_SLOT,
		.reg = reg - bar->declared + 1,
		.byte_enables = GENMASK(width - 1, 0) << shift / 8,
	};
}

/* As the model answers it. */
static u64 register_ask(struct barkeep_bar_memory *bar, const struct barkeep_register *reg,
			u64 offset, unsigned int width, struct barkeep_patience *patience)
{
	struct barkeep_event event = register_event(bar, reg, offset, width);

	event.kind = BARKEEP_EVENT_READ;
	return barkeep_completion_read(bar->dev, &event, patience) >> register_shift(reg, offset);
}

static u64 register_look(const struct barkeep_register *reg, u64 offset, u64 memory)
{
	unsigned int shift = register_shift(reg, offset);

	return (memory >> register_bit(offset) & (reg->readable >> shift)) |
	       ((reg->reset & ~reg->readable) >> shift);
}

/* Not inlined, nor is register_tell(): what needs no event needs no stack. */
static noinline u64 register_tell_read(struct barkeep_bar_memory *bar,
				       const struct barkeep_register *reg, u64 offset,
				       unsigned int width, u64 value,
				       struct barkeep_patience *patience)
{
	struct barkeep_event event = register_event(bar, reg, offset, width);

	event.kind = BARKEEP_EVENT_READ;
	event.value = (value & mask_of(width)) << register_shift(reg, offset);
	barkeep_ring_post(bar->dev, &event, patience);
	return value;
}

/* As the kernel answers it. */
static u64 register_load(struct barkeep_bar_memory *bar, const struct barkeep_register *reg,
			 u64 offset, unsigned int width, struct barkeep_patience *patience)
{
	unsigned int shift = register_shift(reg, offset), bit = register_bit(offset);
	u64 clear = (reg->read_clear >> shift & mask_of(width)) << bit;
	u64 set = (reg->read_set >> shift & mask_of(width)) << bit;
	u64 value = register_look(reg, offset,
				  memory_change(register_memory(bar, offset), clear, set));

	if (reg->flags & BARKEEP_REGISTER_TELL_READ)
		return register_tell_read(bar, reg, offset, width, value, patience);
	return value;
}

static void register_store(struct barkeep_bar_memory *bar, const struct barkeep_register *reg,
			   u64 offset, unsigned int width, u64 value)
{
	unsigned int shift = register_shift(reg, offset), bit = register_bit(offset);
	u64 write = reg->write >> shift;
	u64 clear = write | (reg->write_one_clear >> shift & value) |
		    (reg->write_zero_clear >> shift & ~value);
	u64 set = (write | reg->write_one_set >> shift) & value;

	memory_change(register_memory(bar, offset), (clear & mask_of(width)) << bit,
		      set << bit);
}

static noinline void register_tell(struct barkeep_bar_memory *bar,
				   const struct barkeep_register *reg, u64 offset,
				   unsigned int width, u64 value,
				   struct barkeep_patience *patience)
{
	struct barkeep_event event = register_event(bar, reg, offset, width);

	event.kind = BARKEEP_EVENT_WRITE;
	event.value = value << register_shift(reg, offset);
	if (reg->flags & BARKEEP_REGISTER_WAIT_WRITE)
		barkeep_completion_write(bar->dev, &event, patience);
	else
		barkeep_ring_post(bar->dev, &event, patience);
}

static void register_write(struct barkeep_bar_memory *bar, const struct barkeep_register *reg,
			   u64 offset, unsigned int width, u64 value,
			   struct barkeep_patience *patience)
{
	register_store(bar, reg, offset, width, value);
	if (!(reg->flags & BARKEEP_REGISTER_PLAIN_WRITE))
		register_tell(bar, reg, offset, width, value, patience);
}

static noinline u64 read_by_parts(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
				  struct barkeep_patience *patience)
{
	const struct register_access access = { bar, offset, width };
	const struct barkeep_register *reg;
	unsigned int done, length;
	u64 at, part, value = 0;

	for (done = 0; done < width; done += length) {
		at = offset + done;
		reg = register_part(&access, at, &length);
		if (!reg)
			part = barkeep_trap_read(bar, at, length, patience);
		else if (reg->flags & BARKEEP_REGISTER_WAIT_READ)
			part = register_ask(bar, reg, at, length, patience);
		else
			part = register_load(bar, reg, at, length, patience);
		value |= (part & mask_of(length)) << (8 * done);
	}
	return value;
}

static noinline void write_by_parts(struct barkeep_bar_memory *bar, u64 offset,
				    unsigned int width, u64 value,
				    struct barkeep_patience *patience)
{
	const struct register_access access = { bar, offset, width };
	const struct barkeep_register *reg;
	unsigned int done, length;
	u64 at, part;

	for (done = 0; done < width; done += length) {
		at = offset + done;
		reg = register_part(&access, at, &length);
		part = value >> (8 * done) & mask_of(length);
		if (reg)
			register_write(bar, reg, at, length, part, patience);
		else
			barkeep_trap_write(bar, at, length, part, patience);
	}
}

/* The caller cuts off what is above @width. */
u64 barkeep_register_read(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			  struct barkeep_patience *patience)
{
	const struct barkeep_register *reg = register_declared(bar, offset);

	if (likely(reg && register_takes(reg, offset, width))) {
		if (likely(reg->flags & BARKEEP_REGISTER_PLAIN_READ))
			return register_look(reg, offset,
					     READ_ONCE(*register_memory(bar, offset)));
		if (!(reg->flags & BARKEEP_REGISTER_WAIT_READ))
			return register_load(bar, reg, offset, width, patience);
	}
	if (!reg && register_none(bar, offset, width))
		return barkeep_trap_read(bar, offset, width, patience);
	return read_by_parts(bar, offset, width, patience);
}

void barkeep_register_write(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			    u64 value, struct barkeep_patience *patience)
{
	const struct barkeep_register *reg = register_declared(bar, offset);

	if (likely(reg && register_takes(reg, offset, width)))
		register_write(bar, reg, offset, width, value, patience);
	else if (!reg && register_none(bar, offset, width))
		barkeep_trap_write(bar, offset, width, value, patience);
	else
		write_by_parts(bar, offset, width, value, patience);
}

/*
 * All registers as they are after plug. Also under config.lock, with interrupts off,
 * but for BARKEEP_ELEMENTS_MAX changes at most.
 */
void barkeep_registers_reset(struct barkeep_device *dev)
{
	const struct barkeep_registers *registers = &dev->registers;
	u32 n, element;

	for (n = 0; n < registers->count; n++) {
		const struct barkeep_register *reg = &registers->declared[n];
		u64 offset = reg->offset;

		for (element = 0; element < reg->count; element++, offset += reg->stride)
			memory_change(register_memory(&dev->bars[reg->bar], offset),
				      mask_of(reg->width) << register_bit(offset),
				      reg->reset << register_bit(offset));
	}
}
