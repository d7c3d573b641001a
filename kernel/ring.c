// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event ring: many producers, in any context, and one consumer in user space.
 *
 * A producer reserves an index with one atomic operation, which fixes the order
 * of events, waits until the entry is free, fills it and publishes it by writing
 * its sequence number with release order. The consumer looks at the entry at its
 * head until the number is there; there is no shared tail to read. Entries are
 * free up to the consumer's head, which lives on a page that it can scribble on:
 * it is read once, and only believed where it moves forward and not past what was
 * reserved. A consumer that lies loses its own events and nothing else.
 *
 * Ordering. Publishing: smp_store_release() of sequence, with the consumer's
 * acquire load. Sleeping: the consumer sets control.sleeping and then looks at
 * the ring, the producer publishes and then looks at control.sleeping, with a
 * full barrier between on both sides, so that one sees the other.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "barkeep.h"

/* Entries that accesses leave free, for notices, which cannot wait. */
#define RING_HEADROOM	64

static bool ring_has_room(struct barkeep_ring *ring, u32 index, u32 headroom)
{
	u32 limit = ring->size - headroom;
	u32 head = atomic_read(&ring->head);
	u32 claimed;

	if (index - head < limit)
		return true;
	claimed = READ_ONCE(ring->control->head);
	if (claimed - head > (u32)atomic_read(&ring->tail) - head)
		return false;
	/* Loses to another producer that saw a newer one; the next look sees it. */
	atomic_cmpxchg(&ring->head, head, claimed);
	return index - claimed < limit;
}

static bool ring_access_has_room(struct barkeep_device *dev, u32 index)
{
	return ring_has_room(&dev->ring, index, RING_HEADROOM);
}

static void ring_wake(struct irq_work *work)
{
	struct barkeep_ring *ring = container_of(work, struct barkeep_ring, wake);

	wake_up_all(&ring->readable);
}

static void ring_remote_wake(void *info)
{
	struct barkeep_ring *ring = info;

	irq_work_queue(&ring->wake);
	clear_bit_unlock(0, &ring->remote_wake_sent);
}

/*
 * A wake-up takes locks that the driver may hold, so it is left to an irq_work;
 * and one that spins with interrupts off leaves it to another CPU, for on its own
 * it would run after the wait that it is to end.
 */
static void ring_wake_model(struct barkeep_ring *ring)
{
	unsigned int other = nr_cpu_ids;

	if (irqs_disabled())
		other = cpumask_any_but(cpu_online_mask, smp_processor_id());
	if (other >= nr_cpu_ids)
		irq_work_queue(&ring->wake);
	else if (!test_and_set_bit_lock(0, &ring->remote_wake_sent) &&
		 smp_call_function_single_async(other, &ring->remote_wake))
		clear_bit_unlock(0, &ring->remote_wake_sent);
}

static void ring_publish(struct barkeep_ring *ring, u32 index, const struct barkeep_event *event)
{
	struct barkeep_event *entry = &ring->entries[index & (ring->size - 1)];

	entry->kind = event->kind;
	entry->bar = event->bar;
	entry->width = event->width;
	entry->offset = event->offset;
	entry->value = event->value;
	entry->value_high = event->value_high;
	entry->time = ktime_get_mono_fast_ns();
	entry->cpu = raw_smp_processor_id();
	entry->slot = event->slot;
	entry->ticket = event->ticket;
	/* All of the entry is there before its number is. */
	smp_store_release(&entry->sequence, index + 1);

	/* Pairs with the consumer's between setting sleeping and looking here. */
	smp_mb();
	if (unlikely(READ_ONCE(ring->control->sleeping)))
		ring_wake_model(ring);
}

/* Writes that can no longer be delivered in order: nothing after them may be. */
static void ring_link_down(struct barkeep_device *dev)
{
	struct barkeep_event fault = {
		.kind = BARKEEP_EVENT_FAULT,
		.value = BARKEEP_FAULT_LINK,
		.slot = BARKEEP_NO_SLOT,
	};

	if (xchg(&dev->status->link_down, 1))
		return;
	barkeep_config_kill(dev);
	barkeep_ring_try(dev, &fault);
	ring_wake_model(&dev->ring);
}

bool barkeep_ring_post(struct barkeep_device *dev, const struct barkeep_event *event,
		       bool may_sleep)
{
	struct barkeep_ring *ring = &dev->ring;
	u32 index;

	if (unlikely(READ_ONCE(dev->dead) || READ_ONCE(dev->status->link_down)))
		return false;
	index = atomic_fetch_inc(&ring->tail);
	if (unlikely(!ring_access_has_room(dev, index)) &&
	    !barkeep_wait(dev, ring_access_has_room, index, may_sleep)) {
		if (!READ_ONCE(dev->dead))
			ring_link_down(dev);
		return false;
	}
	ring_publish(ring, index, event);
	if (unlikely(READ_ONCE(ring->notices)))
		barkeep_ring_flush(dev);
	return true;
}

bool barkeep_ring_try(struct barkeep_device *dev, const struct barkeep_event *event)
{
	struct barkeep_ring *ring = &dev->ring;
	int index = atomic_read(&ring->tail);

	do {
		if (!ring_has_room(ring, index, 0))
			return false;
	} while (!atomic_try_cmpxchg(&ring->tail, &index, index + 1));
	ring_publish(ring, index, event);
	return true;
}

static u64 notice_command(struct barkeep_device *dev)
{
	return READ_ONCE(dev->status->command);
}

