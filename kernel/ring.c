// SPDX-License-Identifier: GPL-2.0-only
/*
 * The event ring: many producers, in any context, and one consumer in user space.
 *
 * A producer waits until there is room, reserves an index with one atomic operation,
 * which fixes the order of events, fills the entry and publishes it by writing its
 * sequence number with release order. The consumer looks at the entry at its
 * head until the number is there; there is no shared tail to read. Entries are
 * free up to the consumer's head, which lives on a page that it can scribble on:
 * it is read once, and only believed where it moves forward and not past what was
 * reserved. A consumer that lies loses its own events and nothing else.
 *
 * Ordering. Publishing: smp_store_release() of sequence, with the consumer's
 * acquire load. Sleeping: the consumer sets control.sleeping, enters the kernel and
 * there looks at the tail; the producer moves the tail, publishes and then looks at
 * control.sleeping. Moving the tail is the full barrier on its side, so that one sees
 * the other. What is reserved keeps the consumer awake: it is published in a moment.
 *
 * The way of an event with room is inline, in ring.h.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

#include "ring.h"

/* How often a producer that others are quicker than waits for the whole timeout. */
#define RENEWALS_MAX	16

/*
 * A CPU's part in waking those that sleep: by itself, and asked by another. Each has its
 * own, for one that has its interrupts off holds up what it was to do.
 */
struct barkeep_kick {
	struct irq_work work;
	call_single_data_t call;
	unsigned long sent;	/* bit 0: on its way */
	struct barkeep_device *dev;
};

/* @headroom: entries that stay free. The model's head is believed where it can be true. */
bool barkeep_ring_look(struct barkeep_ring *ring, u32 index, u32 headroom)
{
	u32 head = atomic_read(&ring->head);
	u32 claimed = READ_ONCE(ring->control->head);

	if (claimed - head > (u32)atomic_read(&ring->tail) - head)
		return false;
	/* Loses to another producer that saw a newer one; the next look sees it. */
	atomic_cmpxchg(&ring->head, head, claimed);
	return index - claimed < ring->size - headroom;
}

/* The model, and who waits for a slot; for a completion, the model wakes. */
static void ring_wake(struct barkeep_device *dev)
{
	wake_up_all(&dev->ring.readable);
	if (atomic_read(&dev->slots.wanted))
		wake_up_all(&dev->ring.settled);
}

static void ring_stirred(struct irq_work *work)
{
	ring_wake(container_of(work, struct barkeep_kick, work)->dev);
}

static void ring_kicked(void *info)
{
	struct barkeep_kick *kick = info;

	ring_wake(kick->dev);
	/* Pairs with the one in barkeep_ring_destroy(). */
	clear_bit_unlock(0, &kick->sent);
}

/* Any context: a wake-up takes locks that the driver may hold. */
void barkeep_ring_stir(struct barkeep_device *dev)
{
	irq_work_queue(&raw_cpu_ptr(dev->ring.kicks)->work);
}

/*
 * Has another CPU wake the model, if it sleeps: for a driver that waits with
 * interrupts off, on whose own CPU an irq_work would run after the wait that it is
 * to end. Each call asks another one, for that may have its interrupts off too; the
 * first is where the model went to sleep.
 */
void barkeep_ring_kick(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;
	unsigned int cpu = READ_ONCE(ring->kick_cpu);
	struct barkeep_kick *kick;

	if (!READ_ONCE(ring->control->sleeping))
		return;
	if (cpu >= nr_cpu_ids || cpu == smp_processor_id() || !cpu_online(cpu))
		cpu = cpumask_any_but(cpu_online_mask, smp_processor_id());
	if (cpu >= nr_cpu_ids)
		return;
	kick = per_cpu_ptr(ring->kicks, cpu);
	if (!test_and_set_bit_lock(0, &kick->sent) &&
	    smp_call_function_single_async(cpu, &kick->call))
		clear_bit_unlock(0, &kick->sent);

	cpu = cpumask_next(cpu, cpu_online_mask);
	WRITE_ONCE(ring->kick_cpu, cpu < nr_cpu_ids ? cpu : cpumask_first(cpu_online_mask));
}

/* An event has been published for a model that sleeps. @held: see barkeep_ring_put(). */
void barkeep_ring_rouse(struct barkeep_device *dev, bool held)
{
	barkeep_ring_stir(dev);
	if (irqs_disabled() && !held)
		barkeep_ring_kick(dev);
}

