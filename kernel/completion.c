// SPDX-License-Identifier: GPL-2.0-only
/*
 * Non-posted accesses. Each takes a completion slot, sends its event with the slot
 * and a ticket, and waits until the slot holds that ticket. Tickets of a slot
 * only go up, so a completion that comes too late, or twice, or is made up, meets
 * nobody. The event goes through the same ring as posted writes and so arrives
 * after all that were issued before it.
 */
#include <linux/mm.h>

#include "ring.h"

/* Whether @slot could be taken. Starts at the CPU's own: rarely contended. */
static bool slot_take(struct barkeep_device *dev, u32 *slot)
{
	u32 first = raw_smp_processor_id();
	u32 n;

	for (n = 0; n < BARKEEP_SLOTS; n++) {
		*slot = (first + n) % BARKEEP_SLOTS;
		if (!test_bit(*slot, dev->slots.busy) &&
		    !test_and_set_bit_lock(*slot, dev->slots.busy))
			return true;
	}
	return false;
}

static bool slot_maybe_free(struct barkeep_device *dev, u32 unused)
{
	return find_first_zero_bit(dev->slots.busy, BARKEEP_SLOTS) < BARKEEP_SLOTS;
}

static bool slot_acquire(struct barkeep_device *dev, u32 *slot,
			 struct barkeep_patience *patience)
{
	struct barkeep_goal goal = { .done = slot_maybe_free, .queue = &dev->ring.settled };
	bool taken = slot_take(dev, slot);

	if (likely(taken))
		return true;
	atomic_inc(&dev->slots.wanted);
	/* Pairs with the one in slot_release(): it sees us, or we the free slot. */
	smp_mb__after_atomic();
	while (!taken && barkeep_wait(dev, &goal, patience))
		taken = slot_take(dev, slot);
	atomic_dec(&dev->slots.wanted);
	return taken;
}

static void slot_release(struct barkeep_device *dev, u32 slot)
{
	WRITE_ONCE(dev->status->waiting[slot], 0);
	clear_bit_unlock(slot, dev->slots.busy);
	/* Pairs with the one in slot_acquire(). */
	smp_mb__after_atomic();
	if (unlikely(atomic_read(&dev->slots.wanted)))
		barkeep_ring_stir(dev);
}

static bool slot_completed(struct barkeep_device *dev, u32 slot)
{
	/* Pairs with the model's release: the value is there. */
	return smp_load_acquire(&dev->slots.completions[slot].ticket) ==
	       dev->slots.ticket[slot];
}

/* With or without a slot: there are more reads at once than slots, or there is no answer. */
static void slot_timed_out(struct barkeep_device *dev, const struct barkeep_event *event)
{
	struct barkeep_event fault = *event;

	barkeep_count(&dev->status->timeouts);
	fault.kind = BARKEEP_EVENT_FAULT;
	fault.value = event->kind == BARKEEP_EVENT_READ ? BARKEEP_FAULT_READ_TIMEOUT :
							  BARKEEP_FAULT_WRITE_TIMEOUT;
	barkeep_ring_try(dev, &fault);
}

/*
 * What it was completed with, or all-ones; the upper half of 16 bytes is in @event then.
 * Fills in @event's slot and ticket.
 */
static u64 slot_request(struct barkeep_device *dev, struct barkeep_event *event,
			struct barkeep_patience *patience)
{
	struct barkeep_goal goal = { .done = slot_completed, .queue = &dev->ring.settled };
	struct barkeep_completion *completion;
	u64 value = ~0ULL, high = ~0ULL;
	u32 slot;

	if (!slot_acquire(dev, &slot, patience)) {
		event->slot = BARKEEP_NO_SLOT;
		if (!READ_ONCE(dev->dead) && !barkeep_wait_killed(patience))
			slot_timed_out(dev, event);
		goto none;
	}
	completion = &dev->slots.completions[slot];

	/* 0 stands for nobody. */
	if (!++dev->slots.ticket[slot])
		dev->slots.ticket[slot] = 1;
	event->slot = slot;
	event->ticket = dev->slots.ticket[slot];
	WRITE_ONCE(dev->status->waiting[slot], event->ticket);

	if (!barkeep_ring_post(dev, event, patience))
		goto out;
	goal.arg = slot;
	if (barkeep_wait_completion(dev, &goal, patience)) {
		if (READ_ONCE(completion->status) == BARKEEP_COMPLETION_SUCCESSFUL) {
			value = READ_ONCE(completion->value);
			high = READ_ONCE(completion->value_high);
		}
	} else if (!READ_ONCE(dev->dead) && !barkeep_wait_killed(patience)) {
		slot_timed_out(dev, event);
	}
out:
	slot_release(dev, slot);
none:
	event->value_high = high;
	return value;
}

u64 barkeep_completion_read(struct barkeep_device *dev, struct barkeep_event *event,
			    struct barkeep_patience *patience)
{
	return slot_request(dev, event, patience);
}

void barkeep_completion_write(struct barkeep_device *dev, struct barkeep_event *event,
			      struct barkeep_patience *patience)
{
	slot_request(dev, event, patience);
}

int barkeep_slots_init(struct barkeep_device *dev)
{
	dev->slots.completions = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return dev->slots.completions ? 0 : -ENOMEM;
}

void barkeep_slots_destroy(struct barkeep_device *dev)
{
	free_page((unsigned long)dev->slots.completions);
	dev->slots.completions = NULL;
}
