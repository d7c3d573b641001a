// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watched ranges of memory. The driver's store runs at its own speed, and behind it
 * a debug register of its CPU raises #DB, where the event goes into the ring.
 *
 * A debug register compares virtual addresses. So a BAR with watches is mapped once,
 * as a whole, and every ioremap() of it returns a part of that (map.c): one register
 * suffices for a range, and whether one is free shows when the device is plugged. A
 * store by another way, emulated because its page traps or its process is user space,
 * comes to barkeep_watch_written().
 *
 * Context of a hit: an NMI in the kernel's eyes, interrupts off, but one that a store
 * of a driver has raised: no code of ours or of the scheduler is interrupted in the
 * middle, other than by an NMI. The ring takes no locks, so it is used from here; and
 * since it is used at once, hits keep their order among themselves and before later
 * accesses. A store inside an NMI raises nothing: its debug registers are off.
 *
 * A hit cannot wait for room, since its store is done. Without room it is counted, and
 * the count goes into the ring before anything else does (barkeep_watch_flush()).
 * While any waits, barkeep_status.sleepers is up, so that the model says when there
 * is room.
 */
#include <linux/cpuhotplug.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <linux/uaccess.h>

#include "access.h"
#include "map.h"
#include "ring.h"

/* Events that a flush delivers at a stretch with interrupts off. */
#define WATCH_BATCH	64

/* Has CPUs that come online watch what the others do. */
static enum cpuhp_state watch_cpus;

static const u32 watch_types[] = {
	[1] = HW_BREAKPOINT_LEN_1,
	[2] = HW_BREAKPOINT_LEN_2,
	[4] = HW_BREAKPOINT_LEN_4,
	[8] = HW_BREAKPOINT_LEN_8,
};

static struct barkeep_event watch_event(const struct barkeep_watched *watch)
{
	return (struct barkeep_event){
		.kind = BARKEEP_EVENT_WRITE,
		.bar = watch->bar->number,
		.width = watch->width,
		.offset = watch->offset,
		.value = barkeep_access_peek(watch->bar, watch->offset, watch->width),
		.slot = BARKEEP_NO_SLOT,
	};
}

static bool watch_offer(struct barkeep_watched *watch)
{
	const struct barkeep_event event = watch_event(watch);

	return barkeep_ring_offer(watch->bar->dev, &event);
}

/* There is no room: count it, and have the model say when there is. */
static void watch_hold(struct barkeep_watched *watch)
{
	struct barkeep_device *dev = watch->bar->dev;

	if (atomic64_inc_return(&dev->watches.waiting) == 1)
		atomic_inc((atomic_t *)&dev->status->sleepers);
	atomic64_inc(&watch->waiting);
	/*
	 * Looks for room once more, behind the full barrier of queueing: either the
	 * model has seen sleepers when it consumed, or its head is seen then.
	 */
	irq_work_queue(&dev->watches.deliver);
}

static void watch_hit(struct perf_event *event, struct perf_sample_data *data,
		      struct pt_regs *regs)
{
	struct barkeep_watched *watch = event->overflow_handler_context;
	struct barkeep_device *dev = watch->bar->dev;

	if (!READ_ONCE(dev->config.decoding))
		return;
	if (unlikely(atomic64_read(&dev->watches.waiting)) || !watch_offer(watch))
		watch_hold(watch);
}

/* After the event is in the ring, so that whoever sees none waiting is behind it. */
static void watch_settle(struct barkeep_watched *watch, s64 count)
{
	struct barkeep_device *dev = watch->bar->dev;

	atomic64_sub(count, &watch->waiting);
	if (!atomic64_sub_return(count, &dev->watches.waiting))
		atomic_dec((atomic_t *)&dev->status->sleepers);
}

/* Up to @batch hits; returns how many of it are left. */
static unsigned int watch_flush_one(struct barkeep_watched *watch, unsigned int batch)
{
	s64 waiting = atomic64_read(&watch->waiting);

	lockdep_assert_held(&watch->bar->dev->watches.lock);
	if (!waiting)
		return batch;
	/* Nothing is delivered behind a link that went down. */
	if (READ_ONCE(watch->bar->dev->status->link_down)) {
		watch_settle(watch, waiting);
		return batch;
	}
	for (; batch && waiting && watch_offer(watch); batch--, waiting--)
		watch_settle(watch, 1);
	return batch;
}

