// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory behind BARs, and who answers for each page of it. Pages are ordinary
 * kernel memory: the model maps them, a driver's mapping of a `memory` page is the
 * page itself, and trapped pages have theirs as a shadow.
 *
 * A page is there from the first time that somebody needs it, and until its device
 * is destroyed: a BAR costs what is used of it. Shadow pages are there from the
 * beginning, because writes to them come from contexts that should not allocate.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "barkeep.h"

static unsigned long bar_pages(const struct barkeep_bar_memory *bar)
{
	return bar->bytes >> PAGE_SHIFT;
}

static int bar_check(const struct barkeep_bar *bar, unsigned int number)
{
	if (bar->flags & ~(BARKEEP_BAR_64BIT | BARKEEP_BAR_PREFETCHABLE) || bar->__reserved)
		return -EOPNOTSUPP;
	if (!bar->bytes)
		return bar->flags ? -EINVAL : 0;
	if (!is_power_of_2(bar->bytes) || bar->bytes < PAGE_SIZE ||
	    bar->bytes > BARKEEP_BAR_BYTES_MAX)
		return -EINVAL;
	if (bar->flags & BARKEEP_BAR_64BIT) {
		/* The upper half is the next BAR register. */
		if (number + 1 >= BARKEEP_BARS || bar[1].bytes)
			return -EINVAL;
	}
	return 0;
}

static int bar_allocate(struct barkeep_bar_memory *memory)
{
	unsigned long count = bar_pages(memory);

	memory->pages = kvcalloc(count, sizeof(*memory->pages), GFP_KERNEL_ACCOUNT);
	memory->policy = kvzalloc(count, GFP_KERNEL_ACCOUNT);
	if (!memory->pages || !memory->policy)
		return -ENOMEM;
	return 0;
}

/**
 * barkeep_bar_page - page @n of a BAR, which is given one now if it has none yet
 * @bar: the BAR
 * @n: less than its pages
 * @gfp: how to allocate; charged to the caller's memory cgroup if it says so, as the
 *	model's own contexts do
 *
 * Any context that @gfp allows, but NMI; any number at a time for the same page. The
 * caller has a reference to the device, or found it under RCU.
 *
 * Return: the page, which stays until the device's last reference is gone, or NULL.
 */
struct page *barkeep_bar_page(struct barkeep_bar_memory *bar, unsigned long n, gfp_t gfp)
{
	struct page *page = READ_ONCE(bar->pages[n]);
	struct page *first;

	if (page)
		return page;
	page = alloc_page(gfp | __GFP_ZERO);
	if (!page)
		return READ_ONCE(bar->pages[n]);
	first = cmpxchg(&bar->pages[n], NULL, page);
	if (first) {
		__free_page(page);
		return first;
	}
	/* Pairs with smp_mb() in barkeep_bars_kill(): one of us sees the other. */
	if (READ_ONCE(bar->pulled) && bar->policy[n] == BARKEEP_POLICY_MEMORY)
		memset(page_address(page), 0xff, PAGE_SIZE);
	return page;
}

static int bar_back_shadow(struct barkeep_bar_memory *bar)
{
	unsigned long n;

	for (n = 0; n < bar_pages(bar); n++) {
		if (bar->policy[n] != BARKEEP_POLICY_SHADOW)
			continue;
		if (!barkeep_bar_page(bar, n, GFP_KERNEL_ACCOUNT))
			return -ENOMEM;
		cond_resched();
	}
	return 0;
}

static int region_apply(struct barkeep_device *dev, const struct barkeep_region *region)
{
	struct barkeep_bar_memory *bar;

	if (region->flags || memchr_inv(region->__reserved, 0, sizeof(region->__reserved)))
		return -EOPNOTSUPP;
	if (region->bar >= BARKEEP_BARS || region->policy > BARKEEP_POLICY_MEMORY)
		return -EINVAL;
	bar = &dev->bars[array_index_nospec(region->bar, BARKEEP_BARS)];
	if (!PAGE_ALIGNED(region->offset) || !PAGE_ALIGNED(region->bytes) || !region->bytes ||
	    region->offset >= bar->bytes || region->bytes > bar->bytes - region->offset)
		return -EINVAL;
	memset(bar->policy + (region->offset >> PAGE_SHIFT), region->policy,
	       region->bytes >> PAGE_SHIFT);
	return 0;
}

static int regions_apply(struct barkeep_device *dev, const struct barkeep_plug *plug)
{
	struct barkeep_region region;
	u32 n;
	int ret;

	if (plug->region_count > BARKEEP_REGIONS_MAX)
		return -EINVAL;
	for (n = 0; n < plug->region_count; n++) {
		if (copy_from_user(&region, u64_to_user_ptr(plug->regions) + n * sizeof(region),
				   sizeof(region)))
			return -EFAULT;
		ret = region_apply(dev, &region);
		if (ret)
			return ret;
	}
	return 0;
}

int barkeep_bars_init(struct barkeep_device *dev, const struct barkeep_plug *plug)
{
	struct barkeep_bar bars[BARKEEP_BARS];
	u64 total = 0;
	unsigned int n;
	int ret;

	if (copy_from_user(bars, u64_to_user_ptr(plug->bars), sizeof(bars)))
		return -EFAULT;
	for (n = 0; n < BARKEEP_BARS; n++) {
		ret = bar_check(&bars[n], n);
		if (ret)
			return ret;
		total += bars[n].bytes;
	}
	if (total > BARKEEP_BAR_BYTES_MAX)
		return -EINVAL;

	for (n = 0; n < BARKEEP_BARS; n++) {
		struct barkeep_bar_memory *memory = &dev->bars[n];

		memory->dev = dev;
		memory->number = n;
		memory->bytes = bars[n].bytes;
		memory->flags = bars[n].flags;
		ret = memory->bytes ? bar_allocate(memory) : 0;
		if (ret)
			goto err;
	}
	ret = regions_apply(dev, plug);
	for (n = 0; !ret && n < BARKEEP_BARS; n++)
		ret = bar_back_shadow(&dev->bars[n]);
	if (ret)
		goto err;
	return 0;

err:
	barkeep_bars_destroy(dev);
	return ret;
}

void barkeep_bars_destroy(struct barkeep_device *dev)
{
	unsigned long page;
	int n;

	for (n = 0; n < BARKEEP_BARS; n++) {
		struct barkeep_bar_memory *bar = &dev->bars[n];

		for (page = 0; bar->pages && page < bar_pages(bar); page++) {
			if (bar->pages[page])
				put_page(bar->pages[page]);
		}
		kvfree(bar->pages);
		kvfree(bar->policy);
		memset(bar, 0, sizeof(*bar));
	}
}

/*
 * A pulled card reads as all-ones, through mappings that do not trap as well. What is
 * not backed yet traps until it is.
 */
void barkeep_bars_kill(struct barkeep_device *dev)
{
	struct page *page;
	unsigned long at;
	int n;

	for (n = 0; n < BARKEEP_BARS; n++)
		WRITE_ONCE(dev->bars[n].pulled, true);
	/* Pairs with cmpxchg() in barkeep_bar_page(). */
	smp_mb();

	for (n = 0; n < BARKEEP_BARS; n++) {
		struct barkeep_bar_memory *bar = &dev->bars[n];

		for (at = 0; at < bar_pages(bar); at++) {
			page = READ_ONCE(bar->pages[at]);
			if (page && bar->policy[at] == BARKEEP_POLICY_MEMORY)
				memset(page_address(page), 0xff, PAGE_SIZE);
			cond_resched();
		}
	}
}
