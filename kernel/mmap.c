// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model's mappings of the device file: what only the kernel writes is mapped
 * read-only, for good; all is mapped whole or not at all. A mapping keeps its file
 * and so the device's pages: it stays valid after unplug. Those of a BAR come one by
 * one, when they are touched.
 */
#include <linux/mm.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#include "barkeep.h"

static void mmap_set_flags(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_mod(vma, set, clear);
#else
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
#endif
}

static int mmap_page(struct vm_area_struct *vma, void *address)
{
	struct page *page = virt_to_page(address);

	return vm_map_pages_zero(vma, &page, 1);
}

static int mmap_status(struct barkeep_device *dev, struct vm_area_struct *vma)
{
	return mmap_page(vma, dev->status);
}

static int mmap_control(struct barkeep_device *dev, struct vm_area_struct *vma)
{
	return mmap_page(vma, dev->ring.control);
}

static int mmap_completions(struct barkeep_device *dev, struct vm_area_struct *vma)
{
	return mmap_page(vma, dev->slots.completions);
}

static int mmap_ring(struct barkeep_device *dev, struct vm_area_struct *vma)
{
	unsigned long offset;
	int ret = 0;

	for (offset = 0; !ret && offset < vma->vm_end - vma->vm_start; offset += PAGE_SIZE)
		ret = vm_insert_page(vma, vma->vm_start + offset,
				     vmalloc_to_page((void *)dev->ring.entries + offset));
	return ret;
}

static u64 mmap_ring_bytes(struct barkeep_device *dev)
{
	return PAGE_ALIGN((u64)dev->ring.size * sizeof(struct barkeep_event));
}

static vm_fault_t mmap_bar_fault(struct vm_fault *fault)
{
	struct barkeep_bar_memory *bar = fault->vma->vm_private_data;
	u64 n = fault->pgoff - PHYS_PFN(BARKEEP_MMAP_BAR(bar->number));
	struct page *page;

	if (n >= bar->bytes >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	page = barkeep_bar_page(bar, n, GFP_KERNEL_ACCOUNT);
	if (!page)
		return VM_FAULT_OOM;
	get_page(page);
	fault->page = page;
	return 0;
}

static const struct vm_operations_struct mmap_bar_operations = {
	.fault = mmap_bar_fault,
};

static int mmap_bar(struct barkeep_bar_memory *bar, struct vm_area_struct *vma)
{
	if (!bar->bytes || vma->vm_end - vma->vm_start != bar->bytes)
		return -EINVAL;
	vma->vm_private_data = bar;
	vma->vm_ops = &mmap_bar_operations;
	return 0;
}

static const struct {
	u64 offset;
	u64 bytes;		/* 0: as the ring is long */
	bool read_only;
	int (*map)(struct barkeep_device *dev, struct vm_area_struct *vma);
} mmap_areas[] = {
	{ BARKEEP_MMAP_STATUS, BARKEEP_STATUS_SIZE, true, mmap_status },
	{ BARKEEP_MMAP_CONTROL, BARKEEP_CONTROL_SIZE, false, mmap_control },
	{ BARKEEP_MMAP_RING, 0, true, mmap_ring },
	{ BARKEEP_MMAP_COMPLETIONS, BARKEEP_COMPLETIONS_SIZE, false, mmap_completions },
};

static_assert(sizeof(struct barkeep_status) <= BARKEEP_STATUS_SIZE);
static_assert(sizeof(struct barkeep_control) <= BARKEEP_CONTROL_SIZE);
static_assert(sizeof(struct barkeep_completion) * BARKEEP_SLOTS == BARKEEP_COMPLETIONS_SIZE);
static_assert(sizeof(struct barkeep_event) == 64 && sizeof(struct barkeep_completion) == 64);
static_assert(PAGE_SIZE == BARKEEP_STATUS_SIZE);

int barkeep_mmap(struct barkeep_device *dev, struct vm_area_struct *vma)
{
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
	u64 bytes = vma->vm_end - vma->vm_start;
	int n;

	/* A private mapping would show a copy. */
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	mmap_set_flags(vma, VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY, 0);

	for (n = 0; n < BARKEEP_BARS; n++) {
		if (offset == BARKEEP_MMAP_BAR(n))
			return mmap_bar(&dev->bars[n], vma);
	}
	for (n = 0; n < ARRAY_SIZE(mmap_areas); n++) {
		if (offset != mmap_areas[n].offset)
			continue;
		if (bytes != (mmap_areas[n].bytes ?: mmap_ring_bytes(dev)))
			return -EINVAL;
		if (mmap_areas[n].read_only) {
			if (vma->vm_flags & VM_WRITE)
				return -EPERM;
			mmap_set_flags(vma, 0, VM_MAYWRITE);
		}
		return mmap_areas[n].map(dev, vma);
	}
	return -EINVAL;
}
