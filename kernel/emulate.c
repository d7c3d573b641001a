// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an instruction does with its operands. One of them is in a mapping of a BAR,
 * where the instruction faulted; each load and store there is an access. The other
 * side of a string move is wherever its address leads. How that is found out and
 * accessed differs between code of the kernel and of user space, and is the caller's.
 */
#include <linux/mm.h>

#include "decode.h"
#include "decode_alu.h"
#include "emulate.h"

/*
 * Iterations of a repeated string instruction per fault. The instruction then
 * faults again for the rest, so that interrupts and the scheduler get their turn
 * as they do between iterations on the CPU.
 */
#define EMULATE_ITERATIONS	32

static bool target_is_mapped(const struct barkeep_emulation *emulation, unsigned long address)
{
	return address - emulation->extent.start < emulation->extent.bytes;
}

static bool target_find(struct barkeep_emulation *emulation, unsigned long address,
			struct barkeep_target *target)
{
	const struct barkeep_extent *extent = &emulation->extent;

	if (unlikely(!target_is_mapped(emulation, address)))
		return emulation->ops->find(emulation, address, target);
	target->bar = extent->bar;
	target->offset = extent->offset + (address - extent->start);
	target->counted = false;
	target->read_only = emulation->read_only;
	return true;
}

static void target_release(const struct barkeep_target *target)
{
	if (unlikely(target->counted))
		barkeep_device_put(target->bar->dev);
}

static __always_inline bool read_within_page(struct barkeep_emulation *emulation,
					     unsigned long address, unsigned int width,
					     u64 *value)
{
	struct barkeep_target target;

	if (!target_find(emulation, address, &target))
		return emulation->ops->load(emulation, address, width, value);
	*value = barkeep_access_read(target.bar, target.offset, width, emulation->patience);
	target_release(&target);
	return true;
}

static __always_inline bool write_within_page(struct barkeep_emulation *emulation,
					      unsigned long address, unsigned int width,
					      u64 value)
{
	struct barkeep_target target;
	bool ok;

	if (!target_find(emulation, address, &target))
		return emulation->ops->store(emulation, address, width, value);
	ok = !target.read_only;
	if (likely(ok))
		barkeep_access_write(target.bar, target.offset, width, value,
				     emulation->patience);
	target_release(&target);
	return ok;
}

static bool is_within_page(unsigned long address, unsigned int width)
{
	return offset_in_page(address) + width <= PAGE_SIZE;
}

/* An access that crosses a page is more than one on the bus as well. */
static bool operand_read(struct barkeep_emulation *emulation, unsigned long address,
			 unsigned int width, u64 *value)
{
	unsigned int n, piece;
	u64 part;

	if (likely(is_within_page(address, width)))
		return read_within_page(emulation, address, width, value);
	*value = 0;
	for (n = 0; n < width; n += piece) {
		piece = barkeep_access_piece(address + n, width - n);
		if (!read_within_page(emulation, address + n, piece, &part))
			return false;
		*value |= part << (8 * n);
	}
	return true;
}

static bool operand_write(struct barkeep_emulation *emulation, unsigned long address,
			  unsigned int width, u64 value)
{
	unsigned int n, piece;

	if (likely(is_within_page(address, width)))
		return write_within_page(emulation, address, width, value);
	for (n = 0; n < width; n += piece) {
		piece = barkeep_access_piece(address + n, width - n);
		if (!write_within_page(emulation, address + n, piece, value >> (8 * n)))
			return false;
	}
	return true;
}

/* pt_regs has no segment bases. */
static unsigned long segment_base(struct barkeep_emulation *emulation,
				  const struct barkeep_instruction *insn)
{
	if (likely(insn->segment == BARKEEP_SEGMENT_FLAT))
		return 0;
	return emulation->ops->segment_base(insn->segment);
}

static unsigned long operand_address(struct barkeep_emulation *emulation,
				     const struct barkeep_instruction *insn)
{
	return barkeep_insn_address(insn, emulation->regs) + segment_base(emulation, insn);
}

static bool emulate_load(struct barkeep_emulation *emulation,
			 const struct barkeep_instruction *insn)
{
	struct pt_regs *regs = emulation->regs;
	u64 value;

	if (!operand_read(emulation, operand_address(emulation, insn), insn->width, &value))
		return false;
	barkeep_insn_load(insn, regs, value);
	regs->ip += insn->length;
	return true;
}

static bool emulate_store(struct barkeep_emulation *emulation,
			  const struct barkeep_instruction *insn)
{
	struct pt_regs *regs = emulation->regs;

	if (!operand_write(emulation, operand_address(emulation, insn), insn->width,
			   barkeep_insn_value(insn, regs)))
		return false;
	regs->ip += insn->length;
	return true;
}

