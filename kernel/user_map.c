// SPDX-License-Identifier: GPL-2.0-only
/*
 * User space's mappings of BARs. A driver makes one with its own means, sysfs, UIO,
 * VFIO, DRM; what it maps is an address in a window, where nothing is. So the area
 * gets our operations in front of the driver's: they serve faults (user_fault.c does
 * the access, if the page is not memory) and hold the device for as long as the area,
 * or a part or copy of it, exists. An entry of its page table that names a page of
 * ours is gone when the last of them is closed, and the page is not before.
 *
 * An area that exists is taken over at once; one that mmap() is making, later
 * (user_note.c).
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pfn_t.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "emulate.h"
#include "user_map.h"

#define USER_MAP_FLAGS	(VM_IO | VM_DONTEXPAND | VM_DONTDUMP)
#define USER_MAP_RAW	(VM_PFNMAP | VM_MIXEDMAP)

/* Inside mmap_lock. Protects areas from being taken over twice. */
DEFINE_MUTEX(barkeep_user_lock);

static void user_map_close(struct vm_area_struct *area);

struct user_map *barkeep_user_map_of(const struct vm_area_struct *area)
{
	const struct vm_operations_struct *operations = READ_ONCE(area->vm_ops);

	if (!operations || operations->close != user_map_close)
		return NULL;
	return container_of(operations, struct user_map, operations);
}

void barkeep_user_map_free(struct user_map *map)
{
	struct barkeep_device *dev = map->bar->dev;

	mtree_destroy(&map->served);
	/* Who looks at an area under RCU may still look at its operations. */
	kfree_rcu(map, rcu);
	barkeep_device_put(dev);
}

static void user_map_open(struct vm_area_struct *area)
{
	struct user_map *map = barkeep_user_map_of(area);

	refcount_inc(&map->areas);
	if (map->original->open)
		map->original->open(area);
}

static void user_map_close(struct vm_area_struct *area)
{
	struct user_map *map = barkeep_user_map_of(area);

	if (map->original->close)
		map->original->close(area);
	if (refcount_dec_and_test(&map->areas))
		barkeep_user_map_free(map);
}

/* Whether @map serves page offset @at, and by which page of the BAR. */
static bool user_map_find(struct user_map *map, unsigned long at, unsigned long *page)
{
	if (!mtree_load(&map->served, at))
		return false;
	*page = at + map->shift;
	return true;
}

/*
 * Whether an access to a page of a BAR has to fault, each time. Debug registers watch
 * the driver's mapping only: here a page with a watched range traps.
 */
static bool user_map_traps(const struct barkeep_bar_memory *bar, unsigned long page)
{
	return bar->policy[page] != BARKEEP_POLICY_MEMORY ||
	       barkeep_watch_covers(bar, (u64)page << PAGE_SHIFT, PAGE_SIZE);
}

/* What of a BAR @area shows around page offset @at, which is served. */
static void user_map_describe(struct user_map *map, struct vm_area_struct *area,
			      unsigned long at, struct barkeep_extent *extent)
{
	MA_STATE(state, &map->served, at, at);
	unsigned long first, end;

	rcu_read_lock();
	mas_walk(&state);
	rcu_read_unlock();
	first = max(state.index, area->vm_pgoff);
	end = min(state.last + 1, area->vm_pgoff + vma_pages(area));
	extent->bar = map->bar;
	extent->start = area->vm_start + ((first - area->vm_pgoff) << PAGE_SHIFT);
	extent->bytes = (end - first) << PAGE_SHIFT;
	extent->offset = (u64)(first + map->shift) << PAGE_SHIFT;
}

/*
 * Whether entries of @area are PFNs without a reference, of one kind: the core has it
 * for a bug to insert one elsewhere. A private writable mapping would be of copies.
 */
bool barkeep_user_is_raw(const struct vm_area_struct *area)
{
	return hweight_long(area->vm_flags & USER_MAP_RAW) == 1 &&
	       !is_cow_mapping(area->vm_flags);
}

/* Our pages are memory, and as such no PFN for an area of mixed entries. */
static vm_fault_t user_map_insert_page(struct vm_area_struct *area, unsigned long address,
				       struct page *page, pgprot_t protection)
{
	if (!barkeep_user_is_raw(area))
		return VM_FAULT_SIGBUS;
	if (area->vm_flags & VM_MIXEDMAP)
		return vmf_insert_mixed(area, address,
					__pfn_to_pfn_t(page_to_pfn(page), PFN_DEV));
	return vmf_insert_pfn_prot(area, address, page_to_pfn(page), protection);
}

static vm_fault_t user_map_insert(struct vm_fault *fault, struct barkeep_bar_memory *bar,
				  unsigned long page)
{
	struct page *backing = barkeep_bar_page(bar, page, GFP_KERNEL);

	if (!backing)
		return VM_FAULT_OOM;
	return user_map_insert_page(fault->vma, fault->address, backing,
				    vm_get_page_prot(fault->vma->vm_flags));
}