static u64 notice_power(struct barkeep_device *dev)
{
	return READ_ONCE(dev->status->power);
}

static u64 notice_reset(struct barkeep_device *dev)
{
	return READ_ONCE(dev->ring.reset);
}

static u64 notice_vectors(struct barkeep_device *dev)
{
	return READ_ONCE(dev->status->vectors);
}

static u64 notice_state(struct barkeep_device *dev)
{
	return READ_ONCE(dev->status->state);
}

static const struct {
	u16 kind;
	u64 (*value)(struct barkeep_device *dev);
} ring_notices[] = {
	[BARKEEP_NOTICE_COMMAND] = { BARKEEP_EVENT_COMMAND, notice_command },
	[BARKEEP_NOTICE_POWER] = { BARKEEP_EVENT_POWER, notice_power },
	[BARKEEP_NOTICE_RESET] = { BARKEEP_EVENT_RESET, notice_reset },
	[BARKEEP_NOTICE_VECTOR] = { BARKEEP_EVENT_VECTOR, notice_vectors },
	[BARKEEP_NOTICE_PLUGGED] = { BARKEEP_EVENT_PLUGGED, notice_state },
	[BARKEEP_NOTICE_UNPLUGGED] = { BARKEEP_EVENT_UNPLUGGED, notice_state },
};

static bool ring_try_config(struct barkeep_device *dev, unsigned int dword)
{
	const struct barkeep_event event = {
		.kind = BARKEEP_EVENT_CONFIG,
		.width = 4,
		.offset = dword * 4,
		.value = READ_ONCE(*(u32 *)&dev->config.image[dword * 4]),
		.slot = BARKEEP_NO_SLOT,
	};

	return barkeep_ring_try(dev, &event);
}

static bool ring_flush_config(struct barkeep_device *dev)
{
	unsigned int dword;

	for_each_set_bit(dword, dev->config.dirty, BARKEEP_CONFIG_SIZE / 4) {
		if (!test_and_clear_bit(dword, dev->config.dirty))
			continue;
		if (ring_try_config(dev, dword))
			continue;
		set_bit(dword, dev->config.dirty);
		return false;
	}
	return true;
}

static bool ring_flush_one(struct barkeep_device *dev, unsigned int notice)
{
	struct barkeep_event event = { .slot = BARKEEP_NO_SLOT };

	if (notice == BARKEEP_NOTICE_CONFIG)
		return ring_flush_config(dev);
	event.kind = ring_notices[notice].kind;
	event.value = ring_notices[notice].value(dev);
	return barkeep_ring_try(dev, &event);
}

/* Delivers the notices that there is room for. Any context but NMI. */
void barkeep_ring_flush(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;
	unsigned int notice;

	for_each_set_bit(notice, &ring->notices, BARKEEP_NOTICE_COUNT) {
		if (!test_and_clear_bit(notice, &ring->notices))
			continue;
		if (ring_flush_one(dev, notice))
			continue;
		set_bit(notice, &ring->notices);
		return;
	}
}

void barkeep_notice(struct barkeep_device *dev, enum barkeep_notice notice)
{
	set_bit(notice, &dev->ring.notices);
	barkeep_ring_flush(dev);
}

/* Whether the consumer has something to read, or nothing to wait for any more. */
bool barkeep_ring_readable(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;
	u32 head = READ_ONCE(ring->control->head);

	/* Pairs with ring_publish(). */
	if (smp_load_acquire(&ring->entries[head & (ring->size - 1)].sequence) == head + 1)
		return true;
	return READ_ONCE(dev->status->state) == BARKEEP_STATE_GONE;
}

long barkeep_ring_wait(struct barkeep_device *dev, struct barkeep_wait *arg)
{
	struct barkeep_ring *ring = &dev->ring;
	ktime_t timeout = min_t(u64, arg->timeout_ns, KTIME_MAX);
	int ret;

	barkeep_ring_flush(dev);
	if (barkeep_ring_readable(dev))
		return 0;
	if (!arg->timeout_ns)
		return -ETIMEDOUT;
	ret = wait_event_interruptible_hrtimeout(ring->readable, barkeep_ring_readable(dev),
						 timeout);
	if (ret == -ETIME)
		return -ETIMEDOUT;
	return ret ? -EINTR : 0;
}

int barkeep_ring_init(struct barkeep_device *dev, u32 entries)
{
	struct barkeep_ring *ring = &dev->ring;

	if (!is_power_of_2(entries) || entries < BARKEEP_RING_MIN || entries > BARKEEP_RING_MAX)
		return -EINVAL;
	ring->size = entries;
	atomic_set(&ring->tail, 0);
	atomic_set(&ring->head, 0);
	init_waitqueue_head(&ring->readable);
	init_waitqueue_head(&ring->settled);
	init_irq_work(&ring->wake, ring_wake);
	INIT_CSD(&ring->remote_wake, ring_remote_wake, ring);
	ring->control = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	ring->entries = vmalloc_user(array_size(entries, sizeof(*ring->entries)));
	if (ring->control && ring->entries)
		return 0;
	barkeep_ring_destroy(dev);
	return -ENOMEM;
}

void barkeep_ring_destroy(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;

	while (test_bit_acquire(0, &ring->remote_wake_sent))
		cpu_relax();
	irq_work_sync(&ring->wake);
	vfree(ring->entries);
	free_page((unsigned long)ring->control);
	ring->entries = NULL;
	ring->control = NULL;
}
