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
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>

#include "barkeep.h"

#define SPIN_NS		(50 * NSEC_PER_USEC)
#define LOOKS_PER_CLOCK	32
#define KICK_NS		(20 * NSEC_PER_USEC)
/*
 * A CPU that cannot sleep is lost to the machine while it spins, so here the
 * completion timeout has a ceiling, well under what lockup detectors allow. And a
 * driver may wait again and again under one lock: once a model has let a wait time
 * out, the next ones are short, until it moves again.
 */
#define ATOMIC_MAX_NS		NSEC_PER_SEC
#define ATOMIC_UNRESPONSIVE_NS	NSEC_PER_MSEC
#define UNRESPONSIVE_NS		(50 * NSEC_PER_MSEC)

static u64 wait_limit(struct barkeep_device *dev, const struct barkeep_patience *patience)
{
	bool unresponsive = READ_ONCE(dev->unresponsive);

	if (patience->spent)
		return 0;
	if (patience->may_sleep)
		return unresponsive ? min_t(u64, dev->timeout_ns, UNRESPONSIVE_NS) :
				      dev->timeout_ns;
	return min_t(u64, dev->timeout_ns,
		     unresponsive ? ATOMIC_UNRESPONSIVE_NS : ATOMIC_MAX_NS);
}

/* An instruction of user space that is not to be finished. */
bool barkeep_wait_killed(const struct barkeep_patience *patience)
{
	return patience->killable && fatal_signal_pending(current);
}

static bool wait_asleep(struct barkeep_device *dev,
			bool (*done)(struct barkeep_device *dev, u32 arg), u32 arg, u64 ns,
			const struct barkeep_patience *patience)
{
	unsigned long timeout = nsecs_to_jiffies(ns) + 1;
	atomic_t *sleepers = (atomic_t *)&dev->status->sleepers;

	atomic_inc(sleepers);
	/* Pairs with the model's sequentially consistent store before its look. */
	smp_mb__after_atomic();
	/* Uninterruptible, as a load is, but no load on the machine. */
	if (patience->killable)
		wait_event_killable_timeout(dev->ring.settled,
					    done(dev, arg) || READ_ONCE(dev->dead), timeout);
	else
		wait_event_idle_timeout(dev->ring.settled,
					done(dev, arg) || READ_ONCE(dev->dead), timeout);
	atomic_dec(sleepers);
	return done(dev, arg);
}

static bool wait_spinning(struct barkeep_device *dev,
			  bool (*done)(struct barkeep_device *dev, u32 arg), u32 arg,
			  struct barkeep_patience *patience)
{
	u64 limit = wait_limit(dev, patience);
	u64 spent, kick = KICK_NS;
	int n;

	if (!patience->start)
		patience->start = ktime_get_mono_fast_ns();
	for (;;) {
		for (n = 0; n < LOOKS_PER_CLOCK; n++) {
			if (done(dev, arg))
				return true;
			cpu_relax();
		}
		spent = ktime_get_mono_fast_ns() - patience->start;
		if (READ_ONCE(dev->dead) || spent >= limit || barkeep_wait_killed(patience))
			return done(dev, arg);
		if (patience->may_sleep && (spent >= SPIN_NS || need_resched()))
			return wait_asleep(dev, done, arg, limit - spent, patience);
		if (irqs_disabled() && spent >= kick) {
			barkeep_ring_kick(dev);
			kick += KICK_NS;
		}
	}
}

bool barkeep_wait(struct barkeep_device *dev, bool (*done)(struct barkeep_device *dev, u32 arg),
		  u32 arg, struct barkeep_patience *patience)
{
	bool ret = wait_spinning(dev, done, arg, patience);

	if (!ret)
		patience->spent = true;
	/* The model is not to blame for a signal. */
	if (!ret && barkeep_wait_killed(patience))
		return false;
	if (unlikely(READ_ONCE(dev->unresponsive) == ret))
		WRITE_ONCE(dev->unresponsive, !ret);
	return ret;
}