static vm_fault_t user_map_fault(struct vm_fault *fault)
{
	struct user_map *map = barkeep_user_map_of(fault->vma);
	struct barkeep_extent extent = {};
	unsigned long page;
	vm_fault_t ret;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	/* Whoever saw the driver's map_pages() may come without mmap_lock. */
	if (fault->flags & FAULT_FLAG_VMA_LOCK) {
		vma_end_read(fault->vma);
		return VM_FAULT_RETRY;
	}
#endif
	/* A driver that inserts pages is asked each time: it may have taken one back. */
	if (!map->whole || !user_map_find(map, fault->pgoff, &page)) {
		ret = map->original->fault ? map->original->fault(fault) : VM_FAULT_SIGBUS;
		if (ret != VM_FAULT_NOPAGE || !user_map_find(map, fault->pgoff, &page) ||
		    !user_map_traps(map->bar, page))
			return ret;
	} else if (!user_map_traps(map->bar, page) &&
		   READ_ONCE(map->bar->dev->config.decoding)) {
		return user_map_insert(fault, map->bar, page);
	}
	user_map_describe(map, fault->vma, fault->pgoff, &extent);
	return barkeep_user_fault(fault, &extent);
}

/*
 * For a debugger, and /proc/PID/mem. Registers are not for them: a look must have no
 * side effect. generic_access_phys() has no business with memory of the kernel.
 */
static int user_map_access(struct vm_area_struct *area, unsigned long address, void *buffer,
			   int bytes, int write)
{
	struct user_map *map = barkeep_user_map_of(area);
	struct page *backing;
	unsigned long page;
	void *memory;

	if (!user_map_find(map, linear_page_index(area, address), &page)) {
		if (!map->original->access || (!map->whole &&
					       map->original->access == generic_access_phys))
			return -EIO;
		return map->original->access(area, address, buffer, bytes, write);
	}
	if (user_map_traps(map->bar, page) || !READ_ONCE(map->bar->dev->config.decoding))
		return -EIO;
	if (write && !(area->vm_flags & VM_WRITE))
		return -EACCES;
	backing = barkeep_bar_page(map->bar, page, GFP_KERNEL);
	if (!backing)
		return -ENOMEM;
	memory = page_address(backing) + offset_in_page(address);
	bytes = min_t(int, bytes, PAGE_SIZE - offset_in_page(address));
	if (write)
		memcpy(memory, buffer, bytes);
	else
		memcpy(buffer, memory, bytes);
	return bytes;
}

static const struct vm_operations_struct user_map_nothing = {};

/* Puts our operations in front. The area is write-locked, or else in a fault. */
void barkeep_user_take_over(struct user_map *map, struct vm_area_struct *area)
{
	const struct vm_operations_struct *original = area->vm_ops ?: &user_map_nothing;
	/* Not map_pages(), with which faults come that cannot wait. */
	const struct vm_operations_struct operations = {
		.open = user_map_open,
		.close = user_map_close,
		.fault = user_map_fault,
		.access = user_map_access,
		.huge_fault = original->huge_fault,
		.page_mkwrite = original->page_mkwrite,
		.pfn_mkwrite = original->pfn_mkwrite,
		.may_split = original->may_split,
		.mremap = original->mremap,
		.mprotect = original->mprotect,
		.pagesize = original->pagesize,
		.name = original->name,
	};

	map->original = original;
	/* Const for all others. */
	memcpy((void *)&map->operations, &operations, sizeof(operations));
	/* Pairs with READ_ONCE() in barkeep_user_map_of() and the core's use. */
	smp_store_release(&area->vm_ops, &map->operations);
}

/* Takes over the caller's reference to the device of @bar, if there is no error. */
static struct user_map *user_map_create(struct vm_area_struct *area,
					struct barkeep_bar_memory *bar)
{
	struct user_map *map = kzalloc(sizeof(*map), GFP_KERNEL);
	int ret = 0;

	if (!map)
		return ERR_PTR(-ENOMEM);
	map->bar = bar;
	mt_init_flags(&map->served, MT_FLAGS_USE_RCU);
	refcount_set(&map->areas, 1);
	if (barkeep_user_is_new(area))
		ret = barkeep_user_note(map, area);
	else
		barkeep_user_take_over(map, area);
	if (ret) {
		kfree(map);
		return ERR_PTR(ret);
	}
	return map;
}

/*
 * The map of an area, which is given one if it has none. There is one for each area,
 * so all of it must be of one device. Takes over the reference in any case.
 */
static struct user_map *user_map_get(struct vm_area_struct *area, struct barkeep_bar_memory *bar)
{
	struct barkeep_device *dev = bar->dev;
	struct user_map *map = barkeep_user_map_of(area);

	lockdep_assert_held(&barkeep_user_lock);
	if (!map)
		map = barkeep_user_noted(area);
	if (!map) {
		map = user_map_create(area, bar);
		if (!IS_ERR(map))
			return map;
	} else if (map->bar->dev != dev) {
		map = ERR_PTR(-ENXIO);
	}
	barkeep_device_put(dev);
	return map;
}

