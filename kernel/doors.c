// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ways to physical addresses other than ioremap(). Nothing is behind a window, so what
 * they map of it has to be something else. User space's, by sysfs resourceN, UIO, VFIO,
 * DRM and /dev/mem, are ours to serve (user_map.c). Those of the kernel that make pages
 * of addresses, memremap_pages() and vmap_pfn(), fail and say so: the alternative is to
 * read a void.
 */
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/pfn_t.h>
#include <linux/version.h>

#include "map.h"

static void door_say(unsigned long pfn, long error)
{
	phys_addr_t address = PFN_PHYS(pfn);

	pr_warn_ratelimited("barkeep: %s[%d]: this cannot map a BAR in this way (%pa): %ld\n",
			    current->comm, task_pid_nr(current), &address, error);
}

static int door_remap_pfn_range(struct vm_area_struct *area, unsigned long address,
				unsigned long pfn, unsigned long bytes)
{
	int ret = barkeep_user_remap(area, address, pfn, bytes);

	if (ret == -ENXIO)
		door_say(pfn, ret);
	return ret;
}

/* What a function that inserts one page returns. */
static vm_fault_t door_inserted(unsigned long pfn, int error)
{
	if (!error)
		return VM_FAULT_NOPAGE;
	if (error == -ENOMEM)
		return VM_FAULT_OOM;
	door_say(pfn, error);
	return VM_FAULT_SIGBUS;
}

static vm_fault_t door_insert_pfn_prot(struct vm_area_struct *area, unsigned long address,
				       unsigned long pfn, pgprot_t protection)
{
	return door_inserted(pfn, barkeep_user_insert(area, address, pfn, protection));
}

static vm_fault_t door_insert_pfn(struct vm_area_struct *area, unsigned long address,
				  unsigned long pfn)
{
	return door_insert_pfn_prot(area, address, pfn, area->vm_page_prot);
}

static vm_fault_t door_insert_mixed(struct vm_area_struct *area, unsigned long address,
				    pfn_t pfn)
{
	return door_insert_pfn_prot(area, address, pfn_t_to_pfn(pfn), area->vm_page_prot);
}

/* Not for modules, so for files of persistent memory only. */
static vm_fault_t door_insert_mixed_mkwrite(struct vm_area_struct *area, unsigned long address,
					    pfn_t pfn)
{
	return door_inserted(pfn_t_to_pfn(pfn), -ENXIO);
}

/* The backing is in single pages. */
static vm_fault_t door_insert_huge(struct vm_fault *fault, pfn_t pfn)
{
	return VM_FAULT_FALLBACK;
}

static void *door_memremap_pages(struct dev_pagemap *map, int node)
{
	door_say(PHYS_PFN(map->range.start), -ENXIO);
	return ERR_PTR(-ENXIO);
}

#ifdef CONFIG_VMAP_PFN
static void *door_vmap_pfn(unsigned long *pfns, unsigned int count, pgprot_t prot)
{
	door_say(pfns[0], -ENXIO);
	return NULL;
}

/* vmap_pfn(pfns, count, prot) */
static bool door_is_pfns(struct pt_regs *call)
{
	const unsigned long *pfns = (unsigned long *)call->di;
	unsigned int n;

	for (n = 0; n < (unsigned int)call->si; n++) {
		if (barkeep_window_contains(PFN_PHYS(pfns[n]), PAGE_SIZE))
			return true;
	}
	return false;
}
#endif

/* remap_pfn_range(vma, address, pfn, bytes, ...) */
static bool door_is_range(struct pt_regs *call)
{
	return barkeep_window_contains(PFN_PHYS(call->dx), call->cx);
}

/* vmf_insert_pfn(vma, address, pfn) and vmf_insert_pfn_prot(vma, address, pfn, ...) */
static bool door_is_page(struct pt_regs *call)
{
	return barkeep_window_contains(PFN_PHYS(call->dx), PAGE_SIZE);
}

/* vmf_insert_mixed(vma, address, pfn) and the like */
static bool door_is_mixed(struct pt_regs *call)
{
	return barkeep_window_contains(pfn_t_to_phys((pfn_t){ call->dx }), PAGE_SIZE);
}

/* vmf_insert_pfn_pmd(fault, pfn, ...) and the like: what is huge is aligned */
static bool door_is_pmd(struct pt_regs *call)
{
	return barkeep_window_contains(pfn_t_to_phys((pfn_t){ call->si }), PMD_SIZE);
}

static bool door_is_pud(struct pt_regs *call)
{
	return barkeep_window_contains(pfn_t_to_phys((pfn_t){ call->si }), PUD_SIZE);
}

/* memremap_pages(map, node) */
static bool door_is_pagemap(struct pt_regs *call)
{
	const struct dev_pagemap *map = (struct dev_pagemap *)call->di;
	int n;

	for (n = 0; n < map->nr_range; n++) {
		if (barkeep_window_contains(map->ranges[n].start, range_len(&map->ranges[n])))
			return true;
	}
	return false;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define HUGE_SUFFIX	""
#else
#define HUGE_SUFFIX	"_prot"
#endif

static struct barkeep_hook door_hooks[] = {
	{ .name = "remap_pfn_range", .target = door_remap_pfn_range, .ours = door_is_range },
	{ .name = "remap_pfn_range_notrack", .target = door_remap_pfn_range,
	  .ours = door_is_range },
	{ .name = "vmf_insert_pfn", .target = door_insert_pfn, .ours = door_is_page },
	{ .name = "vmf_insert_pfn_prot", .target = door_insert_pfn_prot, .ours = door_is_page },
	{ .name = "vmf_insert_mixed", .target = door_insert_mixed, .ours = door_is_mixed },
	{ .name = "vmf_insert_mixed_mkwrite", .target = door_insert_mixed_mkwrite,
	  .ours = door_is_mixed },
	{ .name = "vmf_insert_pfn_pmd" HUGE_SUFFIX, .target = door_insert_huge,
	  .ours = door_is_pmd },
	{ .name = "vmf_insert_pfn_pud" HUGE_SUFFIX, .target = door_insert_huge,
	  .ours = door_is_pud },
	{ .name = "memremap_pages", .target = door_memremap_pages, .ours = door_is_pagemap },
#ifdef CONFIG_VMAP_PFN
	{ .name = "vmap_pfn", .target = door_vmap_pfn, .ours = door_is_pfns },
#endif
};

int barkeep_doors_init(void)
{
	return barkeep_hooks_install(door_hooks, ARRAY_SIZE(door_hooks));
}

void barkeep_doors_exit(void)
{
	barkeep_hooks_remove(door_hooks, ARRAY_SIZE(door_hooks));
}
