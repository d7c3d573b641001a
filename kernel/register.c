// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses to pages with declared registers. Runs where access.c does: in any context
 * but NMI, and it takes no lock.
 *
 * A register's value is in the BAR's backing memory, where the model and other CPUs
 * change it at the same time. So every change is one compare-and-swap of the whole
 * register. Somebody who changes it all the time could have that fail for ever; after
 * some tries the change is made with one AND and one OR, which cannot fail and lose
 * no bit either, but let others see the value in between.
 */
#include <linux/align.h>
#include <linux/atomic.h>
#include <linux/mm.h>

#include "barkeep.h"

#define REGISTER_TRIES	64

/* One load or store of a driver. */
struct register_access {
	struct barkeep_bar_memory *bar;
	u64 offset;
	unsigned int width;
	struct barkeep_patience *patience;
};

/**
 * struct register_part - the bytes of an access that are in one register, or in none
 * @reg: its declaration, or NULL
 * @start: offset of the register, or its array's element, in the BAR
 * @shift: bits of the register below the part
 * @length: bytes
 */
struct register_part {
	const struct barkeep_register *reg;
	u64 start;
	unsigned int shift;
	unsigned int length;
};

static u64 bytes_mask(unsigned int bytes)
{
	return GENMASK_ULL(bytes * 8 - 1, 0);
}

/* Backed since plug. */
static void *register_memory(const struct barkeep_bar_memory *bar, u64 offset)
{
	return page_address(bar->pages[offset >> PAGE_SHIFT]) + offset_in_page(offset);
}

#define register_exchange(_type, _at, _old, _new)				\
	({									\
		_type register_old = *(_old);					\
		bool register_ok = try_cmpxchg((_type *)(_at), &register_old,	\
					       (_type)(_new));			\
		*(_old) = register_old;						\
		register_ok;							\
	})

static bool register_try(void *at, unsigned int width, u64 *old, u64 new)
{
	switch (width) {
	case 1:
		return register_exchange(u8, at, old, new);
	case 2:
		return register_exchange(u16, at, old, new);
	case 4:
		return register_exchange(u32, at, old, new);
	default:
		return register_exchange(u64, at, old, new);
	}
}

/* By way of the 8 bytes around it: the other ones stay as they are. */
static void register_force(void *at, u64 clear, u64 set)
{
	atomic64_t *around = PTR_ALIGN_DOWN(at, sizeof(u64));
	unsigned int shift = 8 * (at - (void *)around);

	atomic64_and(~(clear << shift), around);
	atomic64_or(set << shift, around);
}

/* What was there before it had only its bits of @keep left, and those of @set added. */
static u64 register_change(void *at, unsigned int width, u64 keep, u64 set)
{
	u64 old = barkeep_backing_load(at, width);
	unsigned int n;

	for (n = 0; n < REGISTER_TRIES; n++) {
		u64 new = (old & keep) | set;

		if (new == old || register_try(at, width, &old, new))
			return old;
	}
	/* Bits that were set after this look are not among what it clears. */
	register_force(at, old & ~keep, set);
	return old;
}

