// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA, the driver's side: dma_map_ops that record every mapping to the byte.
 * dma_copy.c, the device's side, can reach what is recorded and nothing else.
 *
 * Drivers map and unmap in any context but NMI, so records are allocated
 * atomically, and one lock, taken with interrupts off, covers the record and the
 * address allocator. A copy holds that lock for reading, a piece at a time:
 * after unmap has had it for writing no copy touches the memory, which the
 * driver may free at once. A reference to the page would not do instead: it
 * keeps a page from being reused, but not an object inside it.
 *
 * There is no sync_*: memory is coherent, nothing is bounced. There is no
 * map_resource: peer-to-peer addresses are refused by the core then.
 */
#include <linux/dma-map-ops.h>
#include <linux/mm.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "dma.h"

/* Else what is set in dev->dma_ops is never called. */
#if !defined(CONFIG_ARCH_HAS_DMA_OPS) && !defined(CONFIG_DMA_OPS)
#error "barkeep needs a kernel whose devices can have DMA operations of their own"
#endif

/* What IOMMUs commonly have; with 64-bit masks, above all physical memory. */
#define DMA_IOVA_LIMIT	DMA_BIT_MASK(48)

/* Writes to these are interrupt messages on x86. */
#define DMA_MSI_FIRST	0xfee00000UL
#define DMA_MSI_LAST	0xfeefffffUL

/* Of those that a driver leaves behind. */
#define DMA_LEAKS_LISTED	4

static struct barkeep_dma_space *dma_space(struct device *device)
{
	return &barkeep_from_pci(to_pci_dev(device)->bus)->dma;
}

/* With space->lock held for writing. */
static int dma_place(struct barkeep_dma_space *space, struct barkeep_dma_mapping *mapping,
		     size_t length, u64 limit)
{
	u64 offset = offset_in_page(mapping->physical);
	u64 start = mapping->physical;

	if (!space->direct) {
		limit = min_t(u64, limit, DMA_IOVA_LIMIT);
		if (length > limit)
			return -ENOMEM;
		/* Aligned to its size, which coherent memory must be. */
		mapping->iova = alloc_iova(&space->iova, PFN_UP(offset + length),
					   limit >> PAGE_SHIFT, true);
		if (!mapping->iova)
			return -ENOMEM;
		start = iova_dma_addr(&space->iova, mapping->iova) + offset;
	}
	if (length - 1 > limit || start > limit - (length - 1)) {
		if (mapping->iova)
			__free_iova(&space->iova, mapping->iova);
		return -EIO;
	}
	mapping->range.start = start;
	mapping->range.last = start + length - 1;
	return 0;
}

/* Errors are those that map_sg may return. */
static int dma_map(struct device *device, struct barkeep_dma_mapping *request, size_t length,
		   u64 mask)
{
	struct barkeep_dma_space *space = dma_space(device);
	u64 limit = min_not_zero(mask, device->bus_dma_limit);
	struct barkeep_dma_mapping *mapping;
	unsigned long flags;
	int ret = -EIO;

	if (!length)
		return -EINVAL;
	mapping = kmemdup(request, sizeof(*request), GFP_ATOMIC | __GFP_NOWARN);
	if (!mapping)
		return -ENOMEM;

	write_lock_irqsave(&space->lock, flags);
	if (space->ready)
		ret = dma_place(space, mapping, length, limit);
	if (!ret) {
		request->range = mapping->range;
		interval_tree_insert(&mapping->range, &space->mappings);
		if (mapping->range.start < space->last_address + space->last_length &&
		    mapping->range.last >= space->last_address)
			space->last_length = 0;
	}
	write_unlock_irqrestore(&space->lock, flags);

	if (ret)
		kfree(mapping);
	return ret;
}

/*
 * Without an IOMMU several mappings can have one address, and a driver may give
 * a wrong length or direction. Something at that address must go all the same,
 * or the device could reach memory that the driver is about to free.
 */
static struct barkeep_dma_mapping *dma_match(struct barkeep_dma_space *space,
					     struct barkeep_dma_mapping *request, size_t length)
{
	struct barkeep_dma_mapping *mapping, *best = NULL;
	u64 address = request->range.start;
	struct interval_tree_node *node;
	int score, best_score = -1;

