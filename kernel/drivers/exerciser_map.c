// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that map a BAR by every way that the kernel has for it, and access it
 * there. A mapping is known by a number; read() and write() of the file
 * <function>.mappings copy between it and user memory, at number << 32 | offset.
 */
#include <linux/debugfs.h>
#include <linux/io.h>
#include <linux/io-mapping.h>
#include <linux/iopoll.h>
#include <linux/memremap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "exerciser.h"

/**
 * struct exerciser_door - a way to map a BAR
 * @name: as the command has it
 * @map: maps part of a BAR; NULL or an error pointer where it cannot
 * @unmap: the reverse; @address may be anywhere in the first page
 * @physical: of kinds that take an address and a size
 * @managed: the same for the device's
 * @range: of those that take a BAR, an offset and a size
 * @flags: of memremap()
 */
struct exerciser_door {
	const char *name;
	void __iomem *(*map)(struct exerciser_mapping *mapping, int bar, u64 offset, u64 bytes);
	void (*unmap)(struct exerciser_mapping *mapping, void __iomem *address);
	void __iomem *(*physical)(resource_size_t address, unsigned long bytes);
	void __iomem *(*managed)(struct device *dev, resource_size_t address,
				 resource_size_t bytes);
	void __iomem *(*range)(struct pci_dev *pdev, int bar, unsigned long offset,
			       unsigned long bytes);
	unsigned long flags;
};

static struct pci_dev *door_pdev(const struct exerciser_mapping *mapping)
{
	return mapping->exerciser->pdev;
}

static resource_size_t door_address(const struct exerciser_mapping *mapping, int bar, u64 offset)
{
	return pci_resource_start(door_pdev(mapping), bar) + offset;
}

static void __iomem *map_physical(struct exerciser_mapping *mapping, int bar, u64 offset,
				  u64 bytes)
{
	return mapping->door->physical(door_address(mapping, bar, offset), bytes);
}

static void unmap_iounmap(struct exerciser_mapping *mapping, void __iomem *address)
{
	iounmap(address);
}

static void __iomem *map_managed(struct exerciser_mapping *mapping, int bar, u64 offset,
				 u64 bytes)
{
	return mapping->door->managed(&door_pdev(mapping)->dev,
				      door_address(mapping, bar, offset), bytes);
}

static void unmap_managed(struct exerciser_mapping *mapping, void __iomem *address)
{
	devm_iounmap(&door_pdev(mapping)->dev, mapping->address);
}

static void __iomem *map_memremap(struct exerciser_mapping *mapping, int bar, u64 offset,
				  u64 bytes)
{
	return (void __force __iomem *)memremap(door_address(mapping, bar, offset), bytes,
						mapping->door->flags);
}

static void unmap_memunmap(struct exerciser_mapping *mapping, void __iomem *address)
{
	memunmap((void __force *)address);
}

static void __iomem *map_devm_memremap(struct exerciser_mapping *mapping, int bar, u64 offset,
				       u64 bytes)
{
	return (void __force __iomem *)devm_memremap(&door_pdev(mapping)->dev,
						     door_address(mapping, bar, offset), bytes,
						     mapping->door->flags);
}

static void unmap_devm_memunmap(struct exerciser_mapping *mapping, void __iomem *address)
{
	devm_memunmap(&door_pdev(mapping)->dev, (void __force *)mapping->address);
}

static void __iomem *map_range(struct exerciser_mapping *mapping, int bar, u64 offset, u64 bytes)
{
	return mapping->door->range(door_pdev(mapping), bar, offset, bytes);
}

static void unmap_pci(struct exerciser_mapping *mapping, void __iomem *address)
{
	pci_iounmap(door_pdev(mapping), address);
}

static void __iomem *map_prot(resource_size_t address, unsigned long bytes)
{
	return ioremap_prot(address, bytes, pgprot_val(PAGE_KERNEL));
}

/* These know no offset, only a size. */
static void __iomem *map_pci_iomap(struct pci_dev *pdev, int bar, unsigned long offset,
				   unsigned long bytes)
{
	return offset ? NULL : pci_iomap(pdev, bar, bytes);
}

static void __iomem *map_pci_iomap_wc(struct pci_dev *pdev, int bar, unsigned long offset,
				      unsigned long bytes)
{
	return offset ? NULL : pci_iomap_wc(pdev, bar, bytes);
}