/* Flags, and a register perhaps, from what is read. */
static bool emulate_compute(struct barkeep_emulation *emulation,
			    const struct barkeep_instruction *insn)
{
	struct pt_regs *regs = emulation->regs;
	struct barkeep_alu_operands operands;
	u64 value;

	if (!operand_read(emulation, operand_address(emulation, insn), insn->width, &value))
		return false;
	barkeep_insn_compute(insn, regs, value, &operands);
	barkeep_insn_commit(insn, regs, &operands);
	regs->ip += insn->length;
	return true;
}

/*
 * A read that waits and a write that is posted, for a locked one too: on the bus
 * nothing else makes them one.
 */
static bool emulate_modify(struct barkeep_emulation *emulation,
			   const struct barkeep_instruction *insn)
{
	unsigned long address = operand_address(emulation, insn);
	struct pt_regs *regs = emulation->regs;
	struct barkeep_alu_operands operands;
	u64 value;

	if (!operand_read(emulation, address, insn->width, &value))
		return false;
	barkeep_insn_compute(insn, regs, value, &operands);
	if (!operand_write(emulation, address, insn->width, operands.destination))
		return false;
	barkeep_insn_commit(insn, regs, &operands);
	regs->ip += insn->length;
	return true;
}

static bool wide_read(struct barkeep_emulation *emulation, unsigned long address,
		      struct barkeep_wide *value)
{
	struct barkeep_target target;

	if (!is_within_page(address, sizeof(*value)) ||
	    !target_find(emulation, address, &target))
		return operand_read(emulation, address, 8, &value->low) &&
		       operand_read(emulation, address + 8, 8, &value->high);
	barkeep_access_read_wide(target.bar, target.offset, value, emulation->patience);
	target_release(&target);
	return true;
}

static bool wide_write(struct barkeep_emulation *emulation, unsigned long address,
		       const struct barkeep_wide *value)
{
	struct barkeep_target target;
	bool ok;

	if (!is_within_page(address, sizeof(*value)) ||
	    !target_find(emulation, address, &target))
		return operand_write(emulation, address, 8, value->low) &&
		       operand_write(emulation, address + 8, 8, value->high);
	ok = !target.read_only;
	if (likely(ok))
		barkeep_access_write_wide(target.bar, target.offset, value, emulation->patience);
	target_release(&target);
	return ok;
}

/* Those of user space; barkeep_fetch() lets none of the kernel's through. */
static bool emulate_vector_load(struct barkeep_emulation *emulation,
				const struct barkeep_instruction *insn)
{
	unsigned long address = operand_address(emulation, insn);
	struct barkeep_wide value = {};

	if (!(insn->width == sizeof(value) ?
	      wide_read(emulation, address, &value) :
	      operand_read(emulation, address, insn->width, &value.low)))
		return false;
	barkeep_xmm_write(insn->reg, &value);
	emulation->regs->ip += insn->length;
	return true;
}

static bool emulate_vector_store(struct barkeep_emulation *emulation,
				 const struct barkeep_instruction *insn)
{
	unsigned long address = operand_address(emulation, insn);
	struct barkeep_wide value;

	barkeep_xmm_read(insn->reg, &value);
	if (!(insn->width == sizeof(value) ?
	      wide_write(emulation, address, &value) :
	      operand_write(emulation, address, insn->width, value.low)))
		return false;
	emulation->regs->ip += insn->length;
	return true;
}

static unsigned long string_count(const struct barkeep_instruction *insn,
				  const struct pt_regs *regs)
{
	if (!insn->rep)
		return 1;
	return min_t(u64, regs->cx & insn->address_mask, EMULATE_ITERATIONS);
}

/* Where iteration @n of a string instruction that began at @base is. */
static unsigned long string_address(const struct barkeep_instruction *insn,
				    const struct pt_regs *regs, unsigned long base,
				    unsigned long n)
{
	unsigned long step = n * insn->width;

	return (regs->flags & X86_EFLAGS_DF ? base - step : base + step) & insn->address_mask;
}

static bool movs_once(struct barkeep_emulation *emulation, const struct barkeep_instruction *insn,
		      unsigned long n)
{
	const struct pt_regs *regs = emulation->regs;
	unsigned long from = string_address(insn, regs, regs->si, n) +
			     segment_base(emulation, insn);
	unsigned long to = string_address(insn, regs, regs->di, n);
	u64 value;

	return operand_read(emulation, from, insn->width, &value) &&
	       operand_write(emulation, to, insn->width, value);
}

