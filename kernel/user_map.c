// SPDX-License-Identifier: GPL-2.0-only
/*
 * User space's mappings of BARs. A driver makes one with its own means, sysfs, UIO,
 * VFIO, DRM; what it maps is an address in a window, where nothing is. So the area
 * gets our operations in front of the driver's: they serve faults (user_fault.c does
 * the access, if the page is not memory) and hold the device for as long as the area,
 * or a part or copy of it, exists. An entry of its page table that names a page of
 * ours is gone when the last of them is closed, and the page is not before.
 *
 * When mmap() calls the driver, the operations are not final: kernfs puts its own in
 * front, others set them last of all. So an area that is being made is noted, and
 * taken over before the system call returns. One that exists is taken over at once.
 */
#include <linux/file.h>
#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pfn_t.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/version.h>

#include "emulate.h"

#define USER_MAP_FLAGS	(VM_IO | VM_DONTEXPAND | VM_DONTDUMP)
#define USER_MAP_RAW	(VM_PFNMAP | VM_MIXEDMAP)

/**
 * struct user_map - what came from one area, by split, move and fork
 * @operations: of these areas, fixed before one has them
 * @original: what is behind them: the driver's
 * @areas: how many there are
 * @bar: with a reference to its device
 * @served: page offsets that faults are served for, under RCU
 * @shift: from page offset to page of @bar
 * @whole: faults are served for memory too, not only for what traps: the driver mapped
 *	it without being asked for each page
 * @area: only used while it is noted, as the rest
 * @start: its first address
 * @file: that it is of, with a reference: neither it nor @area is told from another
 *	by its address alone
 * @offset: its first page offset
 * @task: that makes it
 * @mm: that it is in
 * @settle: what is done when the system call returns
 * @node: among all that are noted
 * @rcu: for freeing it
 *
 * user_map_lock protects @shift, and @bar until something is served. Faults look without
 * it: both are there before @served has the page.
 */
struct user_map {
	struct vm_operations_struct operations;
	const struct vm_operations_struct *original;
	refcount_t areas;
	struct barkeep_bar_memory *bar;
	struct maple_tree served;
	unsigned long shift;
	bool whole;
	const struct vm_area_struct *area;
	unsigned long start;
	struct file *file;
	unsigned long offset;
	const struct task_struct *task;
	struct mm_struct *mm;
	struct callback_head settle;
	struct list_head node;
	struct rcu_head rcu;
};

/* Inside mmap_lock. Protects the list, and areas from being taken over twice. */
static DEFINE_MUTEX(user_map_lock);
static LIST_HEAD(user_map_noted);

static void user_map_close(struct vm_area_struct *area);

static struct user_map *user_map_of(const struct vm_area_struct *area)
{
	const struct vm_operations_struct *operations = READ_ONCE(area->vm_ops);

	if (!operations || operations->close != user_map_close)
		return NULL;
	return container_of(operations, struct user_map, operations);
}

static void user_map_free(struct user_map *map)
{
	struct barkeep_device *dev = map->bar->dev;

	mtree_destroy(&map->served);
	/* Who looks at an area under RCU may still look at its operations. */
	kfree_rcu(map, rcu);
	barkeep_device_put(dev);
}

static void user_map_open(struct vm_area_struct *area)
{
	struct user_map *map = user_map_of(area);

	refcount_inc(&map->areas);
	if (map->original->open)
		map->original->open(area);
}

