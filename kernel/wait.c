// SPDX-License-Identifier: GPL-2.0-only
/*
 * How an access waits for the model. It spins first: a model that is awake
 * answers in a microsecond or two, and a sleep costs tens. Then it sleeps if its
 * context may; else it spins on, with interrupts as it found them. The clock is
 * read and not counted in jiffies, which stand still on the only CPU with
 * interrupts off.
 *
 * Sleeping: barkeep_status.sleepers goes up before the last look at what is
 * waited for, with a full barrier between; the model completes, or moves its head
 * forward, and then looks at sleepers. A model that does not wake us costs its
 * driver the timeout.
 */
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "barkeep.h"

#define SPIN_NS		(50 * NSEC_PER_USEC)
#define LOOKS_PER_CLOCK	32
/*
 * A CPU that cannot sleep is lost to the machine while it spins, so here the
 * completion timeout has a ceiling, well under what lockup detectors allow.
 */
#define ATOMIC_MAX_NS	(2 * NSEC_PER_SEC)

static bool wait_asleep(struct barkeep_device *dev,
			bool (*done)(struct barkeep_device *dev, u32 arg), u32 arg, u64 ns)
{
	struct barkeep_ring *ring = &dev->ring;
	bool ret;

	WRITE_ONCE(dev->status->sleepers, atomic_inc_return(&ring->sleepers));
	/* Pairs with the model's sequentially consistent store before its look. */
	smp_mb();
	/* Uninterruptible, as a load is, but no load on the machine. */
	wait_event_idle_timeout(ring->settled, done(dev, arg) || READ_ONCE(dev->dead),
				nsecs_to_jiffies(ns) + 1);
	ret = done(dev, arg);
	WRITE_ONCE(dev->status->sleepers, atomic_dec_return(&ring->sleepers));
	return ret;
}

bool barkeep_wait(struct barkeep_device *dev, bool (*done)(struct barkeep_device *dev, u32 arg),
		  u32 arg, bool may_sleep)
{
	u64 limit = may_sleep ? dev->timeout_ns : min_t(u64, dev->timeout_ns, ATOMIC_MAX_NS);
	u64 start = ktime_get_mono_fast_ns();
	u64 spent;
	int n;

	for (;;) {
		for (n = 0; n < LOOKS_PER_CLOCK; n++) {
			if (done(dev, arg))
				return true;
			cpu_relax();
		}
		if (READ_ONCE(dev->dead))
			return done(dev, arg);
		spent = ktime_get_mono_fast_ns() - start;
		if (spent >= limit)
			return done(dev, arg);
		if (may_sleep && (spent >= SPIN_NS || need_resched()))
			return wait_asleep(dev, done, arg, limit - spent);
	}
}
