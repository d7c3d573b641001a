// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways to map physical addresses for user space: sysfs resourceN, UIO, VFIO, DRM,
 * /dev/mem. None of them knows that there is nothing behind a window, so for an
 * address in one they fail, and say so: the alternative is a process that reads
 * a void.
 */
#include <linux/mm.h>

#include "barkeep.h"

static void door_say(unsigned long pfn)
{
	phys_addr_t address = PFN_PHYS(pfn);

	pr_warn_ratelimited("barkeep: %s[%d]: user space cannot map a BAR (%pa)\n",
			    current->comm, task_pid_nr(current), &address);
}

static int door_remap_pfn_range(struct vm_area_struct *vma, unsigned long address,
				unsigned long pfn)
{
	door_say(pfn);
	return -ENXIO;
}

static vm_fault_t door_insert_pfn(struct vm_area_struct *vma, unsigned long address,
				  unsigned long pfn)
{
	door_say(pfn);
	return VM_FAULT_SIGBUS;
}

/* remap_pfn_range(vma, address, pfn, bytes, ...) */
static bool door_is_range(const struct pt_regs *call)
{
	return barkeep_window_contains(PFN_PHYS(call->dx), call->cx);
}

/* vmf_insert_pfn(vma, address, pfn) and vmf_insert_pfn_prot(vma, address, pfn, ...) */
static bool door_is_page(const struct pt_regs *call)
{
	return barkeep_window_contains(PFN_PHYS(call->dx), PAGE_SIZE);
}

static struct barkeep_hook door_hooks[] = {
	{ .name = "remap_pfn_range", .target = door_remap_pfn_range, .ours = door_is_range },
	{ .name = "vmf_insert_pfn", .target = door_insert_pfn, .ours = door_is_page },
	{ .name = "vmf_insert_pfn_prot", .target = door_insert_pfn, .ours = door_is_page },
};

int barkeep_doors_init(void)
{
	return barkeep_hooks_install(door_hooks, ARRAY_SIZE(door_hooks));
}

void barkeep_doors_exit(void)
{
	barkeep_hooks_remove(door_hooks, ARRAY_SIZE(door_hooks));
}
