// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's mappings of BARs. ioremap() and its kin, called for an address in
 * a window, make a mapping of the backing pages instead: `memory` pages are there
 * as ordinary cached memory, all others are never present, so that each access to
 * them is a page fault (fault.c).
 *
 * Lifetimes: a mapping holds a reference to its device and so to the module. It is
 * found by virtual address under RCU, in the time of a tree of fixed depth, and
 * freed a grace period after iounmap(). Drivers call these where they may sleep.
 */
#include <linux/io.h>
#include <linux/maple_tree.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "barkeep.h"

/* Virtual address to mapping; written under its own lock, read under RCU. */
static struct maple_tree barkeep_mappings =
	MTREE_INIT(barkeep_mappings, MT_FLAGS_USE_RCU);

/*
 * Mapped in the kernel's eyes and not in the CPU's: vunmap() is content, the
 * hardware faults, and nothing was ever in a TLB.
 */
static pgprot_t map_absent(void)
{
	return __pgprot((pgprot_val(PAGE_KERNEL) & ~_PAGE_PRESENT) | _PAGE_PROTNONE);
}

/* From not present to present: no TLB holds the old entry. */
static void map_make_present(unsigned long address, struct page *page)
{
	unsigned int level;
	pte_t *pte = lookup_address(address, &level);

	if (pte && level == PG_LEVEL_4K)
		set_pte(pte, mk_pte(page, PAGE_KERNEL));
}

static void map_memory_pages(struct barkeep_mapping *mapping)
{
	struct barkeep_bar_memory *bar = mapping->bar;
	unsigned long first = mapping->offset >> PAGE_SHIFT;
	unsigned long n;

	for (n = 0; n < mapping->bytes >> PAGE_SHIFT; n++) {
		if (bar->policy[first + n] == BARKEEP_POLICY_MEMORY)
			map_make_present(mapping->start + n * PAGE_SIZE, bar->pages[first + n]);
	}
}

static void __iomem *map_bar(struct barkeep_bar_memory *bar, u64 offset, size_t bytes)
{
	struct barkeep_mapping *mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	void *address;

	if (!mapping)
		return NULL;
	mapping->bar = bar;
	mapping->offset = offset & PAGE_MASK;
	mapping->bytes = PAGE_ALIGN(offset_in_page(offset) + bytes);

	address = vmap(bar->pages + (mapping->offset >> PAGE_SHIFT), mapping->bytes >> PAGE_SHIFT,
		       VM_MAP, map_absent());
	if (!address)
		goto err_free;
	mapping->start = (unsigned long)address;
	if (mtree_insert_range(&barkeep_mappings, mapping->start,
			       mapping->start + mapping->bytes - 1, mapping, GFP_KERNEL))
		goto err_unmap;
	map_memory_pages(mapping);
	return (void __iomem *)(address + offset_in_page(offset));

err_unmap:
	vunmap(address);
err_free:
	kfree(mapping);
	return NULL;
}

/*
 * Stands in for all of the ioremap family: what is trapped has no cache mode, and
 * what is memory is cached, whatever was asked.
 */
static void __iomem *map_ioremap(phys_addr_t address, unsigned long bytes)
{
	struct barkeep_bar_memory *bar;
	void __iomem *mapped;
	u64 offset;

	bar = barkeep_window_find(address, bytes, &offset);
	if (!bar) {
		pr_warn_ratelimited("barkeep: ioremap of %pa+%#lx: no BAR decodes all of it\n",
				    &address, bytes);
		return NULL;
	}
	mapped = map_bar(bar, offset, bytes);
	if (!mapped)
		barkeep_device_put(bar->dev);
	return mapped;
}

static void map_iounmap(void __iomem *address)
{
	struct barkeep_device *dev;
	struct barkeep_mapping *mapping;

	/* As iounmap() itself, only that vunmap() would be less patient. */
	if (WARN_ON_ONCE(in_interrupt()))
		return;
	mapping = mtree_erase(&barkeep_mappings, (unsigned long)address & PAGE_MASK);
	if (!mapping)
		return;
	dev = mapping->bar->dev;
	vunmap((void *)mapping->start);
	kfree_rcu(mapping, rcu);
	barkeep_device_put(dev);
}

/* The mapping that @address is in, or NULL. Any context; to be used under RCU. */
struct barkeep_mapping *barkeep_map_find(unsigned long address)
{
	return mtree_load(&barkeep_mappings, address);
}

/* ioremap(address, bytes) and the like */
static bool map_is_window(struct pt_regs *call)
{
	return barkeep_window_contains(call->di, call->si);
}

/* iounmap(address) */
static bool map_is_mapping(struct pt_regs *call)
{
	return barkeep_map_find(call->di & PAGE_MASK);
}

#define MAP_HOOK(_name)	{ .name = _name, .target = map_ioremap, .ours = map_is_window }

static struct barkeep_hook map_hooks[] = {
	MAP_HOOK("ioremap"),
	MAP_HOOK("ioremap_wc"),
	MAP_HOOK("ioremap_uc"),
	MAP_HOOK("ioremap_wt"),
	MAP_HOOK("ioremap_cache"),
	MAP_HOOK("ioremap_prot"),
	MAP_HOOK("ioremap_encrypted"),
	{ .name = "iounmap", .target = map_iounmap, .ours = map_is_mapping },
};

int barkeep_map_init(void)
{
	return barkeep_hooks_install(map_hooks, ARRAY_SIZE(map_hooks));
}

void barkeep_map_exit(void)
{
	barkeep_hooks_remove(map_hooks, ARRAY_SIZE(map_hooks));
	/* kfree_rcu() of the last mappings needs no code of ours. */
}