	for (node = interval_tree_iter_first(&space->mappings, address, address); node;
	     node = interval_tree_iter_next(node, address, address)) {
		mapping = container_of(node, struct barkeep_dma_mapping, range);
		if (node->start != address || mapping->coherent != request->coherent)
			continue;
		score = 2 * (node->last - node->start == length - 1) +
			(mapping->direction == request->direction);
		if (score > best_score) {
			best = mapping;
			best_score = score;
		}
		if (score == 3)
			break;
	}
	return best;
}

/*
 * On return nothing reads or writes the memory for the device any more. True if
 * that is so because of this call, or because there are no mappings any more;
 * false if nothing was mapped there.
 */
static bool dma_unmap(struct device *device, struct barkeep_dma_mapping *request, size_t length)
{
	struct barkeep_dma_space *space = dma_space(device);
	struct barkeep_dma_mapping *mapping = NULL;
	unsigned long flags;
	bool gone;

	write_lock_irqsave(&space->lock, flags);
	gone = !space->ready;
	if (!gone)
		mapping = dma_match(space, request, length);
	if (mapping) {
		interval_tree_remove(&mapping->range, &space->mappings);
		space->last_address = mapping->range.start;
		space->last_length = mapping->range.last - mapping->range.start + 1;
		if (mapping->iova)
			__free_iova(&space->iova, mapping->iova);
		*request = *mapping;
	}
	write_unlock_irqrestore(&space->lock, flags);

	kfree(mapping);
	return gone || mapping;
}

static dma_addr_t barkeep_dma_map_page(struct device *device, struct page *page,
				       unsigned long offset, size_t length,
				       enum dma_data_direction direction, unsigned long attrs)
{
	struct barkeep_dma_mapping request = {
		.physical = page_to_phys(page) + offset,
		.direction = direction,
	};

	if (dma_map(device, &request, length, dma_get_mask(device)))
		return DMA_MAPPING_ERROR;
	return request.range.start;
}

static void barkeep_dma_unmap_page(struct device *device, dma_addr_t address, size_t length,
				   enum dma_data_direction direction, unsigned long attrs)
{
	struct barkeep_dma_mapping request = {
		.range.start = address,
		.direction = direction,
	};

	dma_unmap(device, &request, length);
}

static void barkeep_dma_unmap_sg(struct device *device, struct scatterlist *list, int count,
				 enum dma_data_direction direction, unsigned long attrs)
{
	struct scatterlist *entry;
	int i;

	for_each_sg(list, entry, count, i)
		barkeep_dma_unmap_page(device, sg_dma_address(entry), sg_dma_len(entry), direction,
				       attrs);
}

static int barkeep_dma_map_sg(struct device *device, struct scatterlist *list, int count,
			      enum dma_data_direction direction, unsigned long attrs)
{
	struct scatterlist *entry;
	int i, ret;

	for_each_sg(list, entry, count, i) {
		struct barkeep_dma_mapping request = {
			.physical = sg_phys(entry),
			.direction = direction,
		};

		ret = dma_map(device, &request, entry->length, dma_get_mask(device));
		if (ret) {
			barkeep_dma_unmap_sg(device, list, i, direction, attrs);
			return ret;
		}
		sg_dma_address(entry) = request.range.start;
		sg_dma_len(entry) = entry->length;
	}
	return count;
}

static void *dma_alloc(struct device *device, size_t length, dma_addr_t *address,
		       enum dma_data_direction direction, gfp_t gfp)
{
	/* From the widest on; which pages a mask reaches is known only afterwards. */
	static const gfp_t zones[] = { 0, GFP_DMA32, GFP_DMA };
	unsigned int i;

	/* More than the page allocator has in one piece makes it warn. */
	if (!length || length > KMALLOC_MAX_SIZE)
		return NULL;

	for (i = 0; i < ARRAY_SIZE(zones); i++) {
		struct barkeep_dma_mapping request = {
			.direction = direction,
			.coherent = true,
		};
		void *memory;
		int ret;

		memory = alloc_pages_exact(length, gfp | zones[i] | __GFP_ZERO);
		if (!memory)
			return NULL;
		request.physical = virt_to_phys(memory);
		ret = dma_map(device, &request, length, device->coherent_dma_mask);
		if (!ret) {
			*address = request.range.start;
			return memory;
		}
		free_pages_exact(memory, length);
		if (ret != -EIO)
			return NULL;
	}
	return NULL;
}

