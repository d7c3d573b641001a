// SPDX-License-Identifier: GPL-2.0-only
/*
 * The declared registers of a device: what plug was given, checked, and a table by
 * which an access finds its register in two loads. Process context of BARKEEP_PLUG,
 * before the device is visible; fixed until its last reference is gone.
 *
 * A BAR with registers has an array of pages, and a page with registers an array of
 * numbers, one for each unit as wide as the BAR's narrowest register. A number is the
 * register's index plus one. That is enough for arrays too, because an element is
 * aligned to its width.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "barkeep.h"

#define REGISTER_FLAGS							\
	(BARKEEP_REGISTER_TELL_READ | BARKEEP_REGISTER_TELL_WRITE |	\
	 BARKEEP_REGISTER_WAIT_READ | BARKEEP_REGISTER_WAIT_WRITE |	\
	 BARKEEP_REGISTER_EXACT)

static_assert(BARKEEP_REGISTERS_MAX < U16_MAX);

/* Whether no bit is in two of @masks. */
static bool masks_are_disjoint(const u64 *masks, unsigned int count)
{
	u64 seen = 0;
	unsigned int n;

	for (n = 0; n < count; n++) {
		if (seen & masks[n])
			return false;
		seen |= masks[n];
	}
	return true;
}

static bool masks_are_valid(const struct barkeep_register *reg)
{
	const u64 writes[] = {
		reg->write, reg->write_one_clear, reg->write_one_set, reg->write_zero_clear,
	};
	const u64 reads[] = { reg->read_clear, reg->read_set };
	u64 all = reg->reset | reg->readable | reg->write | reg->write_one_clear |
		  reg->write_one_set | reg->write_zero_clear | reg->read_clear | reg->read_set;

	return !(all & ~GENMASK_ULL(reg->width * 8 - 1, 0)) &&
	       masks_are_disjoint(writes, ARRAY_SIZE(writes)) &&
	       masks_are_disjoint(reads, ARRAY_SIZE(reads));
}

static bool stride_is_valid(const struct barkeep_register *reg)
{
	if (reg->count == 1)
		return !reg->stride;
	return reg->stride && IS_ALIGNED(reg->stride, reg->width);
}

static int register_check(const struct barkeep_device *dev, const struct barkeep_register *reg)
{
	u64 bytes;

	if (reg->flags & ~REGISTER_FLAGS ||
	    memchr_inv(reg->__reserved, 0, sizeof(reg->__reserved)))
		return -EOPNOTSUPP;
	if (reg->bar >= BARKEEP_BARS || !is_power_of_2(reg->width) || reg->width > sizeof(u64) ||
	    !reg->count || reg->count > BARKEEP_ELEMENTS_MAX || !stride_is_valid(reg) ||
	    !masks_are_valid(reg))
		return -EINVAL;
	bytes = (u64)(reg->count - 1) * reg->stride + reg->width;
	if (!IS_ALIGNED(reg->offset, reg->width) || bytes > dev->bars[reg->bar].bytes ||
	    reg->offset > dev->bars[reg->bar].bytes - bytes)
		return -EINVAL;
	return 0;
}

static int registers_check(struct barkeep_device *dev)
{
	const struct barkeep_registers *registers = &dev->registers;
	u64 elements = 0;
	u32 n;
	int ret;

	for (n = 0; n < registers->count; n++) {
		ret = register_check(dev, &registers->declared[n]);
		if (ret)
			return ret;
		elements += registers->declared[n].count;
	}
	return elements > BARKEEP_ELEMENTS_MAX ? -EINVAL : 0;
}

/* Has it backed as well: accesses do not allocate. */
static int bar_add_page(struct barkeep_bar_memory *bar, unsigned long number)
{
	struct barkeep_register_page *page = &bar->registers[number];
	struct page *backing;

	if (bar->policy[number] != BARKEEP_POLICY_TRAP)
		return -EINVAL;
	page->numbers = kcalloc(PAGE_SIZE >> bar->register_shift, sizeof(*page->numbers),
				GFP_KERNEL_ACCOUNT);
	backing = barkeep_bar_page(bar, number, GFP_KERNEL_ACCOUNT);
	if (!page->numbers || !backing)
		return -ENOMEM;
	page->memory = page_address(backing);
	bar->policy[number] = BARKEEP_POLICY_REGISTERS;
	return 0;
}

