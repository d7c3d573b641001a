// SPDX-License-Identifier: GPL-2.0-only
/* Many mappings of one BAR at once. */
#include <linux/io.h>
#include <linux/slab.h>

#include "exerciser.h"

/* Mapping @n is of one page; it and all others of that page have a register each. */
static unsigned long many_register(u64 n, u64 pages)
{
	return 4 * (unsigned long)(n / pages);
}

static u64 many_access(void __iomem **mappings, u64 count, u64 pages)
{
	u64 n, wrong = 0;

	for (n = 0; n < count; n++) {
		writel(n, mappings[n] + many_register(n, pages));
		cond_resched();
	}
	for (n = 0; n < count; n++) {
		wrong += readl(mappings[n] + many_register(n, pages)) != n;
		cond_resched();
	}
	return wrong;
}

int exerciser_many(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	u64 count = arguments[0], bar = arguments[1], n, pages;
	void __iomem **mappings;
	int ret = -ENOMEM;

	if (bar >= PCI_STD_NUM_BARS || !count)
		return -EINVAL;
	pages = pci_resource_len(exerciser->pdev, bar) >> PAGE_SHIFT;
	if (!pages || count > pages * (PAGE_SIZE / 4))
		return -ERANGE;
	mappings = kvcalloc(count, sizeof(*mappings), GFP_KERNEL);
	if (!mappings)
		return -ENOMEM;
	for (n = 0; n < count; n++) {
		mappings[n] = ioremap(pci_resource_start(exerciser->pdev, bar) +
				      (n % pages) * PAGE_SIZE, PAGE_SIZE);
		if (!mappings[n])
			goto out;
	}
	sprintf(answer, "%llu", many_access(mappings, count, pages));
	ret = 0;
out:
	for (n = 0; n < count && mappings[n]; n++)
		iounmap(mappings[n]);
	kvfree(mappings);
	return ret;
}