static const struct barkeep_register *register_declared(const struct barkeep_bar_memory *bar,
							u64 offset)
{
	const u16 *numbers = bar->registers[offset >> PAGE_SHIFT];
	u16 number = numbers[offset_in_page(offset) >> bar->register_shift];

	return number ? &bar->dev->registers.declared[number - 1] : NULL;
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

/*
 * Bytes of no register, from @at on. An event has a width of 1, 2, 4 or 8, so what is
 * not the whole access is cut into aligned pieces.
 */
static unsigned int undeclared_length(const struct register_access *access, u64 at)
{
	u64 end = access->offset + access->width;
	unsigned int run = 1, piece = 1;

	while (at + run < end && !register_accessed(access, at + run))
		run++;
	if (run == access->width)
		return run;
	while (2 * piece <= run && IS_ALIGNED(at, 2 * piece))
		piece *= 2;
	return piece;
}

static struct register_part register_part(const struct register_access *access, u64 at)
{
	struct register_part part = { .reg = register_accessed(access, at) };
	unsigned int before;

	if (unlikely(!part.reg)) {
		part.length = undeclared_length(access, at);
		return part;
	}
	part.start = at & ~(u64)(part.reg->width - 1);
	before = at - part.start;
	part.shift = 8 * before;
	part.length = min_t(u64, part.reg->width - before, access->offset + access->width - at);
	return part;
}

/* Those bits of the register that the access touches. */
static u64 part_lanes(const struct register_part *part)
{
	return bytes_mask(part->length) << part->shift;
}

static struct barkeep_event part_event(const struct register_access *access,
				       const struct register_part *part, u16 kind, u64 value)
{
	return (struct barkeep_event){
		.kind = kind,
		.bar = access->bar->number,
		.width = part->reg->width,
		.offset = part->start,
		.value = value,
		.slot = BARKEEP_NO_SLOT,
		.reg = part->reg - access->bar->dev->registers.declared + 1,
		.byte_enables = GENMASK(part->length - 1, 0) << part->shift / 8,
	};
}

/* The register as the model answers it. */
static u64 part_ask(const struct register_access *access, const struct register_part *part)
{
	struct barkeep_event event = part_event(access, part, BARKEEP_EVENT_READ, 0);

	return barkeep_completion_read(access->bar->dev, &event, access->patience);
}

/* The register as the kernel answers it. */
static u64 part_load(const struct register_access *access, const struct register_part *part)
{
	const struct barkeep_register *reg = part->reg;
	void *at = register_memory(access->bar, part->start);
	u64 lanes = part_lanes(part);
	u64 value = register_change(at, reg->width, ~(reg->read_clear & lanes),
				    reg->read_set & lanes);

	value = (value & reg->readable) | (reg->reset & ~reg->readable);
	if (reg->flags & BARKEEP_REGISTER_TELL_READ) {
		const struct barkeep_event event =
			part_event(access, part, BARKEEP_EVENT_READ, value & lanes);

		barkeep_ring_post(access->bar->dev, &event, access->patience);
	}
	return value;
}

static u64 part_read(const struct register_access *access, const struct register_part *part,
		     u64 at)
{
	u64 value;

	if (unlikely(!part->reg))
		value = barkeep_trap_read(access->bar, at, part->length, access->patience);
	else if (part->reg->flags & BARKEEP_REGISTER_WAIT_READ)
		value = part_ask(access, part);
	else
		value = part_load(access, part);
	return value >> part->shift & bytes_mask(part->length);
}

static void part_tell(const struct register_access *access, const struct register_part *part,
		      u64 value)
{
	struct barkeep_event event = part_event(access, part, BARKEEP_EVENT_WRITE, value);
	struct barkeep_device *dev = access->bar->dev;

	if (part->reg->flags & BARKEEP_REGISTER_WAIT_WRITE)
		barkeep_completion_write(dev, &event, access->patience);
	else
		barkeep_ring_post(dev, &event, access->patience);
}

/* @value: in its place in the register, nothing else with it. */
static void part_store(const struct register_access *access, const struct register_part *part,
		       u64 value)
{
	const struct barkeep_register *reg = part->reg;
	void *at = register_memory(access->bar, part->start);
	u64 clear = reg->write | (reg->write_one_clear & value) |
		    (reg->write_zero_clear & ~value);

	register_change(at, reg->width, ~(clear & part_lanes(part)),
			(reg->write | reg->write_one_set) & value);
	if (reg->flags & (BARKEEP_REGISTER_TELL_WRITE | BARKEEP_REGISTER_WAIT_WRITE))
		part_tell(access, part, value);
}

u64 barkeep_register_read(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			  struct barkeep_patience *patience)
{
	const struct register_access access = { bar, offset, width, patience };
	struct register_part part;
	unsigned int done;
	u64 value = 0;

	for (done = 0; done < width; done += part.length) {
		part = register_part(&access, offset + done);
		value |= part_read(&access, &part, offset + done) << (8 * done);
	}
	return value;
}

void barkeep_register_write(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			    u64 value, struct barkeep_patience *patience)
{
	const struct register_access access = { bar, offset, width, patience };
	struct register_part part;
	unsigned int done;
	u64 bytes;

	for (done = 0; done < width; done += part.length) {
		part = register_part(&access, offset + done);
		bytes = value >> (8 * done) & bytes_mask(part.length);
		if (part.reg)
			part_store(&access, &part, bytes << part.shift);
		else
			barkeep_trap_write(bar, offset + done, part.length, bytes, patience);
	}
}

/*
 * All registers as they are after plug. Also under config.lock, with interrupts off,
 * but for BARKEEP_ELEMENTS_MAX stores at most.
 */
void barkeep_registers_reset(struct barkeep_device *dev)
{
	const struct barkeep_registers *registers = &dev->registers;
	u32 n, element;

	for (n = 0; n < registers->count; n++) {
		const struct barkeep_register *reg = &registers->declared[n];
		u64 offset = reg->offset;

		for (element = 0; element < reg->count; element++, offset += reg->stride)
			barkeep_backing_store(register_memory(&dev->bars[reg->bar], offset),
					      reg->width, reg->reset);
	}
}
