// SPDX-License-Identifier: GPL-2.0-only
/* What the bench driver can measure: floors, and accesses to the device. */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/uaccess.h>

#include "bench.h"

/* Between two looks at the clock, which takes longer than what is measured. */
#define BENCH_SPINS		4096
/*
 * Before each burst the model answers a read. More posted writes than a ring holds would
 * measure the model, not the write. And it is awake then: where another CPU is busy some
 * machines are slower, by half, and a path must not be compared with a floor of the
 * others.
 */
#define BENCH_BURST		16
/* After which a model sleeps that spins for 5 ms, with some for a busy machine. */
#define BENCH_IDLE_MS		20

/* A register that is never all-ones. */
int bench_read_at(struct bench *bench, const void __iomem *at)
{
	if (!PCI_POSSIBLE_ERROR(readl(at)))
		return 0;
	/* Or nobody answered in time: that spoils a run, but the device is there. */
	if (pci_device_is_present(bench->pdev))
		return -ETIMEDOUT;
	WRITE_ONCE(bench->gone, true);
	return -ENODEV;
}

int bench_read(struct bench *bench, unsigned int offset)
{
	return bench_read_at(bench, bench->regs + offset);
}

static int bench_nothing(struct bench *bench)
{
	return 0;
}

static int bench_fault(struct bench *bench)
{
	u64 value;

	return copy_from_kernel_nofault(&value, bench->guard, sizeof(value)) ? 0 : -EIO;
}

/*
 * Here and below, spinning without cpu_relax(): PAUSE takes longer than what is
 * measured, on emulated CPUs and on some real ones.
 */
static int bench_handoff(struct bench *bench)
{
	u32 sent = bench->line + 1;
	unsigned int spins = 0;

	WRITE_ONCE(bench->line, sent);
	while (READ_ONCE(bench->line) == sent)
		if (!(++spins % BENCH_SPINS) && bench_over(bench))
			return -ETIMEDOUT;
	return 0;
}

int bench_partner(void *data)
{
	struct bench *bench = data;
	unsigned int spins = 0;
	u32 line;

	while (!READ_ONCE(bench->partner_stop)) {
		line = READ_ONCE(bench->line);
		if (line & 1)
			WRITE_ONCE(bench->line, line + 1);
		/* It has a CPU to itself, on which others may depend. */
		else if (!(++spins % BENCH_SPINS) && bench_over(bench))
			break;
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int bench_memcpy(struct bench *bench)
{
	memcpy(bench->to, bench->from, BENCH_COPY);
	return 0;
}

static void bench_work(struct irq_work *work)
{
	WRITE_ONCE(container_of(work, struct bench, work)->worked, true);
}

static int bench_irq_work(struct bench *bench)
{
	unsigned int spins = 0;

	WRITE_ONCE(bench->worked, false);
	irq_work_queue(&bench->work);
	while (!READ_ONCE(bench->worked))
		if (!(++spins % BENCH_SPINS) && bench_over(bench))
			return -ETIMEDOUT;
	return 0;
}

static int bench_posted(struct bench *bench)
{
	writel(1, bench->regs + BENCH_POSTED);
	return 0;
}

/* Waits until the model, which is awake then, has taken all posted writes. */
static int bench_drain(struct bench *bench)
{
	return bench_read(bench, BENCH_ANSWERED);
}

/* Waits until the model sleeps. */
static int bench_idle(struct bench *bench)
{
	msleep(BENCH_IDLE_MS);
	return 0;
}

static int bench_shadow(struct bench *bench)
{
	return bench_read(bench, BENCH_SHADOW);
}

static int bench_mapped(struct bench *bench)
{
	return bench_read_at(bench, bench->mapped);
}

static int bench_declared(struct bench *bench)
{
	return bench_read(bench, BENCH_DECLARED);
}

static int bench_answered(struct bench *bench)
{
	return bench_read(bench, BENCH_ANSWERED);
}

int bench_answered_atomic(struct bench *bench)
{
	unsigned long flags;
	int error;

	local_irq_save(flags);
	error = bench_read(bench, BENCH_ANSWERED);
	local_irq_restore(flags);
	return error;
}

static int bench_doorbell(struct bench *bench)
{
	u32 sequence = bench->sequence + 1;
	u64 deadline = ktime_get_mono_fast_ns() + NSEC_PER_SEC;
	unsigned int spins = 0;

	/* Never what a device that is gone reads as. */
	if (PCI_POSSIBLE_ERROR(sequence))
		sequence = 1;
	bench->sequence = sequence;
	writel(sequence, bench->regs + BENCH_DOORBELL);
	while (readl(bench->regs + BENCH_COUNTER) != sequence)
		if (!(++spins % BENCH_SPINS) &&
		    (bench_over(bench) || ktime_get_mono_fast_ns() > deadline))
			return -ETIMEDOUT;
	return 0;
}

static const struct bench_path bench_paths[] = {
	{ "nothing", bench_nothing },
	{ "fault", bench_fault, .before = bench_drain, .burst = BENCH_BURST },
	{ "handoff", bench_handoff, .partner = true },
	{ "memcpy", bench_memcpy },
	{ "irq_work", bench_irq_work, .before = bench_drain, .burst = BENCH_BURST },
	{ "posted", bench_posted, .before = bench_drain, .burst = BENCH_BURST },
	{ "shadow", bench_shadow, .before = bench_drain, .burst = BENCH_BURST },
	{ "mapped", bench_mapped, .before = bench_drain, .burst = BENCH_BURST },
	{ "declared", bench_declared, .before = bench_drain, .burst = BENCH_BURST },
	{ "answered", bench_answered },
	{ "answered_atomic", bench_answered_atomic },
	{ "answered_idle", bench_answered, .before = bench_idle, .burst = 1 },
	{ "doorbell", bench_doorbell },
};

const struct bench_path *bench_path_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bench_paths); i++)
		if (!strcmp(bench_paths[i].name, name))
			return &bench_paths[i];
	return NULL;
}

void bench_paths_init(struct bench *bench)
{
	bench->work = IRQ_WORK_INIT_HARD(bench_work);
}