static void dma_free(struct device *device, size_t length, void *memory, dma_addr_t address,
		     enum dma_data_direction direction)
{
	struct barkeep_dma_mapping request = {
		.physical = virt_to_phys(memory),
		.range = { .start = address, .last = address + length - 1 },
		.direction = direction,
		.coherent = true,
	};

	/* Better lost than free while the device can write to it. */
	if (!dma_unmap(device, &request, length))
		return;
	free_pages_exact(phys_to_virt(request.physical),
			 request.range.last - request.range.start + 1);
}

static void *barkeep_dma_alloc(struct device *device, size_t length, dma_addr_t *address,
			       gfp_t gfp, unsigned long attrs)
{
	if (attrs & DMA_ATTR_NO_WARN)
		gfp |= __GFP_NOWARN;
	return dma_alloc(device, length, address, DMA_BIDIRECTIONAL, gfp);
}

static void barkeep_dma_free(struct device *device, size_t length, void *memory,
			     dma_addr_t address, unsigned long attrs)
{
	dma_free(device, length, memory, address, DMA_BIDIRECTIONAL);
}

static struct page *barkeep_dma_alloc_pages(struct device *device, size_t length,
					    dma_addr_t *address,
					    enum dma_data_direction direction, gfp_t gfp)
{
	void *memory = dma_alloc(device, length, address, direction, gfp);

	return memory ? virt_to_page(memory) : NULL;
}

static void barkeep_dma_free_pages(struct device *device, size_t length, struct page *page,
				   dma_addr_t address, enum dma_data_direction direction)
{
	dma_free(device, length, page_address(page), address, direction);
}

static int barkeep_dma_mmap(struct device *device, struct vm_area_struct *vma, void *memory,
			    dma_addr_t address, size_t length, unsigned long attrs)
{
	return dma_mmap_pages(device, vma, length, virt_to_page(memory));
}

static int barkeep_dma_get_sgtable(struct device *device, struct sg_table *table, void *memory,
				   dma_addr_t address, size_t length, unsigned long attrs)
{
	int ret = sg_alloc_table(table, 1, GFP_KERNEL);

	if (!ret)
		sg_set_page(table->sgl, virt_to_page(memory), PAGE_ALIGN(length), 0);
	return ret;
}

static int barkeep_dma_supported(struct device *device, u64 mask)
{
	/* Less than ISA reached, the page allocator has no zone for. */
	return mask >= DMA_BIT_MASK(24);
}

static u64 barkeep_dma_get_required_mask(struct device *device)
{
	if (!dma_space(device)->direct)
		return DMA_BIT_MASK(32);
	return DMA_BIT_MASK(fls64(virt_to_phys(high_memory - 1)));
}

static const struct dma_map_ops barkeep_dma_ops = {
	.alloc = barkeep_dma_alloc,
	.free = barkeep_dma_free,
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	.alloc_pages_op = barkeep_dma_alloc_pages,
#else
	.alloc_pages = barkeep_dma_alloc_pages,
#endif
	.free_pages = barkeep_dma_free_pages,
	.mmap = barkeep_dma_mmap,
	.get_sgtable = barkeep_dma_get_sgtable,
	.map_page = barkeep_dma_map_page,
	.unmap_page = barkeep_dma_unmap_page,
	.map_sg = barkeep_dma_map_sg,
	.unmap_sg = barkeep_dma_unmap_sg,
	.dma_supported = barkeep_dma_supported,
	.get_required_mask = barkeep_dma_get_required_mask,
};

/*
 * Addresses that are never memory for this device: page 0, for a driver's zeroed
 * descriptor must fail; interrupt messages; and its own BARs, which a root port
 * would not pass on.
 */
static int dma_init_iova(struct barkeep_device *dev)
{
	struct iova_domain *iova = &dev->dma.iova;
	unsigned int i;
	int ret;

	ret = iova_cache_get();
	if (ret)
		return ret;
	init_iova_domain(iova, PAGE_SIZE, 1);
	if (!reserve_iova(iova, PFN_DOWN(DMA_MSI_FIRST), PFN_DOWN(DMA_MSI_LAST)))
		goto err_iova;
	for (i = 0; i < ARRAY_SIZE(dev->windows); i++) {
		if (!dev->windows[i].resource.flags)
			continue;
		if (!reserve_iova(iova, PFN_DOWN(dev->windows[i].resource.start),
				  PFN_DOWN(dev->windows[i].resource.end)))
			goto err_iova;
	}
	return 0;

err_iova:
	put_iova_domain(iova);
	iova_cache_put();
	return -ENOMEM;
}

