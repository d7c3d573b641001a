// SPDX-License-Identifier: GPL-2.0-only
/*
 * BARs for user space, each way that drivers have: files in debugfs named
 * <function>-<way>, of which BAR 0 can be mapped.
 *
 *	remap	remap_pfn_range(), then operations of the driver's own
 *	insert	vmf_insert_pfn() of the page that was touched
 *	mixed	vmf_insert_mixed() of it
 *	eager	vmf_insert_pfn() of all pages, in mmap()
 *	ends	as insert, of the first page and of the last; none between
 *
 * and in an area of mixed entries, where real PFNs of a BAR may be as well:
 *
 *	mixed_insert	as insert
 *	mixed_remap	as remap
 *	mixed_eager	vmf_insert_mixed() of all pages, in mmap()
 *
 * What is mapped stays so when the driver is gone, as by a driver that forgets to take
 * it back. The file keeps the function's struct alive.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pfn_t.h>
#include <linux/version.h>

#include "exerciser.h"

/* As by a driver that has taken its pages back: faults are refused. */
static bool user_revoked;
module_param(user_revoked, bool, 0600);

static unsigned long user_pfn(const struct vm_area_struct *area, unsigned long page)
{
	struct pci_dev *pdev = area->vm_private_data;

	return PHYS_PFN(pci_resource_start(pdev, 0)) + page;
}

static vm_fault_t user_insert(struct vm_fault *fault)
{
	if (READ_ONCE(user_revoked))
		return VM_FAULT_SIGBUS;
	return vmf_insert_pfn(fault->vma, fault->address, user_pfn(fault->vma, fault->pgoff));
}

static vm_fault_t user_insert_ends(struct vm_fault *fault)
{
	struct pci_dev *pdev = fault->vma->vm_private_data;

	if (fault->pgoff && fault->pgoff != PHYS_PFN(pci_resource_len(pdev, 0)) - 1)
		return VM_FAULT_SIGBUS;
	return user_insert(fault);
}

static vm_fault_t user_insert_mixed(struct vm_fault *fault)
{
	return vmf_insert_mixed(fault->vma, fault->address,
				__pfn_to_pfn_t(user_pfn(fault->vma, fault->pgoff), PFN_DEV));
}

static const struct vm_operations_struct user_remap_operations = {
	.access = generic_access_phys,
};

static const struct vm_operations_struct user_insert_operations = {
	.fault = user_insert,
};

static const struct vm_operations_struct user_ends_operations = {
	.fault = user_insert_ends,
};

static const struct vm_operations_struct user_mixed_operations = {
	.fault = user_insert_mixed,
};

static void user_set_flags(struct vm_area_struct *area, unsigned long flags)
{
	flags |= VM_IO | VM_DONTEXPAND | VM_DONTDUMP;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(area, flags);
#else
	area->vm_flags |= flags;
#endif
}

static int user_map_remap(struct vm_area_struct *area)
{
	int ret = remap_pfn_range(area, area->vm_start, user_pfn(area, area->vm_pgoff),
				  area->vm_end - area->vm_start,
				  pgprot_noncached(area->vm_page_prot));

	area->vm_ops = &user_remap_operations;
	return ret;
}

static int user_map_insert(struct vm_area_struct *area)
{
	user_set_flags(area, VM_PFNMAP);
	area->vm_ops = &user_insert_operations;
	return 0;
}

static int user_map_mixed(struct vm_area_struct *area)
{
	user_set_flags(area, VM_MIXEDMAP);
	area->vm_ops = &user_mixed_operations;
	return 0;
}

static int user_map_eager(struct vm_area_struct *area)
{
	unsigned long page;

	user_set_flags(area, VM_PFNMAP);
	for (page = 0; page < vma_pages(area); page++) {
		if (vmf_insert_pfn(area, area->vm_start + (page << PAGE_SHIFT),
				   user_pfn(area, area->vm_pgoff + page)) != VM_FAULT_NOPAGE)
			return -ENXIO;
	}
	return 0;
}

