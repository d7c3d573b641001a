// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's mappings of BARs. ioremap() and its kin, called for an address in
 * a window, make a mapping of ours instead, in which nothing is present: each access
 * is a page fault (fault.c). The first to a page of `memory` makes it present, as
 * ordinary cached memory; those that were touched before are present at once. So a
 * mapping costs its page tables and what is used of it.
 *
 * Lifetimes: a mapping holds a reference to its device and so to the module. It is
 * found by virtual address under RCU, in a tree that can be looked into at any time,
 * also by what interrupts who changes it, and freed a grace period after iounmap().
 * Drivers call these where they may sleep.
 */
#include <linux/io.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "map.h"

/* Virtual address to mapping; changed under the lock, read under RCU. */
static struct latch_tree_root barkeep_mappings;
static DEFINE_MUTEX(map_lock);

static struct barkeep_mapping *map_of(struct latch_tree_node *node)
{
	return container_of(node, struct barkeep_mapping, node);
}

static bool map_less(struct latch_tree_node *a, struct latch_tree_node *b)
{
	return map_of(a)->extent.start < map_of(b)->extent.start;
}

static int map_compare(void *key, struct latch_tree_node *node)
{
	const struct barkeep_mapping *mapping = map_of(node);
	unsigned long address = (unsigned long)key;

	if (address < mapping->extent.start)
		return -1;
	return address - mapping->extent.start >= mapping->extent.bytes;
}

static const struct latch_tree_ops map_order = { .less = map_less, .comp = map_compare };

/* What absent entries name, so that the kernel finds them whole; never accessed. */
static struct page *map_nothing;

/*
 * Mapped in the kernel's eyes and not in the CPU's: vunmap() is content, the
 * hardware faults, and nothing was ever in a TLB.
 */
static pgprot_t map_absent(void)
{
	return __pgprot((pgprot_val(PAGE_KERNEL) & ~_PAGE_PRESENT) | _PAGE_PROTNONE);
}

/* Address space of which nothing is present, in pages of 4 KiB whatever its size. */
static void *map_reserve(unsigned long bytes)
{
	unsigned long n, count = bytes >> PAGE_SHIFT;
	struct page **pages = kvmalloc_array(count, sizeof(*pages), GFP_KERNEL);
	void *address;

	if (!pages)
		return NULL;
	for (n = 0; n < count; n++)
		pages[n] = map_nothing;
	address = vmap(pages, count, VM_MAP, map_absent());
	kvfree(pages);
	return address;
}

/*
 * From not present to present: no TLB holds the old entry. Again is the same entry.
 * The caller knows that the mapping stays.
 */
static bool map_make_present(unsigned long address, struct page *page)
{
	unsigned int level;
	pte_t *pte = lookup_address(address, &level);

	if (!pte || level != PG_LEVEL_4K)
		return false;
	set_pte(pte, mk_pte(page, PAGE_KERNEL));
	return true;
}

/* What is backed already need not fault. Before anybody else knows the mapping. */
static void map_memory_pages(struct barkeep_mapping *mapping)
{
	struct barkeep_bar_memory *bar = mapping->extent.bar;
	unsigned long first = mapping->extent.offset >> PAGE_SHIFT;
	struct page *page;
	unsigned long n;

	for (n = 0; n < mapping->extent.bytes >> PAGE_SHIFT; n++) {
		page = READ_ONCE(bar->pages[first + n]);
		if (page && bar->policy[first + n] == BARKEEP_POLICY_MEMORY)
			map_make_present(mapping->extent.start + n * PAGE_SIZE, page);
		cond_resched();
	}
}

/* The pages from @offset on. */
static struct barkeep_mapping *map_create(struct barkeep_bar_memory *bar, u64 offset,
					  unsigned long bytes)
{
	struct barkeep_mapping *mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);

	if (!mapping)
		return NULL;
	raw_spin_lock_init(&mapping->lock);
	mapping->extent.bar = bar;
	mapping->extent.offset = offset;
	mapping->extent.bytes = bytes;
	mapping->extent.start = (unsigned long)map_reserve(bytes);
	if (!mapping->extent.start)
		goto err_free;
	map_memory_pages(mapping);
	mutex_lock(&map_lock);
	latch_tree_insert(&mapping->node, &barkeep_mappings, &map_order);
	mutex_unlock(&map_lock);
	return mapping;

err_free:
	kfree(mapping);
	return NULL;
}

/* The caller has the lock; from here on it is not found. */
static void map_forget(struct barkeep_mapping *mapping)
{
	lockdep_assert_held(&map_lock);
	latch_tree_erase(&mapping->node, &barkeep_mappings, &map_order);
}