static void user_map_close(struct vm_area_struct *area)
{
	struct user_map *map = user_map_of(area);

	if (map->original->close)
		map->original->close(area);
	if (refcount_dec_and_test(&map->areas))
		user_map_free(map);
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
static bool user_map_is_raw(const struct vm_area_struct *area)
{
	return hweight_long(area->vm_flags & USER_MAP_RAW) == 1 &&
	       !is_cow_mapping(area->vm_flags);
}

/* Our pages are memory, and as such no PFN for an area of mixed entries. */
static vm_fault_t user_map_insert_page(struct vm_area_struct *area, unsigned long address,
				       struct page *page, pgprot_t protection)
{
	if (!user_map_is_raw(area))
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
	struct user_map *map = user_map_of(fault->vma);
	struct barkeep_extent extent = {};
	unsigned long page;
	bool memory;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	/* Whoever saw the driver's map_pages() may come without mmap_lock. */
	if (fault->flags & FAULT_FLAG_VMA_LOCK) {
		vma_end_read(fault->vma);
		return VM_FAULT_RETRY;
	}
#endif
	if (!user_map_find(map, fault->pgoff, &page))
		goto original;
	memory = !user_map_traps(map->bar, page);
	if (memory && !map->whole)
		goto original;
	if (memory && READ_ONCE(map->bar->dev->config.decoding))
		return user_map_insert(fault, map->bar, page);

	user_map_describe(map, fault->vma, fault->pgoff, &extent);
	return barkeep_user_fault(fault, &extent);

original:
	return map->original->fault ? map->original->fault(fault) : VM_FAULT_SIGBUS;
}

/*
 * For a debugger, and /proc/PID/mem. Registers are not for them: a look must have no
 * side effect. generic_access_phys() has no business with memory of the kernel.
 */
static int user_map_access(struct vm_area_struct *area, unsigned long address, void *buffer,
			   int bytes, int write)
{
	struct user_map *map = user_map_of(area);
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
static void user_map_take_over(struct user_map *map, struct vm_area_struct *area)
{
	const struct vm_operations_struct *original = area->vm_ops ?: &user_map_nothing;

	map->original = original;
	/* Not map_pages(), with which faults come that cannot wait. */
	map->operations = (struct vm_operations_struct) {
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
	/* Pairs with READ_ONCE() in user_map_of() and the core's use. */
	smp_store_release(&area->vm_ops, &map->operations);
}

static void user_map_write_lock(struct vm_area_struct *area)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	vma_start_write(area);
#endif
}

static bool user_map_is_noted(const struct user_map *map, const struct vm_area_struct *area)
{
	return map->area == area && map->start == area->vm_start && map->file == area->vm_file &&
	       map->offset == area->vm_pgoff;
}

/* The area that was noted, if it is still there. It can be neither if mmap() failed. */
static bool user_map_settle_area(struct user_map *map)
{
	struct vm_area_struct *area = vma_lookup(map->mm, map->start);

	if (!area || !user_map_is_noted(map, area) || !user_map_is_raw(area) || user_map_of(area))
		return false;
	user_map_write_lock(area);
	user_map_take_over(map, area);
	return true;
}

/* Before the task that made the area returns to user space, or when it ends. */
static void user_map_settle(struct callback_head *work)
{
	struct user_map *map = container_of(work, struct user_map, settle);
	struct barkeep_device *dev = map->bar->dev;
	struct mm_struct *mm = map->mm;
	struct file *file = map->file;
	bool alive = mmget_not_zero(mm);
	bool settled = false;

	/* Without mmap_lock the area may be closed, and @map is gone. */
	barkeep_device_get(dev);
	if (alive)
		mmap_write_lock(mm);
	mutex_lock(&user_map_lock);
	list_del(&map->node);
	if (alive)
		settled = user_map_settle_area(map);
	mutex_unlock(&user_map_lock);
	if (alive) {
		mmap_write_unlock(mm);
		mmput(mm);
	}
	mmdrop(mm);
	fput(file);
	/* Nothing of ours is in its page table: see barkeep_user_insert(). */
	if (!settled)
		user_map_free(map);
	barkeep_device_put(dev);
}

static struct user_map *user_map_find_noted(const struct vm_area_struct *area)
{
	struct user_map *map;

	list_for_each_entry(map, &user_map_noted, node) {
		if (user_map_is_noted(map, area) && map->task == current)
			return map;
	}
	return NULL;
}

/* Whether mmap() is making @area still. */
static bool user_map_is_new(struct vm_area_struct *area)
{
	return vma_lookup(area->vm_mm, area->vm_start) != area;
}

static int user_map_note(struct user_map *map, struct vm_area_struct *area)
{
	int ret;

	map->area = area;
	map->start = area->vm_start;
	map->file = area->vm_file;
	map->offset = area->vm_pgoff;
	map->task = current;
	map->mm = area->vm_mm;
	init_task_work(&map->settle, user_map_settle);
	if (!map->file || area->vm_mm != current->mm || current->flags & PF_KTHREAD)
		return -ESRCH;
	ret = task_work_add(current, &map->settle, TWA_RESUME);
	if (ret)
		return ret;
	mmgrab(map->mm);
	get_file(map->file);
	list_add(&map->node, &user_map_noted);
	return 0;
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
	if (user_map_is_new(area))
		ret = user_map_note(map, area);
	else
		user_map_take_over(map, area);
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
	struct user_map *map = user_map_of(area);

	lockdep_assert_held(&user_map_lock);
	if (!map)
		map = user_map_find_noted(area);
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

/* Has @map serve @count pages of @bar from page offset @at on, as well. */
static int user_map_extend(struct user_map *map, struct barkeep_bar_memory *bar,
			   unsigned long at, unsigned long page, unsigned long count)
{
	if (mtree_empty(&map->served)) {
		map->bar = bar;
		map->shift = page - at;
	} else if (map->bar != bar || page - at != map->shift) {
		return -ENXIO;
	}
	/* Any entry does that is not NULL. */
	return mtree_store_range(&map->served, at, at + count - 1, map, GFP_KERNEL);
}

static int user_map_serve(struct vm_area_struct *area, struct barkeep_bar_memory *bar,
			  u64 offset, unsigned long at, unsigned long count, bool whole)
{
	struct user_map *map;
	int ret;

	mutex_lock(&user_map_lock);
	map = user_map_get(area, bar);
	ret = PTR_ERR_OR_ZERO(map);
	if (!ret)
		ret = user_map_extend(map, bar, at, offset >> PAGE_SHIFT, count);
	if (!ret && whole)
		map->whole = true;
	mutex_unlock(&user_map_lock);
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
	if (user_map_is_new(area))
		user_map_set_flags(area);
	if (!user_map_is_raw(area) || (area->vm_flags & USER_MAP_FLAGS) != USER_MAP_FLAGS)
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

	if (!user_map_is_raw(area))
		return -EINVAL;
	bar = barkeep_window_find(PFN_PHYS(pfn), PAGE_SIZE, &offset);
	if (!bar)
		return -ENXIO;

	if (user_map_is_new(area) || user_map_traps(bar, offset >> PAGE_SHIFT))
		return user_map_serve(area, bar, offset, linear_page_index(area, address), 1,
				      user_map_is_new(area));
	page = barkeep_bar_page(bar, offset >> PAGE_SHIFT, GFP_KERNEL);
	if (!page) {
		barkeep_device_put(bar->dev);
		return -ENOMEM;
	}
	mutex_lock(&user_map_lock);
	map = user_map_get(area, bar);
	mutex_unlock(&user_map_lock);
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
	map = area ? user_map_of(area) : NULL;
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