/* A fault is delivered when there is room, if no later one of its kind takes its place. */
static void ring_keep_fault(struct barkeep_device *dev, const struct barkeep_event *event)
{
	struct barkeep_ring *ring = &dev->ring;
	unsigned long flags;

	if (WARN_ON_ONCE(event->value >= ARRAY_SIZE(ring->faults)))
		return;
	raw_spin_lock_irqsave(&ring->fault_lock, flags);
	ring->faults[event->value] = *event;
	raw_spin_unlock_irqrestore(&ring->fault_lock, flags);
	/* There may be room by now, and nobody else who looks. */
	barkeep_notice(dev, BARKEEP_NOTICE_FAULT);
}

bool barkeep_ring_try(struct barkeep_device *dev, const struct barkeep_event *event)
{
	if (barkeep_ring_put(dev, event, 0, false))
		return true;
	if (event->kind != BARKEEP_EVENT_FAULT)
		return false;
	ring_keep_fault(dev, event);
	return true;
}

/* With the room that accesses have. Also from #DB: see watch.c. */
bool barkeep_ring_offer(struct barkeep_device *dev, const struct barkeep_event *event)
{
	return barkeep_ring_put(dev, event, BARKEEP_RING_HEADROOM, false);
}

/* Writes that can no longer be delivered in order: nothing after them may be. */
static void ring_link_down(struct barkeep_device *dev)
{
	const struct barkeep_event fault = {
		.kind = BARKEEP_EVENT_FAULT,
		.value = BARKEEP_FAULT_LINK,
		.slot = BARKEEP_NO_SLOT,
	};

	if (xchg(&dev->status->link_down, 1))
		return;
	barkeep_config_kill(dev);
	barkeep_ring_try(dev, &fault);
}

static bool ring_has_access_room(struct barkeep_device *dev, u32 unused)
{
	struct barkeep_ring *ring = &dev->ring;

	return barkeep_ring_has_room(ring, atomic_read(&ring->tail), BARKEEP_RING_HEADROOM);
}

/*
 * A ring is full while the model takes nothing from it. Where it has taken events since
 * the wait began, and other producers were quicker to use the room, the wait begins
 * anew, but not for ever, and not where the CPU is lost meanwhile.
 */
static bool ring_wait(struct barkeep_device *dev, struct barkeep_backpressure *pressure,
		      struct barkeep_patience *patience)
{
	struct barkeep_ring *ring = &dev->ring;
	struct barkeep_goal goal = {
		.done = ring_has_access_room,
		.queue = &ring->room,
		.since = pressure->since,
	};
	bool room;

	if (!pressure->since)
		pressure->head = atomic_read(&ring->head);
	room = barkeep_wait_room(dev, &goal, patience);
	pressure->since = goal.since;
	if (room)
		return true;
	if (!patience->may_sleep || atomic_read(&ring->head) == pressure->head ||
	    pressure->renewals == RENEWALS_MAX || barkeep_wait_killed(patience))
		return false;
	pressure->renewals++;
	pressure->since = 0;
	return true;
}