/* Of a mapping that is not found any more. */
static void map_destroy(struct barkeep_mapping *mapping)
{
	/* From here on the addresses may be another's: see barkeep_map_page(). */
	raw_spin_lock_irq(&mapping->lock);
	mapping->gone = true;
	raw_spin_unlock_irq(&mapping->lock);
	vunmap((void *)mapping->extent.start);
	kfree_rcu(mapping, rcu);
}

/*
 * The first touch of a page of memory. A driver that undoes a mapping while it uses
 * it gets what it would get elsewhere: an entry is never written after vunmap(), and
 * what is tried again then is not found.
 *
 * Neither waits nor reclaims; where there is no memory at once, access.c has another
 * way. While the device does not decode, the page stays away and reads as all-ones.
 */
bool barkeep_map_page(struct barkeep_mapping *mapping, unsigned long address, unsigned long n)
{
	struct barkeep_bar_memory *bar = mapping->extent.bar;
	struct page *page;
	bool again;

	if (!READ_ONCE(bar->dev->config.decoding) || in_nmi())
		return false;
	page = barkeep_bar_page(bar, n, GFP_NOWAIT | __GFP_NOWARN);
	if (!page)
		return false;
	raw_spin_lock(&mapping->lock);
	again = mapping->gone || map_make_present(address, page);
	raw_spin_unlock(&mapping->lock);
	return again;
}

int barkeep_map_whole(struct barkeep_bar_memory *bar)
{
	if (!bar->whole)
		bar->whole = map_create(bar, 0, bar->bytes);
	return bar->whole ? 0 : -ENOMEM;
}

void barkeep_map_forget(struct barkeep_bar_memory *bar)
{
	if (!bar->whole)
		return;
	mutex_lock(&map_lock);
	map_forget(bar->whole);
	mutex_unlock(&map_lock);
	map_destroy(bar->whole);
	bar->whole = NULL;
}

/* What the driver gets for bytes of a BAR, with the caller's reference to the device. */
static void __iomem *map_bar(struct barkeep_bar_memory *bar, u64 offset, unsigned long bytes)
{
	struct barkeep_mapping *mapping = bar->whole;

	if (mapping)
		atomic_inc(&mapping->parts);
	else
		mapping = map_create(bar, offset & PAGE_MASK,
				     PAGE_ALIGN(offset_in_page(offset) + bytes));
	if (!mapping)
		return NULL;
	return (void __iomem *)(mapping->extent.start + offset - mapping->extent.offset);
}

/*
 * Takes a mapping from the driver; returns the device that it had a reference to. Of
 * a whole BAR only the driver knows how many parts begin at one address.
 */
static struct barkeep_device *map_take(unsigned long address)
{
	struct barkeep_device *dev = NULL;
	struct barkeep_mapping *mapping;
	bool own;

	mutex_lock(&map_lock);
	mapping = barkeep_map_find(address);
	own = mapping && mapping != mapping->extent.bar->whole;
	if (own)
		map_forget(mapping);
	if (own || (mapping && atomic_dec_if_positive(&mapping->parts) >= 0))
		dev = mapping->extent.bar->dev;
	mutex_unlock(&map_lock);
	if (own)
		map_destroy(mapping);
	return dev;
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

	/* As iounmap() itself, only that vunmap() would be less patient. */
	if (WARN_ON_ONCE(in_interrupt()))
		return;
	dev = map_take((unsigned long)address & PAGE_MASK);
	if (dev)
		barkeep_device_put(dev);
}

/* The mapping that @address is in, or NULL. Any context; to be used under RCU. */
struct barkeep_mapping *barkeep_map_find(unsigned long address)
{
	struct latch_tree_node *node;

	node = latch_tree_find((void *)address, &barkeep_mappings, &map_order);
	return node ? map_of(node) : NULL;
}

/* ioremap(address, bytes) and the like */
static bool map_is_window(struct pt_regs *call)
{
	return barkeep_window_contains(call->di, call->si);
}

/* iounmap(address) */
static bool map_is_mapping(struct pt_regs *call)
{
	bool found;

	rcu_read_lock();
	found = barkeep_map_find(call->di & PAGE_MASK);
	rcu_read_unlock();
	return found;
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
	int ret;

	map_nothing = alloc_page(GFP_KERNEL | __GFP_ZERO);
	if (!map_nothing)
		return -ENOMEM;
	ret = barkeep_hooks_install(map_hooks, ARRAY_SIZE(map_hooks));
	if (ret)
		__free_page(map_nothing);
	return ret;
}

void barkeep_map_exit(void)
{
	barkeep_hooks_remove(map_hooks, ARRAY_SIZE(map_hooks));
	__free_page(map_nothing);
	/* kfree_rcu() of the last mappings needs no code of ours. */
}