/**
 * barkeep_dma_init() - begin recording
 * @dev: the device, its windows reserved, not yet visible
 * @direct: hand out physical addresses
 *
 * Return: 0 or a negative errno. barkeep_dma_destroy() undoes it.
 */
int barkeep_dma_init(struct barkeep_device *dev, bool direct)
{
	struct barkeep_dma_space *space = &dev->dma;
	int ret;

	rwlock_init(&space->lock);
	space->mappings = RB_ROOT_CACHED;
	space->direct = direct;
	if (!direct) {
		ret = dma_init_iova(dev);
		if (ret)
			return ret;
	}
	space->ready = true;
	return 0;
}

/* All mappings, which the device cannot reach any more on return. */
static struct rb_root dma_take(struct barkeep_dma_space *space, bool ready)
{
	struct rb_root root;

	write_lock_irq(&space->lock);
	WRITE_ONCE(space->ready, ready);
	root = space->mappings.rb_root;
	space->mappings = RB_ROOT_CACHED;
	write_unlock_irq(&space->lock);
	return root;
}

/**
 * barkeep_dma_destroy() - forget all mappings
 * @dev: the device, whose driver is gone
 *
 * Calls of the DMA API that come later still, by whoever holds the pci_dev, map
 * nothing. Does nothing if barkeep_dma_init() has not been through.
 */
void barkeep_dma_destroy(struct barkeep_device *dev)
{
	struct barkeep_dma_space *space = &dev->dma;
	struct barkeep_dma_mapping *mapping, *next;
	struct rb_root root;

	if (!READ_ONCE(space->ready))
		return;
	root = dma_take(space, false);
	rbtree_postorder_for_each_entry_safe(mapping, next, &root, range.rb)
		kfree(mapping);
	if (!space->direct) {
		put_iova_domain(&space->iova);
		iova_cache_put();
	}
}

static void dma_list_leaks(struct pci_dev *pdev, const struct rb_root *root)
{
	struct barkeep_dma_mapping *mapping;
	unsigned int count = 0;
	struct rb_node *rb;
	char list[128];
	int length = 0;

	for (rb = rb_first(root); rb; rb = rb_next(rb), count++) {
		if (count >= DMA_LEAKS_LISTED)
			continue;
		mapping = rb_entry(rb, struct barkeep_dma_mapping, range.rb);
		length += scnprintf(list + length, sizeof(list) - length, "%s%#lx (%lu bytes)",
				    count ? ", " : "", mapping->range.start,
				    mapping->range.last - mapping->range.start + 1);
	}
	dev_warn_ratelimited(&pdev->dev, "a driver has not unmapped %u DMA mappings: %s%s\n",
			     count, list, count > DMA_LEAKS_LISTED ? ", ..." : "");
}

/**
 * barkeep_dma_detach() - forget what a driver has leaked
 * @dev: the device
 * @pdev: its function, which has no driver now
 *
 * The memory may serve others soon, so it is off limits to the device from here
 * on. Coherent memory that is freed later still is lost: dma_free() says why.
 */
void barkeep_dma_detach(struct barkeep_device *dev, struct pci_dev *pdev)
{
	struct barkeep_dma_space *space = &dev->dma;
	struct barkeep_dma_mapping *mapping, *next;
	struct rb_root root = dma_take(space, true);

	if (RB_EMPTY_ROOT(&root))
		return;
	dma_list_leaks(pdev, &root);
	rbtree_postorder_for_each_entry_safe(mapping, next, &root, range.rb) {
		if (mapping->iova)
			__free_iova(&space->iova, mapping->iova);
		kfree(mapping);
	}
}

/**
 * barkeep_dma_attach() - have the DMA API come here
 * @dev: the device
 * @pdev: its function, found by a scan, not yet added to the bus
 */
void barkeep_dma_attach(struct barkeep_device *dev, struct pci_dev *pdev)
{
	set_dma_ops(&pdev->dev, &barkeep_dma_ops);
}
