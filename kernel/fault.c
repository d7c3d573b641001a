// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page fault that an access is. bad_area_nosemaphore() is where the kernel
 * ends up with a fault it has no explanation for; it is redirected here when the
 * address is in a mapping of ours.
 *
 * What runs here is plain C in the context of the instruction that faulted, not
 * a probe handler. Interrupts are off on entry and must be off on return; in
 * between they are as the driver had them. If the driver could sleep, so can we.
 * NMI is the one context where nothing can be done: reads are all-ones there.
 */
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <asm/trap_pf.h>

#include "barkeep.h"
#include "decode.h"

/*
 * Iterations of a repeated string instruction per fault. The instruction then
 * faults again for the rest, so that interrupts and the scheduler get their turn
 * as they do between iterations on the CPU.
 */
#define FAULT_ITERATIONS	32

/**
 * struct fault_context - an access in progress
 * @regs: of the instruction
 * @address: that it faulted at
 * @mapping: that @address is in, by value: the driver may undo it meanwhile
 * @patience: what it may wait
 *
 * Holds a reference to the device of @mapping.
 */
struct fault_context {
	struct pt_regs *regs;
	unsigned long address;
	struct barkeep_mapping mapping;
	struct barkeep_patience *patience;
};

/* What an address leads to. */
struct fault_target {
	struct barkeep_bar_memory *bar;
	u64 offset;
	bool counted;		/* has a reference of its own */
};

/*
 * A fault says nothing about whether its context may sleep, so ask for all that
 * forbids it. A task that is not running is between prepare_to_wait() and
 * schedule(): sleeping here would lose its state.
 */
static bool fault_may_sleep(struct pt_regs *regs)
{
	return (regs->flags & X86_EFLAGS_IF) && preemptible() && !pagefault_disabled() &&
	       !rcu_preempt_depth() && !is_idle_task(current) &&
	       READ_ONCE(current->__state) == TASK_RUNNING;
}

static bool fault_is_within(const struct barkeep_mapping *mapping, unsigned long address)
{
	return address - mapping->start < mapping->bytes;
}

/* By way of another mapping than the one that faulted: a move from BAR to BAR. */
static bool fault_find_other(unsigned long address, struct fault_target *target)
{
	struct barkeep_mapping *mapping;

	rcu_read_lock();
	mapping = barkeep_map_find(address);
	target->counted = mapping && kref_get_unless_zero(&mapping->bar->dev->refs);
	if (target->counted) {
		target->bar = mapping->bar;
		target->offset = mapping->offset + (address - mapping->start);
	}
	rcu_read_unlock();
	return target->counted;
}

static bool fault_find(const struct fault_context *context, unsigned long address,
		       struct fault_target *target)
{
	const struct barkeep_mapping *mapping = &context->mapping;

	if (unlikely(!fault_is_within(mapping, address)))
		return fault_find_other(address, target);
	target->bar = mapping->bar;
	target->offset = mapping->offset + (address - mapping->start);
	target->counted = false;
	return true;
}

static void fault_release(const struct fault_target *target)
{
	if (unlikely(target->counted))
		barkeep_device_put(target->bar->dev);
}

/*
 * Memory that is not ours: the other side of a string move, or a mapping that the
 * driver has just undone. False where it cannot be accessed.
 */
static bool fault_load_elsewhere(unsigned long address, unsigned int width, u64 *value)
{
	*value = 0;
	return !copy_from_kernel_nofault(value, (void *)address, width);
}

static bool fault_store_elsewhere(unsigned long address, unsigned int width, u64 value)
{
	pagefault_disable();
	switch (width) {
	case 1:
		__put_kernel_nofault((void *)address, &value, u8, fault);
		break;
	case 2:
		__put_kernel_nofault((void *)address, &value, u16, fault);
		break;
	case 4:
		__put_kernel_nofault((void *)address, &value, u32, fault);
		break;
	default:
		__put_kernel_nofault((void *)address, &value, u64, fault);
	}
	pagefault_enable();
	return true;
fault:
	pagefault_enable();
	return false;
}

static bool fault_read_within_page(const struct fault_context *context, unsigned long address,
				   unsigned int width, u64 *value)
{
	struct fault_target target;

	if (!fault_find(context, address, &target))
		return fault_load_elsewhere(address, width, value);
	*value = barkeep_access_read(target.bar, target.offset, width, context->patience);
	fault_release(&target);
	return true;
}

