/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How an event gets into the ring, inline: a posted write does little else, and so the
 * compiler puts its event together where it belongs.
 */
#ifndef _BARKEEP_RING_H
#define _BARKEEP_RING_H

#include <linux/timekeeping.h>

#include "access.h"

/* Entries that accesses leave free, for notices, which cannot wait. */
#define BARKEEP_RING_HEADROOM	64

/**
 * struct barkeep_backpressure - how long one event has waited for room
 * @since: see struct barkeep_goal
 * @head: what had been taken from the ring then
 * @renewals: times that the wait began anew
 */
struct barkeep_backpressure {
	u64 since;
	u32 head;
	u32 renewals;
};

/* ring.c: what is rare of it; barkeep_ring_stir() has those that sleep look again */
bool barkeep_ring_look(struct barkeep_ring *ring, u32 index, u32 headroom);
void barkeep_ring_stir(struct barkeep_device *dev);
void barkeep_ring_rouse(struct barkeep_device *dev, bool held);
bool barkeep_ring_room(struct barkeep_device *dev, struct barkeep_backpressure *pressure,
		       struct barkeep_patience *patience);

/* Whether entry @index leaves @headroom of them free. */
static __always_inline bool barkeep_ring_has_room(struct barkeep_ring *ring, u32 index,
						  u32 headroom)
{
	return likely(index - (u32)atomic_read(&ring->head) < ring->size - headroom) ||
	       barkeep_ring_look(ring, index, headroom);
}

/* Reserves the next index, if it leaves @headroom entries free. */
static __always_inline bool barkeep_ring_reserve(struct barkeep_ring *ring, u32 headroom,
						 u32 *index)
{
	int tail = atomic_read(&ring->tail);

	for (;;) {
		if (!barkeep_ring_has_room(ring, tail, headroom)) {
			int seen = tail;

			tail = atomic_read(&ring->tail);
			if (tail == seen)
				return false;
		} else if (likely(atomic_try_cmpxchg(&ring->tail, &tail, tail + 1))) {
			*index = tail;
			return true;
		}
	}
}

static __always_inline void barkeep_ring_fill(struct barkeep_ring *ring, u32 index,
					      const struct barkeep_event *event)
{
	struct barkeep_event *entry = &ring->entries[index & (ring->size - 1)];
	/* First: the consumer looks at the entry all the time, so it is filled in one go. */
	u64 time = ktime_get_mono_fast_ns();

	entry->kind = event->kind;
	entry->bar = event->bar;
	entry->width = event->width;
	entry->offset = event->offset;
	entry->value = event->value;
	entry->value_high = event->value_high;
	entry->time = time;
	entry->cpu = smp_processor_id();
	entry->slot = event->slot;
	entry->ticket = event->ticket;
	entry->reg = event->reg;
	entry->byte_enables = event->byte_enables;
	/* All of the entry is there before its number is. */
	smp_store_release(&entry->sequence, index + 1);
}

/*
 * Between reservation and publication nothing may come in between: an interrupt
 * handler that reads the device would wait for the event behind the one that it
 * keeps from being published. @held: interrupts are off already, and will be on soon:
 * when barkeep_wait() has looked for a microsecond, if not before.
 */
static __always_inline bool barkeep_ring_put(struct barkeep_device *dev,
					     const struct barkeep_event *event, u32 headroom,
					     bool held)
{
	struct barkeep_ring *ring = &dev->ring;
	unsigned long flags = 0;
	bool reserved;
	u32 index;

	if (!held)
		local_irq_save(flags);
	reserved = barkeep_ring_reserve(ring, headroom, &index);
	if (likely(reserved))
		barkeep_ring_fill(ring, index, event);
	if (!held)
		local_irq_restore(flags);
	if (unlikely(!reserved))
		return false;

	/* The reservation was a full barrier: pairs with barkeep_ring_readable(). */
	if (unlikely(READ_ONCE(ring->control->sleeping)))
		barkeep_ring_rouse(dev, held);
	return true;
}

/* Whether no write to watched memory waits for room, which comes before all else. */
static __always_inline bool barkeep_ring_is_clear(struct barkeep_device *dev)
{
	return likely(!atomic64_read(&dev->watches.waiting)) || barkeep_watch_flush(dev);
}

/* Waits for room. False when the device is dead or its link went down. */
static __always_inline bool barkeep_ring_post(struct barkeep_device *dev,
					      const struct barkeep_event *event,
					      struct barkeep_patience *patience)
{
	struct barkeep_backpressure pressure = {};

	do {
		if (unlikely(READ_ONCE(dev->dead) || READ_ONCE(dev->status->link_down)))
			return false;
		if (barkeep_ring_is_clear(dev) &&
		    likely(barkeep_ring_put(dev, event, BARKEEP_RING_HEADROOM, patience->held))) {
			if (unlikely(READ_ONCE(dev->ring.notices)))
				barkeep_ring_flush(dev);
			return true;
		}
	} while (barkeep_ring_room(dev, &pressure, patience));
	return false;
}

#endif