static void __iomem *map_pcim_iomap(struct pci_dev *pdev, int bar, unsigned long offset,
				    unsigned long bytes)
{
	return offset ? NULL : pcim_iomap(pdev, bar, bytes);
}

static void unmap_pcim(struct exerciser_mapping *mapping, void __iomem *address)
{
	pcim_iounmap(door_pdev(mapping), mapping->address);
}

/* And these know neither. */
static void __iomem *map_pci_ioremap_bar(struct pci_dev *pdev, int bar, unsigned long offset,
					 unsigned long bytes)
{
	return offset ? NULL : pci_ioremap_bar(pdev, bar);
}

static void __iomem *map_pci_ioremap_wc_bar(struct pci_dev *pdev, int bar, unsigned long offset,
					    unsigned long bytes)
{
	return offset ? NULL : pci_ioremap_wc_bar(pdev, bar);
}

/* All of the BAR is one io_mapping, and a part of that is what is asked for. */
static void __iomem *map_io_mapping(struct exerciser_mapping *mapping, int bar, u64 offset,
				    u64 bytes)
{
	struct pci_dev *pdev = door_pdev(mapping);

	mapping->io = io_mapping_create_wc(pci_resource_start(pdev, bar),
					   pci_resource_len(pdev, bar));
	if (!mapping->io)
		return NULL;
	return io_mapping_map_wc(mapping->io, offset, bytes);
}

static void __iomem *map_io_mapping_local(struct exerciser_mapping *mapping, int bar, u64 offset,
					  u64 bytes)
{
	struct pci_dev *pdev = door_pdev(mapping);

	mapping->io = io_mapping_create_wc(pci_resource_start(pdev, bar),
					   pci_resource_len(pdev, bar));
	if (!mapping->io)
		return NULL;
	return io_mapping_map_local_wc(mapping->io, offset);
}

static void unmap_io_mapping(struct exerciser_mapping *mapping, void __iomem *address)
{
	io_mapping_free(mapping->io);
}

/* The region is the driver's own already, so this is refused. */
static void __iomem *map_taken(struct exerciser_mapping *mapping, int bar, u64 offset, u64 bytes)
{
	return devm_ioremap_resource(&door_pdev(mapping)->dev,
				     &door_pdev(mapping)->resource[bar]);
}

/* Unless it is given back before. */
static void __iomem *map_resource(struct exerciser_mapping *mapping, int bar, u64 offset,
				  u64 bytes)
{
	void __iomem *address;

	if (offset)
		return NULL;
	pci_release_region(door_pdev(mapping), bar);
	address = map_taken(mapping, bar, offset, bytes);
	if (IS_ERR(address) && pci_request_region(door_pdev(mapping), bar, "exerciser"))
		return IOMEM_ERR_PTR(-EBUSY);
	mapping->bar = bar;
	return address;
}

static void unmap_resource(struct exerciser_mapping *mapping, void __iomem *address)
{
	struct pci_dev *pdev = door_pdev(mapping);

	devm_iounmap(&pdev->dev, mapping->address);
	devm_release_mem_region(&pdev->dev, pci_resource_start(pdev, mapping->bar),
				pci_resource_len(pdev, mapping->bar));
	if (pci_request_region(pdev, mapping->bar, "exerciser"))
		pci_warn(pdev, "BAR %d is lost\n", mapping->bar);
}

static void __iomem *map_pages(struct exerciser_mapping *mapping, int bar, u64 offset, u64 bytes)
{
	resource_size_t start = door_address(mapping, bar, offset);
	struct dev_pagemap pagemap = {
		.type = MEMORY_DEVICE_GENERIC,
		.range = { start, start + bytes - 1 },
		.nr_range = 1,
	};
	void *address = memremap_pages(&pagemap, NUMA_NO_NODE);

	if (!IS_ERR(address))
		memunmap_pages(&pagemap);
	return IOMEM_ERR_PTR(IS_ERR(address) ? PTR_ERR(address) : -EEXIST);
}

#ifdef CONFIG_VMAP_PFN
static void __iomem *map_vmap_pfn(struct exerciser_mapping *mapping, int bar, u64 offset,
				  u64 bytes)
{
	unsigned long pfns[] = { 0, PHYS_PFN(door_address(mapping, bar, offset)) };

	/* A PFN that is far from any memory, and the BAR's. */
	pfns[0] = PHYS_PFN(1ULL << boot_cpu_data.x86_phys_bits) - 1;
	return (void __force __iomem *)vmap_pfn(pfns, ARRAY_SIZE(pfns), PAGE_KERNEL);
}