static bool fault_write_within_page(const struct fault_context *context, unsigned long address,
				    unsigned int width, u64 value)
{
	struct fault_target target;

	if (!fault_find(context, address, &target))
		return fault_store_elsewhere(address, width, value);
	barkeep_access_write(target.bar, target.offset, width, value, context->patience);
	fault_release(&target);
	return true;
}

static bool fault_within_page(unsigned long address, unsigned int width)
{
	return offset_in_page(address) + width <= PAGE_SIZE;
}

/* An access that crosses a page is more than one on the bus as well. */
static bool fault_read(const struct fault_context *context, unsigned long address,
		       unsigned int width, u64 *value)
{
	unsigned int n;
	u64 byte;

	if (likely(fault_within_page(address, width)))
		return fault_read_within_page(context, address, width, value);
	*value = 0;
	for (n = 0; n < width; n++) {
		if (!fault_read_within_page(context, address + n, 1, &byte))
			return false;
		*value |= byte << (8 * n);
	}
	return true;
}

static bool fault_write(const struct fault_context *context, unsigned long address,
			unsigned int width, u64 value)
{
	unsigned int n;

	if (likely(fault_within_page(address, width)))
		return fault_write_within_page(context, address, width, value);
	for (n = 0; n < width; n++) {
		if (!fault_write_within_page(context, address + n, 1, value >> (8 * n) & 0xff))
			return false;
	}
	return true;
}

static bool emulate_load(const struct fault_context *context,
			 const struct barkeep_instruction *insn)
{
	u64 value;

	if (!fault_read(context, barkeep_insn_address(insn, context->regs), insn->width, &value))
		return false;
	barkeep_insn_load(insn, context->regs, value);
	context->regs->ip += insn->length;
	return true;
}

static bool emulate_store(const struct fault_context *context,
			  const struct barkeep_instruction *insn)
{
	if (!fault_write(context, barkeep_insn_address(insn, context->regs), insn->width,
			 barkeep_insn_value(insn, context->regs)))
		return false;
	context->regs->ip += insn->length;
	return true;
}

static unsigned long string_count(const struct fault_context *context,
				  const struct barkeep_instruction *insn)
{
	if (!insn->rep)
		return 1;
	return min_t(u64, context->regs->cx & insn->address_mask, FAULT_ITERATIONS);
}

/* Where iteration @n of a string instruction that began at @base is. */
static unsigned long string_address(const struct fault_context *context,
				    const struct barkeep_instruction *insn, unsigned long base,
				    unsigned long n)
{
	unsigned long step = n * insn->width;

	return (context->regs->flags & X86_EFLAGS_DF ? base - step : base + step) &
	       insn->address_mask;
}

static bool movs_once(const struct fault_context *context, const struct barkeep_instruction *insn,
		      unsigned long n)
{
	unsigned long from = string_address(context, insn, context->regs->si, n);
	unsigned long to = string_address(context, insn, context->regs->di, n);
	u64 value;

	return fault_read(context, from, insn->width, &value) &&
	       fault_write(context, to, insn->width, value);
}

static bool stos_once(const struct fault_context *context, const struct barkeep_instruction *insn,
		      unsigned long n)
{
	return fault_write(context, string_address(context, insn, context->regs->di, n),
			   insn->width, barkeep_insn_value(insn, context->regs));
}

static bool emulate_string(const struct fault_context *context,
			   const struct barkeep_instruction *insn,
			   bool (*once)(const struct fault_context *context,
					const struct barkeep_instruction *insn, unsigned long n))
{
	unsigned long count = string_count(context, insn);
	bool ok = true;
	unsigned long n;

	for (n = 0; n < count && ok; n += ok) {
		/* The rest faults again, and may wait anew. */
		if (context->patience->spent)
			break;
		ok = once(context, insn, n);
	}
	if (n || !count)
		barkeep_insn_step(insn, context->regs, n);
	return ok;
}

/*
 * A copy between a BAR and user memory. The kernel's way to do that has an
 * exception table; it is left to it before the device is touched.
 */
static bool string_is_users(const struct fault_context *context)
{
	return context->regs->si < TASK_SIZE_MAX || context->regs->di < TASK_SIZE_MAX;
}

static bool emulate_movs(const struct fault_context *context,
			 const struct barkeep_instruction *insn)
{
	return !string_is_users(context) && emulate_string(context, insn, movs_once);
}

static bool emulate_stos(const struct fault_context *context,
			 const struct barkeep_instruction *insn)
{
	return emulate_string(context, insn, stos_once);
}

