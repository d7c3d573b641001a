// SPDX-License-Identifier: GPL-2.0-only
/*
 * How bytes get from the model's memory to the driver's and back. Neither may be
 * there: the model's because nobody has touched it yet, the driver's because the
 * driver has it mapped for the device and gave it up all the same.
 *
 * The checked copy_*_user() are of no use for the driver's memory: hardened
 * usercopy calls it a bug if a slab object without a whitelist is copied, and
 * drivers map such objects.
 */
#include <linux/uaccess.h>

#include "dma.h"

/* Of the copying loop. */
#define DMA_BLOCK	32

static unsigned int dma_unit(const void *memory, unsigned int bytes)
{
	unsigned int unit = 8;

	while (unit > bytes || !IS_ALIGNED((unsigned long)memory, unit))
		unit /= 2;
	return unit;
}

/**
 * barkeep_dma_store() - write the driver's memory in naturally aligned units
 * @memory: the driver's
 * @line: ours, aligned as @memory is
 * @bytes: any number, 0 too
 *
 * In ascending order. Any context.
 *
 * Return: 0, or -EFAULT.
 */
int barkeep_dma_store(void *memory, const void *line, unsigned int bytes)
{
	unsigned int unit;

	for (; bytes; bytes -= unit, memory += unit, line += unit) {
		unit = dma_unit(memory, bytes);
		switch (unit) {
		case 8:
			__put_kernel_nofault(memory, line, u64, absent);
			break;
		case 4:
			__put_kernel_nofault(memory, line, u32, absent);
			break;
		case 2:
			__put_kernel_nofault(memory, line, u16, absent);
			break;
		default:
			__put_kernel_nofault(memory, line, u8, absent);
		}
	}
	return 0;

absent:
	return -EFAULT;
}

/**
 * barkeep_dma_load() - read the driver's memory, as barkeep_dma_store() writes it
 * @line: ours, aligned as @memory is
 * @memory: the driver's
 * @bytes: any number, 0 too
 *
 * Return: 0, or -EFAULT.
 */
int barkeep_dma_load(void *line, const void *memory, unsigned int bytes)
{
	unsigned int unit;

	for (; bytes; bytes -= unit, memory += unit, line += unit) {
		unit = dma_unit(memory, bytes);
		switch (unit) {
		case 8:
			__get_kernel_nofault(line, memory, u64, absent);
			break;
		case 4:
			__get_kernel_nofault(line, memory, u32, absent);
			break;
		case 2:
			__get_kernel_nofault(line, memory, u16, absent);
			break;
		default:
			__get_kernel_nofault(line, memory, u8, absent);
		}
	}
	return 0;

absent:
	return -EFAULT;
}

/*
 * Where there are no fast strings, memcpy() is such a loop too, and the string
 * instruction that raw_copy_*_user() take instead is slower, in an emulator by
 * half. Either side may fault. Returns the blocks not copied whole.
 */
static unsigned long dma_copy_blocks(void *to, const void *from, unsigned long blocks)
{
	unsigned long a, b;

	__uaccess_begin();
	asm volatile("1:	movq	(%[from]), %[a]\n"
		     "2:	movq	8(%[from]), %[b]\n"
		     "3:	movq	%[a], (%[to])\n"
		     "4:	movq	%[b], 8(%[to])\n"
		     "5:	movq	16(%[from]), %[a]\n"
		     "6:	movq	24(%[from]), %[b]\n"
		     "7:	movq	%[a], 16(%[to])\n"
		     "8:	movq	%[b], 24(%[to])\n"
		     "	addq	%[block], %[from]\n"
		     "	addq	%[block], %[to]\n"
		     "	decq	%[blocks]\n"
		     "	jnz	1b\n"
		     "9:\n"
		     _ASM_EXTABLE_UA(1b, 9b)
		     _ASM_EXTABLE_UA(2b, 9b)
		     _ASM_EXTABLE_UA(3b, 9b)
		     _ASM_EXTABLE_UA(4b, 9b)
		     _ASM_EXTABLE_UA(5b, 9b)
		     _ASM_EXTABLE_UA(6b, 9b)
		     _ASM_EXTABLE_UA(7b, 9b)
		     _ASM_EXTABLE_UA(8b, 9b)
		     : [to] "+r" (to), [from] "+r" (from), [blocks] "+r" (blocks),
		       [a] "=&r" (a), [b] "=&r" (b)
		     : [block] "i" (DMA_BLOCK)
		     : "memory", "cc");
	__uaccess_end();
	return blocks;
}

/**
 * barkeep_dma_bulk() - copy between the driver's memory and the model's
 * @memory: the driver's
 * @user: the model's, checked with access_ok()
 * @bytes: any number
 * @write: to @memory
 *
 * With faults disabled; the order is not defined.
 *
 * Return: bytes not copied, at the end, because one of the two is not there.
 */
unsigned long barkeep_dma_bulk(void *memory, void __user *user, unsigned long bytes, bool write)
{
	unsigned long blocks = bytes / DMA_BLOCK, missed, copied = 0;
	void *buffer = (__force void *)user;

	if (blocks && !cpu_feature_enabled(X86_FEATURE_ERMS)) {
		if (write)
			missed = dma_copy_blocks(memory, buffer, blocks);
		else
			missed = dma_copy_blocks(buffer, memory, blocks);
		copied = (blocks - missed) * DMA_BLOCK;
		if (missed)
			return bytes - copied;
	}
	if (write)
		return raw_copy_from_user(memory + copied, user + copied, bytes - copied);
	return raw_copy_to_user(user + copied, memory + copied, bytes - copied);
}