/* Has @map serve @count pages of @bar from page offset @at on, as well, or still. */
static int user_map_extend(struct user_map *map, struct barkeep_bar_memory *bar,
			   unsigned long at, unsigned long page, unsigned long count)
{
	if (mtree_empty(&map->served)) {
		map->bar = bar;
		map->shift = page - at;
	} else if (map->bar != bar || page - at != map->shift) {
		return -ENXIO;
	}
	if (count == 1 && mtree_load(&map->served, at))
		return 0;
	/* Any entry does that is not NULL. */
	return mtree_store_range(&map->served, at, at + count - 1, map, GFP_KERNEL);
}

static int user_map_serve(struct vm_area_struct *area, struct barkeep_bar_memory *bar,
			  u64 offset, unsigned long at, unsigned long count, bool whole)
{
	struct user_map *map;
	int ret;

	mutex_lock(&barkeep_user_lock);
	map = user_map_get(area, bar);
	ret = PTR_ERR_OR_ZERO(map);
	if (!ret)
		ret = user_map_extend(map, bar, at, offset >> PAGE_SHIFT, count);
	if (!ret && whole)
		map->whole = true;
	mutex_unlock(&barkeep_user_lock);
	return ret;
}

static void user_map_set_flags(struct vm_area_struct *area)
{
	unsigned long flags = USER_MAP_FLAGS;

	if (!(area->vm_flags & VM_MIXEDMAP))
		flags |= VM_PFNMAP;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(area, flags);
#else
	area->vm_flags |= flags;
#endif
}

/* In place of remap_pfn_range(): nothing becomes present before it is touched. */
int barkeep_user_remap(struct vm_area_struct *area, unsigned long address, unsigned long pfn,
		       unsigned long bytes)
{
	unsigned long count = PAGE_ALIGN(bytes) >> PAGE_SHIFT;
	unsigned long at = linear_page_index(area, address);
	struct barkeep_bar_memory *bar;
	u64 offset;

	if (!PAGE_ALIGNED(address) || !count ||
	    address < area->vm_start || address >= area->vm_end ||
	    count > (area->vm_end - address) >> PAGE_SHIFT)
		return -EINVAL;
	if (barkeep_user_is_new(area))
		user_map_set_flags(area);
	if (!barkeep_user_is_raw(area) || (area->vm_flags & USER_MAP_FLAGS) != USER_MAP_FLAGS)
		return -EINVAL;
	bar = barkeep_window_find(PFN_PHYS(pfn), count << PAGE_SHIFT, &offset);
	if (!bar)
		return -ENXIO;
	return user_map_serve(area, bar, offset, at, count, true);
}

/*
 * In place of vmf_insert_pfn() and the like. The area of a page that is inserted is
 * ours by then; what is not inserted is served by us when it faults.
 */
int barkeep_user_insert(struct vm_area_struct *area, unsigned long address, unsigned long pfn,
			pgprot_t protection)
{
	struct barkeep_bar_memory *bar;
	struct user_map *map;
	struct page *page;
	u64 offset;

	if (!barkeep_user_is_raw(area))
		return -EINVAL;
	bar = barkeep_window_find(PFN_PHYS(pfn), PAGE_SIZE, &offset);
	if (!bar)
		return -ENXIO;

	if (barkeep_user_is_new(area) || user_map_traps(bar, offset >> PAGE_SHIFT))
		return user_map_serve(area, bar, offset, linear_page_index(area, address), 1,
				      barkeep_user_is_new(area));
	page = barkeep_bar_page(bar, offset >> PAGE_SHIFT, GFP_KERNEL);
	if (!page) {
		barkeep_device_put(bar->dev);
		return -ENOMEM;
	}
	mutex_lock(&barkeep_user_lock);
	map = user_map_get(area, bar);
	mutex_unlock(&barkeep_user_lock);
	if (IS_ERR(map))
		return PTR_ERR(map);
	switch (user_map_insert_page(area, address, page, protection)) {
	case VM_FAULT_NOPAGE:
		return 0;
	case VM_FAULT_OOM:
		return -ENOMEM;
	default:
		return -EFAULT;
	}
}

/*
 * The BAR that user space has mapped at @address, with a reference to its device:
 * false if it is something else. May sleep; mmap_lock is not held.
 */
bool barkeep_user_find(unsigned long address, struct barkeep_target *target)
{
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *area;
	struct user_map *map;
	unsigned long page;
	bool found;

	mmap_read_lock(mm);
	area = vma_lookup(mm, address);
	map = area && area->vm_flags & (VM_READ | VM_WRITE) ? barkeep_user_map_of(area) : NULL;
	found = map && user_map_find(map, linear_page_index(area, address), &page);
	if (found) {
		barkeep_device_get(map->bar->dev);
		target->bar = map->bar;
		target->offset = ((u64)page << PAGE_SHIFT) + offset_in_page(address);
		target->read_only = !(area->vm_flags & VM_WRITE);
		target->counted = true;
	}
	mmap_read_unlock(mm);
	return found;
}