/* Tells the model, and goes on behind the instruction as if it had read all-ones. */
static bool emulate_nothing(const struct fault_context *context,
			    const struct barkeep_instruction *insn)
{
	const struct barkeep_mapping *mapping = &context->mapping;
	const struct barkeep_event event = {
		.kind = BARKEEP_EVENT_FAULT,
		.value = BARKEEP_FAULT_UNDECODABLE,
		.bar = mapping->bar->number,
		.offset = mapping->offset + (context->address - mapping->start),
		.width = insn->width,
		.slot = BARKEEP_NO_SLOT,
	};
	struct barkeep_device *dev = mapping->bar->dev;

	barkeep_count(&dev->status->undecodable);
	if (!in_nmi())
		barkeep_ring_try(dev, &event);
	barkeep_insn_load(insn, context->regs, ~0ULL);
	context->regs->ip += insn->length;
	return true;
}

static bool (*const fault_operations[])(const struct fault_context *context,
					const struct barkeep_instruction *insn) = {
	[BARKEEP_OP_NONE] = emulate_nothing,
	[BARKEEP_OP_LOAD] = emulate_load,
	[BARKEEP_OP_STORE] = emulate_store,
	[BARKEEP_OP_MOVS] = emulate_movs,
	[BARKEEP_OP_STOS] = emulate_stos,
};

/*
 * What this CPU gave up on: it faults again, and then the kernel's own handling
 * takes its course, with the exception table for copies to user memory and an oops
 * for the driver that jumped into its data.
 */
struct fault_given_up {
	struct task_struct *task;
	unsigned long ip;
	unsigned long address;
};

static DEFINE_PER_CPU(struct fault_given_up, fault_given_up);

static void fault_give_up(const struct pt_regs *regs, unsigned long address)
{
	const struct fault_given_up given_up = { current, regs->ip, address };

	*this_cpu_ptr(&fault_given_up) = given_up;
}

/*
 * In place of bad_area_nosemaphore(); @mapping is what fault_is_ours() found. It is
 * safe to look at until interrupts are on, for that is when a grace period can end.
 */
static void fault_bad_area(struct pt_regs *regs, const struct barkeep_mapping *mapping,
			   unsigned long address)
{
	bool enable = regs->flags & X86_EFLAGS_IF;
	struct barkeep_patience patience = {};
	const struct fault_context context = {
		.regs = regs,
		.address = address,
		.mapping = *mapping,
		.patience = &patience,
	};
	struct barkeep_instruction insn;
	bool done;

	if (!barkeep_fetch(regs->ip, &insn)) {
		fault_give_up(regs, address);
		return;
	}
	/* Undone already: what faults again will find that out. */
	if (!kref_get_unless_zero(&mapping->bar->dev->refs))
		return;

	if (enable)
		local_irq_enable();
	patience.may_sleep = fault_may_sleep(regs);
	done = fault_operations[insn.operation](&context, &insn);
	barkeep_device_put(context.mapping.bar->dev);
	if (enable)
		local_irq_disable();
	if (!done)
		fault_give_up(regs, address);
}

/*
 * bad_area_nosemaphore(regs, error_code, address): kernel-mode data accesses to
 * mappings of ours. Of ours the error code is known, so its place is taken by the
 * mapping. Migrating between giving up and faulting again costs one more round.
 */
static bool fault_is_ours(struct pt_regs *call)
{
	const struct pt_regs *regs = (struct pt_regs *)call->di;
	struct barkeep_mapping *mapping;
	struct fault_given_up *given_up;

	if (call->si & (X86_PF_USER | X86_PF_INSTR | X86_PF_PROT))
		return false;
	mapping = barkeep_map_find(call->dx);
	if (!mapping)
		return false;
	given_up = this_cpu_ptr(&fault_given_up);
	if (likely(given_up->task != current || given_up->ip != regs->ip ||
		   given_up->address != call->dx)) {
		call->si = (unsigned long)mapping;
		return true;
	}
	given_up->task = NULL;
	return false;
}

static struct barkeep_hook fault_hooks[] = {
	{ .name = "bad_area_nosemaphore", .target = fault_bad_area, .ours = fault_is_ours },
};

int barkeep_fault_init(void)
{
	return barkeep_hooks_install(fault_hooks, ARRAY_SIZE(fault_hooks));
}

void barkeep_fault_exit(void)
{
	barkeep_hooks_remove(fault_hooks, ARRAY_SIZE(fault_hooks));
}
