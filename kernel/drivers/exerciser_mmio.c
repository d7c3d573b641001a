// SPDX-License-Identifier: GPL-2.0-only
/* Commands that access BARs. */
#include <linux/err.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/slab.h>

#include "exerciser.h"

int exerciser_at(struct exerciser *exerciser, const u64 *arguments, u64 bytes,
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

u64 exerciser_access_here(const struct exerciser_access *access)
{
	if (access->store)
		exerciser_store(access->at, access->width, access->value);
	return access->load ? exerciser_load(access->at, access->width) : 0;
}

bool exerciser_width_ok(u64 width)
{
	return width == 1 || width == 2 || width == 4 || width == 8;
}

static int exerciser_access(struct exerciser *exerciser, const u64 *arguments,
			    struct exerciser_access access, u64 context, char *answer)
{
	int ret;
	u64 value;

	access.width = arguments[2];
	ret = exerciser_at(exerciser, arguments, access.width, &access.at);
	if (ret || !exerciser_width_ok(access.width))
		return ret ?: -EINVAL;
	value = exerciser_access_in(exerciser, &access, context);
	if (access.load)
		sprintf(answer, "%#llx", value);
	return 0;
}

int exerciser_read(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_access access = { .load = true };

	return exerciser_access(exerciser, arguments, access, arguments[3], answer);
}

int exerciser_write(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_access access = { .store = true, .value = arguments[3] };

	return exerciser_access(exerciser, arguments, access, arguments[4], answer);
}

int exerciser_swap(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_access access = { .store = true, .value = arguments[3], .load = true };

	return exerciser_access(exerciser, arguments, access, arguments[4], answer);
}

int exerciser_fill(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	int ret = exerciser_at(exerciser, arguments, arguments[2], &at);

	if (!ret)
		memset_io(at, arguments[3], arguments[2]);
	return ret;
}

/* As much memory as the command is to copy from or to the BAR. */
static u8 *exerciser_block(struct exerciser *exerciser, const u64 *arguments, void __iomem **at)
{
	int ret = exerciser_at(exerciser, arguments, arguments[2], at);

	if (ret)
		return ERR_PTR(ret);
	return kvmalloc(arguments[2], GFP_KERNEL) ?: ERR_PTR(-ENOMEM);
}

int exerciser_sum(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	u8 *bytes = exerciser_block(exerciser, arguments, &at);
	u64 n, sum = 0;

	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	if (arguments[3])
		spin_lock(&exerciser->spin);
	memcpy_fromio(bytes, at, arguments[2]);
	if (arguments[3])
		spin_unlock(&exerciser->spin);
	for (n = 0; n < arguments[2]; n++)
		sum += bytes[n];
	kvfree(bytes);
	sprintf(answer, "%llu", sum);
	return 0;
}

int exerciser_copy(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	u8 *bytes = exerciser_block(exerciser, arguments, &at);
	u64 n;

	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	for (n = 0; n < arguments[2]; n++)
		bytes[n] = n;
	memcpy_toio(at, bytes, arguments[2]);
	kvfree(bytes);
	return 0;
}

int exerciser_drain(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	u64 n, value, ones = 0;
	int ret = exerciser_at(exerciser, arguments, arguments[2], &at);

	if (ret || !exerciser_width_ok(arguments[2]))
		return ret ?: -EINVAL;
	for (n = 0; n < arguments[3]; n++) {
		value = exerciser_load(at, arguments[2]);
		ones += hweight64(value);
		if (arguments[4])
			exerciser_store(at, arguments[2], value);
		cond_resched();
	}
	sprintf(answer, "%llu", ones);
	return 0;
}