static int user_map_ends(struct vm_area_struct *area)
{
	user_set_flags(area, VM_PFNMAP);
	area->vm_ops = &user_ends_operations;
	return 0;
}

static int user_map_mixed_insert(struct vm_area_struct *area)
{
	user_set_flags(area, VM_MIXEDMAP);
	area->vm_ops = &user_insert_operations;
	return 0;
}

static int user_map_mixed_remap(struct vm_area_struct *area)
{
	user_set_flags(area, VM_MIXEDMAP);
	return user_map_remap(area);
}

static int user_map_mixed_eager(struct vm_area_struct *area)
{
	unsigned long page;
	pfn_t pfn;

	user_set_flags(area, VM_MIXEDMAP);
	for (page = 0; page < vma_pages(area); page++) {
		pfn = __pfn_to_pfn_t(user_pfn(area, area->vm_pgoff + page), PFN_DEV);
		if (vmf_insert_mixed(area, area->vm_start + (page << PAGE_SHIFT), pfn) !=
		    VM_FAULT_NOPAGE)
			return -ENXIO;
	}
	return 0;
}

static int user_file_open(struct inode *inode, struct file *file)
{
	file->private_data = pci_dev_get(inode->i_private);
	return 0;
}

static int user_file_release(struct inode *inode, struct file *file)
{
	pci_dev_put(file->private_data);
	return 0;
}

static int user_file_mmap(struct file *file, struct vm_area_struct *area,
			  int (*map)(struct vm_area_struct *area))
{
	struct pci_dev *pdev = file->private_data;
	unsigned long pages = PHYS_PFN(pci_resource_len(pdev, 0));

	if (area->vm_pgoff >= pages || vma_pages(area) > pages - area->vm_pgoff)
		return -EINVAL;
	area->vm_private_data = pdev;
	return map(area);
}

#define USER_FILE(_way)								\
static int user_file_##_way(struct file *file, struct vm_area_struct *area)	\
{										\
	return user_file_mmap(file, area, user_map_##_way);			\
}										\
										\
static const struct file_operations user_operations_##_way = {			\
	.owner = THIS_MODULE,							\
	.open = user_file_open,							\
	.release = user_file_release,						\
	.mmap = user_file_##_way,						\
}

USER_FILE(remap);
USER_FILE(insert);
USER_FILE(mixed);
USER_FILE(eager);
USER_FILE(ends);
USER_FILE(mixed_insert);
USER_FILE(mixed_remap);
USER_FILE(mixed_eager);

static const struct {
	const char *name;
	const struct file_operations *operations;
} user_ways[USER_WAYS] = {
	{ "remap", &user_operations_remap },
	{ "insert", &user_operations_insert },
	{ "mixed", &user_operations_mixed },
	{ "eager", &user_operations_eager },
	{ "ends", &user_operations_ends },
	{ "mixed_insert", &user_operations_mixed_insert },
	{ "mixed_remap", &user_operations_mixed_remap },
	{ "mixed_eager", &user_operations_mixed_eager },
};

void exerciser_add_user_files(struct exerciser *exerciser, struct dentry *directory)
{
	struct pci_dev *pdev = exerciser->pdev;
	char name[32];
	int n;

	/* Without a proxy, which knows no mmap(): nothing here is the exerciser's. */
	for (n = 0; n < USER_WAYS; n++) {
		snprintf(name, sizeof(name), "%s-%s", pci_name(pdev), user_ways[n].name);
		exerciser->user_files[n] =
			debugfs_create_file_unsafe(name, 0600, directory, pdev,
						   user_ways[n].operations);
	}
}

void exerciser_remove_user_files(struct exerciser *exerciser)
{
	int n;

	for (n = 0; n < USER_WAYS; n++)
		debugfs_remove(exerciser->user_files[n]);
}
