// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical address space for BARs. A window is a hole in iomem_resource: there is
 * nothing behind it and nothing has to be, for every mapping of it is ours (map.c)
 * and no access ever leaves the CPU.
 */
#include <linux/ioport.h>
#include <linux/mutex.h>

#include "barkeep.h"

#define BELOW_4G	0
#define ABOVE_4G	1

/*
 * Where to look for a hole, best first. Above 4 GiB in the upper part, far from
 * memory that may be plugged in later. Below it not where interrupt controllers
 * are, which not every machine lists.
 */
static const struct {
	int window;
	u64 start;
	u64 end;		/* inclusive; 0: as the CPU has address bits */
} window_places[] = {
	{ BELOW_4G, SZ_1M, 0xfebfffff },
	{ BELOW_4G, 0xfef00000, U32_MAX },
	{ ABOVE_4G, 1ULL << 38, 0 },
	{ ABOVE_4G, 1ULL << 32, 0 },
};

/* Physical address to window; changed under the lock, read under RCU. */
static struct latch_tree_root barkeep_windows;
static DEFINE_MUTEX(window_lock);

/* What a tree is asked for: any window with a byte of it. */
struct window_key {
	phys_addr_t first;
	phys_addr_t last;
};

static struct barkeep_window *window_at(struct latch_tree_node *node)
{
	return container_of(node, struct barkeep_window, node);
}

static bool window_less(struct latch_tree_node *a, struct latch_tree_node *b)
{
	return window_at(a)->resource.start < window_at(b)->resource.start;
}

static int window_compare(void *key, struct latch_tree_node *node)
{
	const struct resource *resource = &window_at(node)->resource;
	const struct window_key *wanted = key;

	if (wanted->last < resource->start)
		return -1;
	return wanted->first > resource->end;
}

static const struct latch_tree_ops window_order = {
	.less = window_less,
	.comp = window_compare,
};

/* To be used under RCU. */
static struct barkeep_window *window_find(phys_addr_t first, phys_addr_t last)
{
	struct window_key key = { first, last };
	struct latch_tree_node *node = latch_tree_find(&key, &barkeep_windows, &window_order);

	return node ? window_at(node) : NULL;
}

static int window_of(const struct barkeep_bar_memory *bar)
{
	return bar->flags & BARKEEP_BAR_64BIT ? ABOVE_4G : BELOW_4G;
}

static int window_take(struct resource *window, int which, u64 bytes, u64 align)
{
	u64 last = (1ULL << boot_cpu_data.x86_phys_bits) - 1;
	int n;

	window->name = "barkeep";
	for (n = 0; n < ARRAY_SIZE(window_places); n++) {
		if (window_places[n].window != which)
			continue;
		window->flags = IORESOURCE_MEM;
		if (which == ABOVE_4G)
			window->flags |= IORESOURCE_MEM_64;
		if (!allocate_resource(&iomem_resource, window, bytes, window_places[n].start,
				       window_places[n].end ?: last, align, NULL, NULL))
			return 0;
	}
	window->flags = 0;
	return -ENOSPC;
}

/*
 * All BARs of a window have sizes that are powers of two: in falling order, as
 * the PCI core places them, they fit without gaps into their sum, if that begins
 * at a multiple of the largest.
 */
static int window_allocate(struct barkeep_device *dev, int which)
{
	struct barkeep_window *window = &dev->windows[which];
	u64 total = 0, largest = 0;
	int n, ret;

	for (n = 0; n < BARKEEP_BARS; n++) {
		if (!dev->bars[n].bytes || window_of(&dev->bars[n]) != which)
			continue;
		total += dev->bars[n].bytes;
		largest = max(largest, dev->bars[n].bytes);
	}
	if (!total)
		return 0;

	ret = window_take(&window->resource, which, total, largest);
	if (ret)
		return ret;
	window->dev = dev;
	mutex_lock(&window_lock);
	latch_tree_insert(&window->node, &barkeep_windows, &window_order);
	mutex_unlock(&window_lock);
	return 0;
}

static void window_free(struct barkeep_window *window)
{
	if (!window->resource.flags)
		return;
	mutex_lock(&window_lock);
	latch_tree_erase(&window->node, &barkeep_windows, &window_order);
	mutex_unlock(&window_lock);
	/* barkeep_window_find() may still hold what it found. */
	synchronize_rcu();
	release_resource(&window->resource);
	window->resource.flags = 0;
}

int barkeep_window_reserve(struct barkeep_device *dev)
{
	int ret = window_allocate(dev, BELOW_4G);

	if (ret)
		return ret;
	ret = window_allocate(dev, ABOVE_4G);
	if (ret)
		window_free(&dev->windows[BELOW_4G]);
	return ret;
}

void barkeep_window_release(struct barkeep_device *dev)
{
	window_free(&dev->windows[BELOW_4G]);
	window_free(&dev->windows[ABOVE_4G]);
}

/* Whether any byte of a mapping that begins here is in a window. Any context. */
bool barkeep_window_contains(phys_addr_t address, size_t bytes)
{
	bool ret;

	rcu_read_lock();
	ret = bytes && window_find(address, address + bytes - 1);
	rcu_read_unlock();
	return ret;
}

/*
 * The BAR that decodes @bytes from @address on, with a reference to its device,
 * or NULL if no one BAR does.
 */
struct barkeep_bar_memory *barkeep_window_find(phys_addr_t address, size_t bytes, u64 *offset)
{
	struct barkeep_device *dev = NULL;
	struct barkeep_window *window;
	int n;

	rcu_read_lock();
	window = window_find(address, address);
	if (window && kref_get_unless_zero(&window->dev->refs))
		dev = window->dev;
	rcu_read_unlock();
	if (!dev)
		return NULL;

	for (n = 0; n < BARKEEP_BARS; n++) {
		u64 start = barkeep_config_bar(dev, n);

		if (!dev->bars[n].bytes || !start || address < start ||
		    address - start >= dev->bars[n].bytes ||
		    bytes > dev->bars[n].bytes - (address - start))
			continue;
		*offset = address - start;
		return &dev->bars[n];
	}
	barkeep_device_put(dev);
	return NULL;
}
