// SPDX-License-Identifier: GPL-2.0-only
/* Commands that write to a BAR more than once. */
#include <linux/cpu.h>
#include <linux/io.h>
#include <linux/percpu.h>
#include <linux/workqueue.h>

#include "exerciser.h"

static void exerciser_write_both(void __iomem *at, void __iomem *other, u64 count)
{
	u64 n;

	for (n = 1; n <= count; n++) {
		writel(n, at);
		writel(n, other);
	}
}

int exerciser_alternate(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	const u64 second[] = { arguments[0], arguments[2] };
	void __iomem *at, *other;
	unsigned long flags;
	int ret;

	ret = exerciser_at(exerciser, arguments, 4, &at);
	if (!ret)
		ret = exerciser_at(exerciser, second, 4, &other);
	if (ret)
		return ret;
	switch (arguments[4]) {
	case CONTEXT_ATOMIC:
		spin_lock(&exerciser->spin);
		exerciser_write_both(at, other, arguments[3]);
		spin_unlock(&exerciser->spin);
		break;
	case CONTEXT_OFF:
		local_irq_save(flags);
		exerciser_write_both(at, other, arguments[3]);
		local_irq_restore(flags);
		break;
	default:
		exerciser_write_both(at, other, arguments[3]);
	}
	return 0;
}

/* One CPU's part of a flood. */
struct exerciser_flood {
	struct work_struct work;
	void __iomem *at;
	u64 count;
};

static void exerciser_flood_one(struct work_struct *work)
{
	struct exerciser_flood *flood = container_of(work, struct exerciser_flood, work);
	u64 n;

	for (n = 1; n <= flood->count; n++)
		writel((u64)raw_smp_processor_id() << 24 | n, flood->at);
}

int exerciser_flood(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct exerciser_flood __percpu *floods;
	unsigned int cpu, cpus = 0;
	void __iomem *at;
	int ret = exerciser_at(exerciser, arguments, 4, &at);

	if (ret)
		return ret;
	floods = alloc_percpu(struct exerciser_flood);
	if (!floods)
		return -ENOMEM;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		struct exerciser_flood *flood = per_cpu_ptr(floods, cpu);

		flood->at = at;
		flood->count = arguments[2];
		INIT_WORK(&flood->work, exerciser_flood_one);
		queue_work_on(cpu, system_wq, &flood->work);
		cpus++;
	}
	for_each_online_cpu(cpu)
		flush_work(&per_cpu_ptr(floods, cpu)->work);
	cpus_read_unlock();
	free_percpu(floods);
	sprintf(answer, "%u", cpus);
	return 0;
}

int exerciser_move(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	const u64 target[] = { arguments[0], arguments[2] };
	void __iomem *from, *to;
	int ret;

	ret = exerciser_at(exerciser, arguments, arguments[3], &from);
	if (!ret)
		ret = exerciser_at(exerciser, target, arguments[3], &to);
	if (!ret)
		memcpy_fromio((void __force *)to, from, arguments[3]);
	return ret;
}

int exerciser_apart(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	phys_addr_t address = pci_resource_start(exerciser->pdev, arguments[0]) + arguments[1];
	void __iomem *at, *again;
	int ret = exerciser_at(exerciser, arguments, 4, &at);

	if (ret)
		return ret;
	at = ioremap(address, 4);
	again = ioremap(address, 4);
	if (at)
		writel(arguments[2], at);
	iounmap(at);
	if (again)
		writel(arguments[2] + 1, again);
	iounmap(again);
	return at && again ? 0 : -ENXIO;
}