static bool stos_once(struct barkeep_emulation *emulation, const struct barkeep_instruction *insn,
		      unsigned long n)
{
	const struct pt_regs *regs = emulation->regs;

	return operand_write(emulation, string_address(insn, regs, regs->di, n), insn->width,
			     barkeep_insn_value(insn, regs));
}

static bool emulate_string(struct barkeep_emulation *emulation,
			   const struct barkeep_instruction *insn, unsigned long count,
			   bool (*once)(struct barkeep_emulation *emulation,
					const struct barkeep_instruction *insn, unsigned long n))
{
	bool ok = true;
	unsigned long n;

	for (n = 0; n < count && ok; n += ok)
		ok = once(emulation, insn, n);
	if (n || !count)
		barkeep_insn_step(insn, emulation->regs, n);
	return ok;
}

/* A load must not be repeated: before it, whether what it gets can be stored. */
static bool movs_is_writable(struct barkeep_emulation *emulation,
			     const struct barkeep_instruction *insn, unsigned long count)
{
	const struct pt_regs *regs = emulation->regs;
	unsigned long first = string_address(insn, regs, regs->di, 0);
	unsigned long last = string_address(insn, regs, regs->di, count - 1);
	unsigned long to = min(first, last);

	if (target_is_mapped(emulation, to))
		return !emulation->read_only;
	return emulation->ops->writable(emulation, to, max(first, last) - to + insn->width);
}

static bool emulate_movs(struct barkeep_emulation *emulation,
			 const struct barkeep_instruction *insn)
{
	unsigned long count = string_count(insn, emulation->regs);

	return (!count || movs_is_writable(emulation, insn, count)) &&
	       emulate_string(emulation, insn, count, movs_once);
}

static bool emulate_stos(struct barkeep_emulation *emulation,
			 const struct barkeep_instruction *insn)
{
	return emulate_string(emulation, insn, string_count(insn, emulation->regs), stos_once);
}

/* Tells the model, but in an NMI. @width is 0 where it is not known. */
void barkeep_tell_undecodable(const struct barkeep_emulation *emulation, unsigned int width)
{
	const struct barkeep_extent *extent = &emulation->extent;
	const struct barkeep_event event = {
		.kind = BARKEEP_EVENT_FAULT,
		.value = BARKEEP_FAULT_UNDECODABLE,
		.bar = extent->bar->number,
		.offset = extent->offset + (emulation->address - extent->start),
		.width = width,
		.slot = BARKEEP_NO_SLOT,
	};
	struct barkeep_device *dev = extent->bar->dev;

	/* As with any access that nobody decodes: after the last event there is none. */
	if (!READ_ONCE(dev->config.decoding))
		return;
	barkeep_count(&dev->status->undecodable);
	if (!in_nmi())
		barkeep_ring_try(dev, &event);
}

/* Goes on behind the instruction as if it had read all-ones. */
static bool emulate_nothing(struct barkeep_emulation *emulation,
			    const struct barkeep_instruction *insn)
{
	barkeep_tell_undecodable(emulation, insn->width);
	barkeep_insn_load(insn, emulation->regs, ~0ULL);
	emulation->regs->ip += insn->length;
	return true;
}

static bool (*const emulate_operations[])(struct barkeep_emulation *emulation,
					  const struct barkeep_instruction *insn) = {
	[BARKEEP_OP_NONE] = emulate_nothing,
	[BARKEEP_OP_LOAD] = emulate_load,
	[BARKEEP_OP_STORE] = emulate_store,
	[BARKEEP_OP_MOVS] = emulate_movs,
	[BARKEEP_OP_STOS] = emulate_stos,
	[BARKEEP_OP_COMPUTE] = emulate_compute,
	[BARKEEP_OP_MODIFY] = emulate_modify,
	[BARKEEP_OP_VECTOR_LOAD] = emulate_vector_load,
	[BARKEEP_OP_VECTOR_STORE] = emulate_vector_store,
};

/*
 * Registers are as behind the instruction then, or, of a repeated one, behind some
 * of it. False where memory that is not ours could not be accessed: they are as before
 * what could not be done, and no access has been made for that.
 *
 * The fault has set RF, so that a breakpoint on the instruction does not stop it twice;
 * one on the next is to.
 */
bool barkeep_emulate(struct barkeep_emulation *emulation, const struct barkeep_instruction *insn)
{
	unsigned long ip = emulation->regs->ip;
	bool done = emulate_operations[insn->operation](emulation, insn);

	if (emulation->regs->ip != ip)
		emulation->regs->flags &= ~X86_EFLAGS_RF;
	return done;
}