/*
 * Delivers the hits that there is room for, up to a ring full of them; false while some
 * still wait. Any context but NMI. The lock keeps another CPU from passing what this one
 * is about to put into the ring; a hit takes none.
 */
bool barkeep_watch_flush(struct barkeep_device *dev)
{
	struct barkeep_watches *watches = &dev->watches;
	unsigned int n, batch, batches = dev->ring.size / WATCH_BATCH;
	unsigned long flags;

	do {
		batch = WATCH_BATCH;
		raw_spin_lock_irqsave(&watches->lock, flags);
		for (n = 0; n < watches->count; n++)
			batch = watch_flush_one(&watches->watch[n], batch);
		raw_spin_unlock_irqrestore(&watches->lock, flags);
	} while (!batch && --batches);
	if (!batch)
		irq_work_queue(&watches->deliver);
	return !atomic64_read(&watches->waiting);
}

static void watch_deliver(struct irq_work *work)
{
	barkeep_ring_flush(container_of(work, struct barkeep_device, watches.deliver));
}

static bool watch_meets(const struct barkeep_watched *watch, const struct barkeep_bar_memory *bar,
			u64 offset, u64 bytes)
{
	return watch->bar == bar && offset < watch->offset + watch->width &&
	       watch->offset < offset + bytes;
}

/**
 * barkeep_watch_covers - whether any of these bytes is watched
 * @bar: the BAR
 * @offset: first byte
 * @bytes: how many
 *
 * Any context. A page of memory that has a watched byte is not to be mapped elsewhere
 * than in the driver's mappings: see barkeep_watch_written().
 */
bool barkeep_watch_covers(const struct barkeep_bar_memory *bar, u64 offset, u64 bytes)
{
	const struct barkeep_watches *watches = &bar->dev->watches;
	unsigned int n;

	for (n = 0; n < watches->count; n++) {
		if (watch_meets(&watches->watch[n], bar, offset, bytes))
			return true;
	}
	return false;
}

/**
 * barkeep_watch_written - tells of a store to memory that no debug register saw
 * @bar: the BAR
 * @offset: first byte written
 * @width: bytes written
 * @patience: what the access may wait for room
 *
 * Called by access.c after the store; context as there.
 */
void barkeep_watch_written(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			   struct barkeep_patience *patience)
{
	struct barkeep_watches *watches = &bar->dev->watches;
	struct barkeep_event event;
	unsigned int n;

	for (n = 0; n < watches->count; n++) {
		if (!watch_meets(&watches->watch[n], bar, offset, width))
			continue;
		event = watch_event(&watches->watch[n]);
		barkeep_ring_post(bar->dev, &event, patience);
	}
}

/*
 * On @cpu's own hotplug thread, also while all CPUs stay online: a breakpoint on a
 * kernel address takes a capability, which the model need not have.
 */
static int watch_cpu_online(unsigned int cpu, struct hlist_node *node)
{
	struct barkeep_watched *watch = hlist_entry(node, struct barkeep_watched, node);
	struct perf_event_attr attr;
	struct perf_event *event;

	hw_breakpoint_init(&attr);
	attr.bp_addr = watch->address;
	attr.bp_len = watch_types[watch->width];
	attr.bp_type = HW_BREAKPOINT_W;
	event = perf_event_create_kernel_counter(&attr, cpu, NULL, watch_hit, watch);
	if (IS_ERR(event))
		return PTR_ERR(event) == -ENOSPC ? -EUSERS : PTR_ERR(event);
	*per_cpu_ptr(watch->events, cpu) = event;
	return 0;
}

/* When it returns, no hit is on its way on this CPU. */
static int watch_cpu_offline(unsigned int cpu, struct hlist_node *node)
{
	struct barkeep_watched *watch = hlist_entry(node, struct barkeep_watched, node);
	struct perf_event **event = per_cpu_ptr(watch->events, cpu);

	if (*event)
		perf_event_release_kernel(*event);
	*event = NULL;
	return 0;
}

