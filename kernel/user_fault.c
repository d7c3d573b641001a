// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads and stores of user space to what traps. The instruction is emulated as one of
 * the kernel is, with user space's registers. The lock on the address space is let go
 * for that: the model's answer may take long, and other threads of the process, which
 * may be the model's own, map memory meanwhile.
 *
 * Only an instruction of user space can be emulated. The kernel on its behalf, in a
 * system call that got a pointer to such a page, gets an error and gives it EFAULT.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>
#include <linux/uprobes.h>
#include <asm/msr.h>
#include <asm/text-patching.h>

#include "decode.h"
#include "emulate.h"

static bool user_find(struct barkeep_emulation *emulation, unsigned long address,
		      struct barkeep_target *target)
{
	return barkeep_user_find(address, target);
}

static bool user_load(struct barkeep_emulation *emulation, unsigned long address,
		      unsigned int width, u64 *value)
{
	*value = 0;
	return !copy_from_user(value, (void __user *)address, width);
}

static bool user_store(struct barkeep_emulation *emulation, unsigned long address,
		       unsigned int width, u64 value)
{
	return !copy_to_user((void __user *)address, &value, width);
}

static bool user_is_writable(struct barkeep_emulation *emulation, unsigned long address,
			     unsigned long bytes)
{
	struct barkeep_target target;

	if (barkeep_user_find(address, &target)) {
		barkeep_device_put(target.bar->dev);
		return !target.read_only;
	}
	return !fault_in_safe_writeable((char __user *)address, bytes);
}

/* In the kernel the base of user space's GS is the inactive one. */
static unsigned long user_segment_base(unsigned int segment)
{
	unsigned long base;

	rdmsrl(segment == BARKEEP_SEGMENT_FS ? MSR_FS_BASE : MSR_KERNEL_GS_BASE, base);
	return base;
}

static const struct barkeep_emulation_ops user_operations = {
	.find = user_find,
	.load = user_load,
	.store = user_store,
	.writable = user_is_writable,
	.segment_base = user_segment_base,
};

#ifdef CONFIG_UPROBES
/* Whether it is a uprobe that steps, over its copy of the instruction; tells it then. */
static bool user_step_of_uprobe(void)
{
	struct uprobe_task *task = current->utask;

	if (!task || !task->active_uprobe)
		return false;
	task->state = UTASK_SSTEP_ACK;
	set_thread_flag(TIF_UPROBE);
	return true;
}
#else
static bool user_step_of_uprobe(void)
{
	return false;
}
#endif

/* As #DB does, which comes behind an instruction that the CPU has executed, with TF. */
static void user_trap_step(const struct pt_regs *regs)
{
	struct kernel_siginfo info;

	if (user_step_of_uprobe())
		return;
	clear_siginfo(&info);
	info.si_signo = SIGTRAP;
	info.si_code = TRAP_TRACE;
	info.si_addr = (void __user *)regs->ip;
	send_sig_info(SIGTRAP, &info, current);
}

/* 0, or what the fault comes to. */
static vm_fault_t user_emulate(struct barkeep_emulation *emulation)
{
	u8 bytes[BARKEEP_INSTRUCTION_MAX];
	struct barkeep_instruction insn;
	unsigned int count;

	/* At the end of what is mapped there may be fewer. */
	count = sizeof(bytes) - copy_from_user(bytes, (void __user *)emulation->regs->ip,
					       sizeof(bytes));
	if (!count)
		return VM_FAULT_SIGSEGV;
	/* A breakpoint was put on it meanwhile. */
	if (bytes[0] == INT3_INSN_OPCODE)
		return 0;
	if (barkeep_decode(bytes, count, &insn)) {
		barkeep_tell_undecodable(emulation, 0);
		return VM_FAULT_SIGBUS;
	}
	/* The other side of it is what cannot be accessed. */
	if (!barkeep_emulate(emulation, &insn))
		return VM_FAULT_SIGSEGV;
	if (emulation->regs->flags & X86_EFLAGS_TF)
		user_trap_step(emulation->regs);
	return 0;
}

static bool user_is_instruction(const struct vm_fault *fault)
{
	const unsigned int flags = FAULT_FLAG_USER | FAULT_FLAG_ALLOW_RETRY;

	return (fault->flags & flags) == flags &&
	       !(fault->flags & (FAULT_FLAG_REMOTE | FAULT_FLAG_INSTRUCTION |
				 FAULT_FLAG_RETRY_NOWAIT)) &&
	       fault->vma->vm_mm == current->mm && user_64bit_mode(current_pt_regs());
}

/*
 * The fault of an access to @extent, by a page that traps. VM_FAULT_COMPLETED says
 * that the lock is not held any more; together with VM_FAULT_NOPAGE nothing else is
 * looked at, and the instruction, or the one behind it, goes on.
 */
vm_fault_t barkeep_user_fault(struct vm_fault *fault, const struct barkeep_extent *extent)
{
	struct barkeep_patience patience = { .may_sleep = true, .killable = true };
	struct barkeep_emulation emulation = {
		.regs = current_pt_regs(),
		.address = fault->real_address,
		.extent = *extent,
		.read_only = !(fault->vma->vm_flags & VM_WRITE),
		.patience = &patience,
		.ops = &user_operations,
	};
	struct barkeep_device *dev = extent->bar->dev;
	struct mm_struct *mm = current->mm;
	vm_fault_t ret;

	if (!user_is_instruction(fault))
		return VM_FAULT_SIGBUS;
	/* With the lock the area goes, and its reference. */
	barkeep_device_get(dev);
	mmap_read_unlock(mm);
	ret = user_emulate(&emulation) ?: VM_FAULT_COMPLETED | VM_FAULT_NOPAGE;
	/* For an error the caller lets it go. */
	if (ret & VM_FAULT_ERROR)
		mmap_read_lock(mm);
	/* Last: it may be what holds the module. */
	barkeep_device_put(dev);
	return ret;
}