/* True if it is worth another try; else the event is lost, and with it the link. */
bool barkeep_ring_room(struct barkeep_device *dev, struct barkeep_backpressure *pressure,
		       struct barkeep_patience *patience)
{
	if (ring_wait(dev, pressure, patience))
		return true;
	if (!READ_ONCE(dev->dead) && !barkeep_wait_killed(patience))
		ring_link_down(dev);
	return false;
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

/* The lock is held across the look at the ring: a later fault must not be put back. */
static bool ring_flush_faults(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;
	bool room = true;
	unsigned long flags;
	int n;

	raw_spin_lock_irqsave(&ring->fault_lock, flags);
	for (n = 0; room && n < ARRAY_SIZE(ring->faults); n++) {
		if (ring->faults[n].kind)
			room = barkeep_ring_put(dev, &ring->faults[n], 0, false);
		if (room)
			ring->faults[n].kind = 0;
	}
	raw_spin_unlock_irqrestore(&ring->fault_lock, flags);
	return room;
}

static bool ring_flush_one(struct barkeep_device *dev, unsigned int notice)
{
	struct barkeep_event event = { .slot = BARKEEP_NO_SLOT };

	if (notice == BARKEEP_NOTICE_CONFIG)
		return ring_flush_config(dev);
	if (notice == BARKEEP_NOTICE_FAULT)
		return ring_flush_faults(dev);
	event.kind = ring_notices[notice].kind;
	event.value = ring_notices[notice].value(dev);
	return barkeep_ring_try(dev, &event);
}

static bool ring_flush_notices(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;
	unsigned int notice;

	for_each_set_bit(notice, &ring->notices, BARKEEP_NOTICE_COUNT) {
		if (!test_and_clear_bit(notice, &ring->notices))
			continue;
		if (ring_flush_one(dev, notice))
			continue;
		set_bit(notice, &ring->notices);
		return false;
	}
	return true;
}

/*
 * Delivers what waits for room, as far as there is some: writes to watched memory, then
 * notices. Any context but NMI.
 */
void barkeep_ring_flush(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;

	do {
		if (!barkeep_ring_is_clear(dev) || ring_flush_notices(dev))
			return;
		/*
		 * Pairs with the consumer's before its flush, when it goes to sleep: it
		 * sees what is left, or we the room that it has made.
		 */
		smp_mb__after_atomic();
	} while (barkeep_ring_has_room(ring, atomic_read(&ring->tail), 0));
}

void barkeep_notice(struct barkeep_device *dev, enum barkeep_notice notice)
{
	set_bit(notice, &dev->ring.notices);
	barkeep_ring_flush(dev);
}

/*
 * Whether the consumer has something to read, now or in a moment, or nothing to wait for
 * any more.
 */
bool barkeep_ring_readable(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;

	/* Sleeping is set before: pairs with the reservation in barkeep_ring_put(). */
	if (atomic_read(&ring->tail) != READ_ONCE(ring->control->head))
		return true;
	return READ_ONCE(dev->status->state) == BARKEEP_STATE_GONE;
}

/*
 * Whoever sleeps for room is woken when there is some for many, and not once for each
 * entry. Where the model stops before, its ring might as well be full.
 */
void barkeep_ring_wake(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;

	wake_up_all(&ring->settled);
	wake_up_all(&ring->readable);
	if (barkeep_ring_has_room(ring, atomic_read(&ring->tail),
				  BARKEEP_RING_HEADROOM + ring->size / 4))
		wake_up_all(&ring->room);
}

long barkeep_ring_wait(struct barkeep_device *dev, struct barkeep_wait *arg)
{
	struct barkeep_ring *ring = &dev->ring;
	ktime_t timeout = min_t(u64, arg->timeout_ns, KTIME_MAX);
	int ret;

	barkeep_ring_flush(dev);
	if (barkeep_ring_readable(dev))
		return 0;
	WRITE_ONCE(ring->kick_cpu, raw_smp_processor_id());
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
	int cpu;

	if (!is_power_of_2(entries) || entries < BARKEEP_RING_MIN || entries > BARKEEP_RING_MAX)
		return -EINVAL;
	ring->size = entries;
	atomic_set(&ring->tail, 0);
	atomic_set(&ring->head, 0);
	ring->notices = 0;
	raw_spin_lock_init(&ring->fault_lock);
	ring->control = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	/* ENOMEM says it; neither needs a stack in the log. */
	ring->entries = __vmalloc(array_size(entries, sizeof(*ring->entries)),
				  GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
	ring->kicks = alloc_percpu_gfp(struct barkeep_kick, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!ring->control || !ring->entries || !ring->kicks) {
		barkeep_ring_destroy(dev);
		return -ENOMEM;
	}
	for_each_possible_cpu(cpu) {
		struct barkeep_kick *kick = per_cpu_ptr(ring->kicks, cpu);

		kick->dev = dev;
		init_irq_work(&kick->work, ring_stirred);
		INIT_CSD(&kick->call, ring_kicked, kick);
	}
	return 0;
}

void barkeep_ring_destroy(struct barkeep_device *dev)
{
	struct barkeep_ring *ring = &dev->ring;
	int cpu;

	if (ring->kicks) {
		for_each_possible_cpu(cpu) {
			struct barkeep_kick *kick = per_cpu_ptr(ring->kicks, cpu);

			irq_work_sync(&kick->work);
			/* Pairs with clear_bit_unlock() in ring_kicked(). */
			while (test_bit_acquire(0, &kick->sent))
				cpu_relax();
		}
	}
	free_percpu(ring->kicks);
	vfree(ring->entries);
	free_page((unsigned long)ring->control);
	ring->kicks = NULL;
	ring->entries = NULL;
	ring->control = NULL;
}