static int watch_arm(struct barkeep_watched *watch)
{
	int ret;

	watch->events = alloc_percpu_gfp(struct perf_event *, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!watch->events)
		return -ENOMEM;
	ret = cpuhp_state_add_instance(watch_cpus, &watch->node);
	watch->armed = !ret;
	return ret;
}

/**
 * barkeep_watch_stop - gives the debug registers back
 * @dev: the device
 *
 * When it returns, no hit is on its way; those that wait for room still do. Any number
 * of times, may sleep.
 */
void barkeep_watch_stop(struct barkeep_device *dev)
{
	unsigned int n;

	for (n = 0; n < dev->watches.count; n++) {
		struct barkeep_watched *watch = &dev->watches.watch[n];

		if (watch->armed)
			cpuhp_state_remove_instance(watch_cpus, &watch->node);
		watch->armed = false;
		free_percpu(watch->events);
		watch->events = NULL;
	}
	irq_work_sync(&dev->watches.deliver);
}

static int watch_check(struct barkeep_device *dev, const struct barkeep_watch *arg)
{
	struct barkeep_bar_memory *bar;

	if (memchr_inv(arg->__reserved, 0, sizeof(arg->__reserved)))
		return -EOPNOTSUPP;
	if (arg->bar >= BARKEEP_BARS || arg->width >= ARRAY_SIZE(watch_types) ||
	    !watch_types[arg->width])
		return -EINVAL;
	bar = &dev->bars[arg->bar];
	/* A multiple of the width does not cross a page. */
	if (arg->offset >= bar->bytes || arg->offset % arg->width)
		return -EINVAL;
	if (bar->policy[arg->offset >> PAGE_SHIFT] != BARKEEP_POLICY_MEMORY ||
	    barkeep_watch_covers(bar, arg->offset, arg->width))
		return -EINVAL;
	return 0;
}

static int watch_add(struct barkeep_device *dev, const struct barkeep_watch *arg)
{
	struct barkeep_watched *watch = &dev->watches.watch[dev->watches.count];
	struct barkeep_bar_memory *bar;
	int ret = watch_check(dev, arg);

	if (ret)
		return ret;
	bar = &dev->bars[arg->bar];
	if (!barkeep_bar_page(bar, arg->offset >> PAGE_SHIFT, GFP_KERNEL_ACCOUNT))
		return -ENOMEM;
	ret = barkeep_map_whole(bar);
	if (ret)
		return ret;
	watch->bar = bar;
	watch->offset = arg->offset;
	watch->width = arg->width;
	watch->address = bar->whole->extent.start + arg->offset;
	dev->watches.count++;
	return watch_arm(watch);
}

int barkeep_watch_init(struct barkeep_device *dev, const struct barkeep_plug *plug)
{
	struct barkeep_watches *watches = &dev->watches;
	struct barkeep_watch arg;
	u32 n;
	int ret = 0;

	if (plug->watch_count > BARKEEP_WATCHES_MAX)
		return -EINVAL;
	raw_spin_lock_init(&watches->lock);
	init_irq_work(&watches->deliver, watch_deliver);
	for (n = 0; n < plug->watch_count && !ret; n++) {
		if (copy_from_user(&arg, u64_to_user_ptr(plug->watches) + n * sizeof(arg),
				   sizeof(arg)))
			ret = -EFAULT;
		else
			ret = watch_add(dev, &arg);
	}
	if (ret)
		barkeep_watch_destroy(dev);
	return ret;
}

void barkeep_watch_destroy(struct barkeep_device *dev)
{
	int n;

	barkeep_watch_stop(dev);
	for (n = 0; n < BARKEEP_BARS; n++)
		barkeep_map_forget(&dev->bars[n]);
	memset(&dev->watches, 0, sizeof(dev->watches));
}

int barkeep_watches_init(void)
{
	int state = cpuhp_setup_state_multi(CPUHP_AP_ONLINE_DYN, "barkeep:watch",
					    watch_cpu_online, watch_cpu_offline);

	if (state < 0)
		return state;
	watch_cpus = state;
	return 0;
}

void barkeep_watches_exit(void)
{
	cpuhp_remove_multi_state(watch_cpus);
}