static void unmap_vunmap(struct exerciser_mapping *mapping, void __iomem *address)
{
	vunmap((void __force *)mapping->address);
}
#endif

#define PHYSICAL(_name, _function) \
	{ .name = _name, .map = map_physical, .unmap = unmap_iounmap, .physical = _function }
#define MANAGED(_name) \
	{ .name = #_name, .map = map_managed, .unmap = unmap_managed, .managed = _name }
#define MEMREMAP(_name, _flags) \
	{ .name = _name, .map = map_memremap, .unmap = unmap_memunmap, .flags = _flags }
#define RANGE(_name, _function, _unmap) \
	{ .name = _name, .map = map_range, .unmap = _unmap, .range = _function }

static const struct exerciser_door exerciser_doors[] = {
	PHYSICAL("ioremap", ioremap),
	PHYSICAL("ioremap_uc", ioremap_uc),
	PHYSICAL("ioremap_wc", ioremap_wc),
	PHYSICAL("ioremap_wt", ioremap_wt),
	PHYSICAL("ioremap_cache", ioremap_cache),
	PHYSICAL("ioremap_encrypted", ioremap_encrypted),
	PHYSICAL("ioremap_prot", map_prot),
	PHYSICAL("ioremap_np", ioremap_np),
	MANAGED(devm_ioremap),
	MANAGED(devm_ioremap_uc),
	MANAGED(devm_ioremap_wc),
	MEMREMAP("memremap_wb", MEMREMAP_WB),
	MEMREMAP("memremap_wt", MEMREMAP_WT),
	MEMREMAP("memremap_wc", MEMREMAP_WC),
	MEMREMAP("memremap_enc", MEMREMAP_ENC),
	MEMREMAP("memremap_dec", MEMREMAP_DEC),
	{ .name = "devm_memremap", .map = map_devm_memremap, .unmap = unmap_devm_memunmap,
	  .flags = MEMREMAP_WB },
	RANGE("pci_iomap_range", pci_iomap_range, unmap_pci),
	RANGE("pci_iomap_wc_range", pci_iomap_wc_range, unmap_pci),
	RANGE("pci_iomap", map_pci_iomap, unmap_pci),
	RANGE("pci_iomap_wc", map_pci_iomap_wc, unmap_pci),
	RANGE("pcim_iomap", map_pcim_iomap, unmap_pcim),
	RANGE("pci_ioremap_bar", map_pci_ioremap_bar, unmap_iounmap),
	RANGE("pci_ioremap_wc_bar", map_pci_ioremap_wc_bar, unmap_iounmap),
	{ .name = "io_mapping", .map = map_io_mapping, .unmap = unmap_io_mapping },
	{ .name = "io_mapping_local", .map = map_io_mapping_local, .unmap = unmap_io_mapping },
	{ .name = "devm_ioremap_resource", .map = map_resource, .unmap = unmap_resource },
	{ .name = "devm_ioremap_taken", .map = map_taken, .unmap = unmap_managed },
	{ .name = "memremap_pages", .map = map_pages },
#ifdef CONFIG_VMAP_PFN
	{ .name = "vmap_pfn", .map = map_vmap_pfn, .unmap = unmap_vunmap },
#endif
};

/* Whether a command's word is a way to map; @value is then its number. */
bool exerciser_is_door(const char *name, u64 *value)
{
	u64 n;

	for (n = 0; n < ARRAY_SIZE(exerciser_doors); n++) {
		if (!strcmp(name, exerciser_doors[n].name)) {
			*value = n;
			return true;
		}
	}
	return false;
}

int exerciser_ioremap(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	u64 door = arguments[0], bar = arguments[1];
	struct exerciser_mapping *mapping;
	void __iomem *address;
	int n = 0;

	if (door >= ARRAY_SIZE(exerciser_doors) || bar >= PCI_STD_NUM_BARS)
		return -EINVAL;
	while (n < MAPPINGS_MAX && exerciser->mappings[n].address)
		n++;
	if (n == MAPPINGS_MAX)
		return -ENOSPC;
	mapping = &exerciser->mappings[n];
	mapping->exerciser = exerciser;
	mapping->door = &exerciser_doors[door];
	mapping->bytes = arguments[3];
	address = mapping->door->map(mapping, bar, arguments[2], arguments[3]);
	if (IS_ERR_OR_NULL(address))
		return address ? PTR_ERR(address) : -ENXIO;
	mapping->address = address;
	sprintf(answer, "%d", n);
	return 0;
}

static struct exerciser_mapping *exerciser_mapping(struct exerciser *exerciser, u64 n, u64 offset,
						   u64 bytes)
{
	struct exerciser_mapping *mapping;

	if (n >= MAPPINGS_MAX || !exerciser->mappings[n].address)
		return NULL;
	mapping = &exerciser->mappings[n];
	if (offset >= mapping->bytes || bytes > mapping->bytes - offset)
		return NULL;
	return mapping;
}

int exerciser_iounmap(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_mapping *mapping;

	mapping = exerciser_mapping(exerciser, arguments[0], arguments[1], 1);
	if (!mapping)
		return -EINVAL;
	mapping->door->unmap(mapping, mapping->address + arguments[1]);
	memset(mapping, 0, sizeof(*mapping));
	return 0;
}

static int mapping_access(struct exerciser *exerciser, const u64 *arguments,
			  struct exerciser_access access, u64 context, u64 *value)
{
	struct exerciser_mapping *mapping;

	mapping = exerciser_mapping(exerciser, arguments[0], arguments[1], arguments[2]);
	if (!mapping || !exerciser_width_ok(arguments[2]))
		return -EINVAL;
	access.at = mapping->address + arguments[1];
	access.width = arguments[2];
	*value = exerciser_access_in(exerciser, &access, context);
	return 0;
}

int exerciser_mapping_load(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_access access = { .load = true };
	u64 value;
	int ret = mapping_access(exerciser, arguments, access, arguments[3], &value);

	if (!ret)
		sprintf(answer, "%#llx", value);
	return ret;
}

int exerciser_mapping_store(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_access access = { .store = true, .value = arguments[3] };
	u64 value;

	return mapping_access(exerciser, arguments, access, arguments[4], &value);
}

/* For what comes with a delay, and where an answer could not be fetched any more. */
int exerciser_mapping_expect(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	const struct exerciser_access load = { .load = true };
	int error, ret;
	u64 value;

	ret = read_poll_timeout(mapping_access, error, error || value == arguments[3], 1000,
				USEC_PER_SEC, false, exerciser, arguments, load, CONTEXT_PROCESS,
				&value);
	return error ?: ret;
}

static int mappings_find(struct file *file, size_t bytes, loff_t position, void **at)
{
	struct exerciser *exerciser = file_inode(file)->i_private;
	struct exerciser_mapping *mapping;

	mapping = exerciser_mapping(exerciser, position >> 32, lower_32_bits(position), bytes);
	if (!mapping)
		return -EINVAL;
	*at = (void __force *)mapping->address + lower_32_bits(position);
	return 0;
}

/* One of @to and @from is user space's, the other is NULL. */
static ssize_t mappings_copy(struct file *file, char __user *to, const char __user *from,
			     size_t bytes, loff_t position)
{
	struct exerciser *exerciser = file_inode(file)->i_private;
	unsigned long missed;
	ssize_t ret;
	void *at;

	mutex_lock(&exerciser->lock);
	ret = mappings_find(file, bytes, position, &at);
	if (!ret) {
		missed = to ? copy_to_user(to, at, bytes) : copy_from_user(at, from, bytes);
		ret = missed ? -EFAULT : bytes;
	}
	mutex_unlock(&exerciser->lock);
	return ret;
}

/* As drivers do that take a BAR for memory, and give it to their users. */
static ssize_t mappings_read(struct file *file, char __user *user, size_t bytes,
			     loff_t *position)
{
	return mappings_copy(file, user, NULL, bytes, *position);
}

static ssize_t mappings_write(struct file *file, const char __user *user, size_t bytes,
			      loff_t *position)
{
	return mappings_copy(file, NULL, user, bytes, *position);
}

const struct file_operations exerciser_mappings_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = mappings_read,
	.write = mappings_write,
	.llseek = default_llseek,
};

void exerciser_free_mappings(struct exerciser *exerciser)
{
	int n;

	for (n = 0; n < MAPPINGS_MAX; n++) {
		if (exerciser->mappings[n].address)
			exerciser->mappings[n].door->unmap(&exerciser->mappings[n],
							   exerciser->mappings[n].address);
	}
}
