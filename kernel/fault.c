// SPDX-License-Identifier: GPL-2.0-only
/*
 * The page fault that an access is. bad_area_nosemaphore() is where the kernel
 * ends up with a fault it has no explanation for; it is redirected here when the
 * address is in a mapping of ours.
 *
 * What runs here is plain C in the context of the instruction that faulted, not
 * a probe handler. Interrupts are off on entry and must be off on return; they are
 * as the driver had them from where something has to wait. If the driver could
 * sleep, so can we.
 * NMI is the one context where nothing can be done: reads are all-ones there.
 */
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <asm/special_insns.h>
#include <asm/trap_pf.h>
#include <asm/trapnr.h>

#include "decode.h"
#include "emulate.h"

/* By way of another mapping than the one that faulted: a move from BAR to BAR. */
static bool fault_find(struct barkeep_emulation *emulation, unsigned long address,
		       struct barkeep_target *target)
{
	struct barkeep_mapping *mapping;

	rcu_read_lock();
	mapping = barkeep_map_find(address);
	target->counted = mapping && kref_get_unless_zero(&mapping->extent.bar->dev->refs);
	if (target->counted) {
		target->bar = mapping->extent.bar;
		target->offset = mapping->extent.offset + (address - mapping->extent.start);
		target->read_only = false;
	}
	rcu_read_unlock();
	return target->counted;
}

/*
 * Memory that is not ours: the other side of a string move, or a mapping that the
 * driver has just undone. False where it cannot be accessed.
 */
static bool fault_load(struct barkeep_emulation *emulation, unsigned long address,
		       unsigned int width, u64 *value)
{
	*value = 0;
	return !copy_from_kernel_nofault(value, (void *)address, width);
}

static bool fault_store(struct barkeep_emulation *emulation, unsigned long address,
			unsigned int width, u64 value)
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

/*
 * Not user memory. The kernel's way to copy to that has an exception table; it is left
 * to it before the device is touched. What is the kernel's is there.
 */
static bool fault_writable(struct barkeep_emulation *emulation, unsigned long address,
			   unsigned long bytes)
{
	return address >= TASK_SIZE_MAX;
}

/* Operands behind a segment's base are none that barkeep_fetch() lets through. */
static const struct barkeep_emulation_ops fault_emulation_ops = {
	.find = fault_find,
	.load = fault_load,
	.store = fault_store,
	.writable = fault_writable,
};

/*
 * What this CPU gave up on: it faults again, and then the kernel's own handling
 * takes its course, with the exception table for copies to user memory and an oops
 * for the driver that jumped into its data. It does so at once, or never on this CPU:
 * the same access much later is another one.
 */
struct fault_given_up {
	struct task_struct *task;
	unsigned long ip;
	unsigned long address;
	u64 time;
};

#define FAULT_AGAIN_NS	NSEC_PER_MSEC

static DEFINE_PER_CPU(struct fault_given_up, fault_given_up);

static void fault_give_up(const struct pt_regs *regs, unsigned long address)
{
	const struct fault_given_up given_up = {
		current, regs->ip, address, ktime_get_mono_fast_ns()
	};

	*this_cpu_ptr(&fault_given_up) = given_up;
}

static bool fault_was_given_up(unsigned long address)
{
	const struct fault_given_up *given_up = this_cpu_ptr(&fault_given_up);

	return unlikely(given_up->task == current && given_up->address == address) &&
	       ktime_get_mono_fast_ns() - given_up->time < FAULT_AGAIN_NS;
}

/*
 * In place of bad_area_nosemaphore(); @mapping is what fault_is_ours() found. It and its
 * device are there until interrupts are on, for that is when a grace period can end:
 * an access that does not wait for long needs no reference.
 */
static void fault_bad_area(struct pt_regs *regs, struct barkeep_mapping *mapping,
			   unsigned long address)
{
	struct barkeep_device *dev = mapping->extent.bar->dev;
	bool interrupts = regs->flags & X86_EFLAGS_IF;
	struct barkeep_patience patience = { .held = interrupts ? dev : NULL };
	struct barkeep_emulation emulation = {
		.regs = regs,
		.address = address,
		.extent = mapping->extent,
		.patience = &patience,
		.ops = &fault_emulation_ops,
	};
	/* barkeep_fetch() fills in all of it. */
	struct barkeep_instruction insn __uninitialized;
	bool done;

	if (barkeep_map_touch(mapping, address))
		return;
	if (!barkeep_fetch(regs->ip, &insn)) {
		fault_give_up(regs, address);
		return;
	}
	done = barkeep_emulate(&emulation, &insn);
	if (interrupts && !patience.held) {
		local_irq_disable();
		barkeep_device_put(dev);
	}
	if (!done)
		fault_give_up(regs, address);
}

/*
 * bad_area_nosemaphore(regs, error_code, address): kernel-mode data accesses to
 * mappings of ours. Of ours the error code is known, so its place is taken by the
 * mapping. Migrating between giving up and faulting again, or being late to, costs one
 * more round.
 */
static bool fault_is_ours(struct pt_regs *call)
{
	const struct pt_regs *regs = (struct pt_regs *)call->di;
	struct barkeep_mapping *mapping;

	if (call->si & (X86_PF_USER | X86_PF_INSTR | X86_PF_PROT))
		return false;
	/* Interrupts may be on for one of user space's, and nothing keeps a mapping there. */
	if (call->dx < TASK_SIZE_MAX)
		return false;
	mapping = barkeep_map_find(call->dx);
	if (!mapping)
		return false;
	if (fault_was_given_up(call->dx) && this_cpu_read(fault_given_up.ip) == regs->ip) {
		this_cpu_write(fault_given_up.task, NULL);
		return false;
	}
	call->si = (unsigned long)mapping;
	return true;
}

#ifdef CONFIG_KPROBES
/*
 * In place of kprobe_fault_handler(): a probe executes a copy of its instruction, which
 * faults. That would go back to the probe, and so to the next fault; as it is, the copy
 * is emulated where it stands, and the probe goes on behind it.
 */
static int fault_in_probe(struct pt_regs *regs, int trap)
{
	return 0;
}

/*
 * kprobe_fault_handler(regs, trap). What was given up is for the kernel's own handling,
 * which knows the probe's address.
 */
static bool fault_is_in_probe(struct pt_regs *call)
{
	unsigned long address;

	if (call->si != X86_TRAP_PF)
		return false;
	address = read_cr2();
	return address >= TASK_SIZE_MAX && barkeep_map_find(address) &&
	       !fault_was_given_up(address);
}
#endif

static struct barkeep_hook fault_hooks[] = {
#ifdef CONFIG_KPROBES
	{ .name = "kprobe_fault_handler", .target = fault_in_probe, .ours = fault_is_in_probe },
#endif
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
