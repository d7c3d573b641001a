// SPDX-License-Identifier: GPL-2.0-only
/* Commands that access BARs. */
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/slab.h>

#include "exerciser.h"

static int exerciser_at(struct exerciser *exerciser, const u64 *arguments, u64 bytes,
			void __iomem **at)
{
	u64 bar = arguments[0], offset = arguments[1], length;

	if (bar >= PCI_STD_NUM_BARS)
		return -EINVAL;
	length = pci_resource_len(exerciser->pdev, bar);
	if (!bytes || offset >= length || bytes > length - offset)
		return -ERANGE;
	if (!exerciser->bars[bar])
		exerciser->bars[bar] = pci_iomap(exerciser->pdev, bar, 0);
	if (!exerciser->bars[bar])
		return -ENXIO;
	*at = exerciser->bars[bar] + offset;
	return 0;
}

static u64 exerciser_load(void __iomem *at, u64 width)
{
	switch (width) {
	case 1:
		return readb(at);
	case 2:
		return readw(at);
	case 4:
		return readl(at);
	default:
		return readq(at);
	}
}

static void exerciser_store(void __iomem *at, u64 width, u64 value)
{
	switch (width) {
	case 1:
		writeb(value, at);
		break;
	case 2:
		writew(value, at);
		break;
	case 4:
		writel(value, at);
		break;
	default:
		writeq(value, at);
	}
}

static u64 exerciser_access_here(void __iomem *at, u64 width, const u64 *value)
{
	if (!value)
		return exerciser_load(at, width);
	exerciser_store(at, width, *value);
	return 0;
}

static u64 exerciser_access(struct exerciser *exerciser, void __iomem *at, u64 width,
			    const u64 *value, u64 context)
{
	unsigned long flags;
	u64 ret;

	switch (context) {
	case CONTEXT_ATOMIC:
		spin_lock(&exerciser->spin);
		ret = exerciser_access_here(at, width, value);
		spin_unlock(&exerciser->spin);
		return ret;
	case CONTEXT_OFF:
		local_irq_save(flags);
		ret = exerciser_access_here(at, width, value);
		local_irq_restore(flags);
		return ret;
	default:
		return exerciser_access_here(at, width, value);
	}
}

static bool exerciser_width_ok(u64 width)
{
	return width == 1 || width == 2 || width == 4 || width == 8;
}

int exerciser_read(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	int ret = exerciser_at(exerciser, arguments, arguments[2], &at);

	if (ret || !exerciser_width_ok(arguments[2]))
		return ret ?: -EINVAL;
	sprintf(answer, "%#llx",
		exerciser_access(exerciser, at, arguments[2], NULL, arguments[3]));
	return 0;
}

int exerciser_write(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	int ret = exerciser_at(exerciser, arguments, arguments[2], &at);

	if (ret || !exerciser_width_ok(arguments[2]))
		return ret ?: -EINVAL;
	exerciser_access(exerciser, at, arguments[2], &arguments[3], arguments[4]);
	return 0;
}

int exerciser_fill(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	int ret = exerciser_at(exerciser, arguments, arguments[2], &at);

	if (!ret)
		memset_io(at, arguments[3], arguments[2]);
	return ret;
}

int exerciser_sum(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	u64 n, sum = 0;
	u8 *bytes;
	int ret = exerciser_at(exerciser, arguments, arguments[2], &at);

	if (ret)
		return ret;
	bytes = kvmalloc(arguments[2], GFP_KERNEL);
	if (!bytes)
		return -ENOMEM;
	memcpy_fromio(bytes, at, arguments[2]);
	for (n = 0; n < arguments[2]; n++)
		sum += bytes[n];
	kvfree(bytes);
	sprintf(answer, "%llu", sum);
	return 0;
}

int exerciser_copy(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	u8 *bytes;
	u64 n;
	int ret = exerciser_at(exerciser, arguments, arguments[2], &at);

	if (ret)
		return ret;
	bytes = kvmalloc(arguments[2], GFP_KERNEL);
	if (!bytes)
		return -ENOMEM;
	for (n = 0; n < arguments[2]; n++)
		bytes[n] = n;
	memcpy_toio(at, bytes, arguments[2]);
	kvfree(bytes);
	return 0;
}