static int bar_enter(struct barkeep_bar_memory *bar, u64 offset, unsigned int width, u16 number)
{
	unsigned long page = offset >> PAGE_SHIFT;
	u16 **numbers = &bar->registers[page].numbers;
	unsigned int unit = offset_in_page(offset) >> bar->register_shift;
	unsigned int end = unit + (width >> bar->register_shift);
	int ret = *numbers ? 0 : bar_add_page(bar, page);

	if (ret)
		return ret;
	for (; unit < end; unit++) {
		if ((*numbers)[unit])
			return -EINVAL;
		(*numbers)[unit] = number;
	}
	return 0;
}

static int register_enter(struct barkeep_device *dev, u32 index)
{
	const struct barkeep_register *reg = &dev->registers.declared[index];
	struct barkeep_bar_memory *bar = &dev->bars[reg->bar];
	u64 offset = reg->offset;
	u32 n;
	int ret;

	for (n = 0; n < reg->count; n++, offset += reg->stride) {
		ret = bar_enter(bar, offset, reg->width, index + 1);
		if (ret)
			return ret;
		cond_resched();
	}
	return 0;
}

/* So that an access has one bit to look at. */
static u32 register_plain(const struct barkeep_register *reg)
{
	u32 plain = 0;

	if (!(reg->flags & (BARKEEP_REGISTER_TELL_READ | BARKEEP_REGISTER_WAIT_READ)) &&
	    !reg->read_clear && !reg->read_set)
		plain |= BARKEEP_REGISTER_PLAIN_READ;
	if (!(reg->flags & (BARKEEP_REGISTER_TELL_WRITE | BARKEEP_REGISTER_WAIT_WRITE)))
		plain |= BARKEEP_REGISTER_PLAIN_WRITE;
	return plain;
}

/* What the tables will be made of. */
static int registers_allocate(struct barkeep_device *dev)
{
	const struct barkeep_registers *registers = &dev->registers;
	u32 n;

	for (n = 0; n < registers->count; n++) {
		const struct barkeep_register *reg = &registers->declared[n];
		struct barkeep_bar_memory *bar = &dev->bars[reg->bar];

		if (!bar->registers) {
			bar->registers = kvcalloc(bar->bytes >> PAGE_SHIFT,
						  sizeof(*bar->registers), GFP_KERNEL_ACCOUNT);
			bar->register_shift = ilog2(sizeof(u64));
			bar->declared = registers->declared;
		}
		if (!bar->registers)
			return -ENOMEM;
		bar->register_shift = min_t(unsigned int, bar->register_shift, ilog2(reg->width));
	}
	return 0;
}

static int registers_enter(struct barkeep_device *dev)
{
	struct barkeep_register *declared = dev->registers.declared;
	u32 n;
	int ret;

	for (n = 0; n < dev->registers.count; n++) {
		ret = register_enter(dev, n);
		if (ret)
			return ret;
		declared[n].flags |= register_plain(&declared[n]);
	}
	return 0;
}

static int registers_copy(struct barkeep_registers *registers, const struct barkeep_plug *plug)
{
	if (plug->register_count > BARKEEP_REGISTERS_MAX)
		return -EINVAL;
	registers->declared = kvmalloc_array(plug->register_count, sizeof(*registers->declared),
					     GFP_KERNEL_ACCOUNT);
	if (!registers->declared)
		return -ENOMEM;
	if (copy_from_user(registers->declared, u64_to_user_ptr(plug->registers),
			   plug->register_count * sizeof(*registers->declared)))
		return -EFAULT;
	registers->count = plug->register_count;
	return 0;
}

/* After barkeep_bars_init(). */
int barkeep_registers_init(struct barkeep_device *dev, const struct barkeep_plug *plug)
{
	int ret;

	if (!plug->register_count)
		return 0;
	ret = registers_copy(&dev->registers, plug);
	if (!ret)
		ret = registers_check(dev);
	if (!ret)
		ret = registers_allocate(dev);
	if (!ret)
		ret = registers_enter(dev);
	if (ret)
		barkeep_registers_destroy(dev);
	else
		barkeep_registers_reset(dev);
	return ret;
}

/* Before barkeep_bars_destroy(). */
void barkeep_registers_destroy(struct barkeep_device *dev)
{
	unsigned long page;
	int n;

	for (n = 0; n < BARKEEP_BARS; n++) {
		struct barkeep_bar_memory *bar = &dev->bars[n];

		for (page = 0; bar->registers && page < bar->bytes >> PAGE_SHIFT; page++) {
			kfree(bar->registers[page].numbers);
			cond_resched();
		}
		kvfree(bar->registers);
		bar->registers = NULL;
	}
	kvfree(dev->registers.declared);
	memset(&dev->registers, 0, sizeof(dev->registers));
}
