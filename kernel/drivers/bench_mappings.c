// SPDX-License-Identifier: GPL-2.0-only
/* Mappings of a page that is mapped already, for what it costs that there are many. */
#include <linux/debugfs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bench.h"

/* Called with bench->lock held, or where nobody else can be. */
void bench_mappings_free(struct bench *bench)
{
	bench->mapped = bench->regs + BENCH_SHADOW;
	while (bench->mapping_count)
		iounmap(bench->mappings[--bench->mapping_count]);
	kvfree(bench->mappings);
	bench->mappings = NULL;
}

static int bench_mappings_make(struct bench *bench, unsigned int count)
{
	phys_addr_t page = pci_resource_start(bench->pdev, 0) + BENCH_SHADOW;

	bench->mappings = kvcalloc(count, sizeof(*bench->mappings), GFP_KERNEL);
	if (!bench->mappings)
		return -ENOMEM;
	while (bench->mapping_count < count) {
		void __iomem *at = ioremap(page, PAGE_SIZE);

		if (!at)
			return -ENOMEM;
		bench->mappings[bench->mapping_count++] = at;
		cond_resched();
	}
	bench->mapped = bench->mappings[count / 2];
	return 0;
}

static ssize_t bench_mappings_write(struct file *file, const char __user *buffer, size_t length,
				    loff_t *position)
{
	struct bench *bench = file->private_data;
	unsigned int count;
	int error = kstrtouint_from_user(buffer, length, 0, &count);

	if (error)
		return error;
	if (count > BENCH_MAPPINGS_MAX)
		return -EINVAL;
	error = mutex_lock_interruptible(&bench->lock);
	if (error)
		return error;
	bench_mappings_free(bench);
	if (count)
		error = bench_mappings_make(bench, count);
	if (error)
		bench_mappings_free(bench);
	mutex_unlock(&bench->lock);
	return error ?: length;
}

const struct file_operations bench_mappings_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = bench_mappings_write,
};
