// SPDX-License-Identifier: GPL-2.0-only
/*
 * How one interrupt travels. A vector has its own carrier to the CPU that it is
 * affine to, so vectors do not overwrite each other; two messages of one vector
 * that meet on the way arrive as one, as they do in an APIC.
 *
 * Sent under config.lock, which the interrupt core takes inside its own locks;
 * delivered to that core in hardirq context, without config.lock.
 *
 * What carries it comes before the timer's interrupt. So a line that is never
 * lowered, or messages without end, would leave the CPU to nothing else: of each
 * tick handlers have three quarters, what is beyond that waits for the next.
 */
#include <linux/delay.h>
#include <linux/irq.h>
#include <linux/irqdesc.h>
#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>

#include "irq.h"

/* What one delivery costs besides its handler, about. */
#define VECTOR_COST_NS	NSEC_PER_USEC
#define VECTOR_PAUSE_NS	(TICK_NSEC / 4)
#define VECTOR_SHARE_NS	(TICK_NSEC - VECTOR_PAUSE_NS)

/**
 * struct vector_load - what handlers of all devices' vectors have had of a CPU
 * @tick: when: jiffies, which stand still while nobody else counts them
 * @spent: of it, in nanoseconds
 */
struct vector_load {
	unsigned long tick;
	u64 spent;
};

/* Of this CPU, in hardirq context. */
static DEFINE_PER_CPU(struct vector_load, vector_load);

static bool vector_is_exhausted(void)
{
	struct vector_load *load = this_cpu_ptr(&vector_load);
	unsigned long now = jiffies;

	if (load->tick != now) {
		load->tick = now;
		load->spent = 0;
	}
	return load->spent >= VECTOR_SHARE_NS;
}

/*
 * Sends it in a while. Not by a lazy irq_work, which is not lazy on an idle CPU that
 * has stopped its tick. Under config.lock.
 */
static void vector_postpone(struct barkeep_vector *vector, u64 ns)
{
	if (!hrtimer_is_queued(&vector->later))
		hrtimer_start(&vector->later, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
}

/* Whether it is to be handled now. */
static bool vector_arrives(struct barkeep_vector *vector)
{
	struct barkeep_device *dev = vector->dev;
	unsigned long flags;
	bool wanted;

	raw_spin_lock_irqsave(&dev->config.lock, flags);
	wanted = vector->started && (vector != &dev->irqs.intx || barkeep_irq_line_active(dev));
	if (wanted && vector_is_exhausted()) {
		vector_postpone(vector, VECTOR_PAUSE_NS);
		wanted = false;
	}
	raw_spin_unlock_irqrestore(&dev->config.lock, flags);
	return wanted;
}

static void vector_handle(struct barkeep_vector *vector)
{
	u64 begun = ktime_get_mono_fast_ns();

	generic_handle_irq(READ_ONCE(vector->irq));
	this_cpu_add(vector_load.spent, ktime_get_mono_fast_ns() - begun + VECTOR_COST_NS);
}

/*
 * On the vector's CPU with interrupts off: in an IPI, or where an idle CPU looks
 * at its calls without taking one, which interrupt handlers must not notice.
 */
static void vector_deliver(struct barkeep_vector *vector)
{
	bool enter = !in_hardirq();

	if (enter)
		__irq_enter_raw();
	if (vector_arrives(vector))
		vector_handle(vector);
	if (enter)
		__irq_exit_raw();
	/* Pairs with the read in barkeep_vector_settle(). */
	smp_mb__before_atomic();
	atomic_dec(&vector->travelling);
}

static void vector_local(struct irq_work *work)
{
	vector_deliver(container_of(work, struct barkeep_vector, local));
}

static void vector_remote(void *vector)
{
	vector_deliver(vector);
}

/*
 * A handler that reads the device waits for the model with interrupts off. On the
 * model's own CPU it would wait in vain, for that is what it interrupted. Nor may
 * it interrupt another thread of the model's process: the model may wait for that
 * one, or for the CPU to flush its TLB. So this is another CPU of the interrupt's
 * affinity, where there is one.
 */
static unsigned int vector_cpu(struct barkeep_vector *vector)
{
	const struct barkeep_irqs *irqs = &vector->dev->irqs;
	unsigned int cpu = READ_ONCE(vector->cpu), other, second = cpu;
	const struct cpumask *affinity;

	if (!cpumask_test_cpu(cpu, &irqs->model_cpus))
		return cpu;
	affinity = irq_get_affinity_mask(READ_ONCE(vector->irq));
	if (!affinity)
		return cpu;
	for_each_cpu_and(other, affinity, cpu_online_mask) {
		if (!cpumask_test_cpu(other, &irqs->model_cpus))
			return other;
		if (second == irqs->model_cpu)
			second = other;
	}
	return second;
}

/*
 * Under config.lock, which @remote wants: it has no lock of its own. One that is
 * still on its way brings this message too.
 */
void barkeep_vector_send(struct barkeep_vector *vector)
{
	unsigned int cpu = vector_cpu(vector);
	int ret = -ENXIO;

	lockdep_assert_held(&vector->dev->config.lock);
	if (hrtimer_is_queued(&vector->later))
		return;
	atomic_inc(&vector->travelling);
	if (cpu != smp_processor_id())
		ret = smp_call_function_single_async(cpu, &vector->remote);
	if (ret == -ENXIO)
		ret = irq_work_queue(&vector->local) ? 0 : -EBUSY;
	if (ret)
		atomic_dec(&vector->travelling);
}

static enum hrtimer_restart vector_later(struct hrtimer *timer)
{
	struct barkeep_vector *vector = container_of(timer, struct barkeep_vector, later);
	unsigned long flags;

	raw_spin_lock_irqsave(&vector->dev->config.lock, flags);
	barkeep_vector_send(vector);
	raw_spin_unlock_irqrestore(&vector->dev->config.lock, flags);
	return HRTIMER_NORESTART;
}

/*
 * For a level whose handler could not read the device: sent at once it would come
 * back as soon as the handler returns, and the model, which may be what the handler
 * interrupts, would never get to answer it.
 */
void barkeep_vector_send_later(struct barkeep_vector *vector)
{
	lockdep_assert_held(&vector->dev->config.lock);
	vector_postpone(vector, TICK_NSEC);
}

/* Sleeps until nothing is on its way, after @started was cleared. */
void barkeep_vector_settle(struct barkeep_vector *vector)
{
	might_sleep();
	/* What it sends still travels; what arrives now is not sent later. */
	hrtimer_cancel(&vector->later);
	while (atomic_read_acquire(&vector->travelling))
		usleep_range(20, 100);
	/* It touches its work once more after our function. */
	irq_work_sync(&vector->local);
}

void barkeep_vector_init(struct barkeep_device *dev, struct barkeep_vector *vector)
{
	vector->dev = dev;
	vector->irq = 0;
	vector->started = false;
	atomic_set(&vector->travelling, 0);
	vector->local = IRQ_WORK_INIT_HARD(vector_local);
	hrtimer_init(&vector->later, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	vector->later.function = vector_later;
	INIT_CSD(&vector->remote, vector_remote, vector);
}
