// SPDX-License-Identifier: GPL-2.0-only
/*
 * How an access waits for the model. It spins first: a model that is awake
 * answers in a microsecond or two, and a sleep costs tens. The first looks are with
 * interrupts off; from then on they are as the driver had them. Then it sleeps if its
 * context may; else it spins on. The clock is read and not counted in jiffies, which
 * stand still on the only CPU with interrupts off.
 *
 * Sleeping: barkeep_status.sleepers goes up before the last look at what is
 * waited for, with a full barrier between; the model completes, or moves its head
 * forward, and then looks at sleepers. A model that does not wake us costs its
 * driver the timeout.
 */
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>

#include "access.h"

#define SPIN_NS		(50 * NSEC_PER_USEC)
#define LOOKS_PER_CLOCK	32
#define EAGER_LOOKS	128
#define KICK_NS		(20 * NSEC_PER_USEC)
/*
 * A CPU that cannot sleep is lost to the machine while it spins, so here the
 * completion timeout has a ceiling, well under what lockup detectors allow. And a
 * driver may wait again and again under one lock: once a model has let a wait time
 * out, the next ones are short, until it moves again; and so they are on a CPU that
 * has spun for long without changing tasks, whatever the model does. In the end it
 * does not wait there at all.
 */
#define ATOMIC_MAX_NS		NSEC_PER_SEC
#define ATOMIC_HOPELESS_NS	NSEC_PER_MSEC
#define ATOMIC_SPELL_NS		(5ULL * NSEC_PER_SEC)
#define ATOMIC_SPELL_MAX_NS	(7ULL * NSEC_PER_SEC)
/* A model that is there takes less. */
#define ATOMIC_NOTICED_NS	(20 * NSEC_PER_USEC)
#define UNRESPONSIVE_NS		(50 * NSEC_PER_MSEC)

/* The clock may step back a little, from CPU to CPU as well. */
static u64 wait_elapsed(u64 since, u64 now)
{
	return now > since ? now - since : 0;
}

/*
 * How long a CPU has spun since it last changed tasks, less the time that it has not.
 * An interrupt that changes it in the middle of a change costs some accuracy, as does
 * migration.
 */
struct wait_spell {
	struct task_struct *task;
	unsigned long switches;
	u64 ns;
	u64 seen;
};

static DEFINE_PER_CPU(struct wait_spell, wait_spells);

/* The current CPU's, begun anew if another task was here. @begin: of a wait */
static struct wait_spell *wait_spell(u64 begin)
{
	struct wait_spell *spell = raw_cpu_ptr(&wait_spells);
	unsigned long switches = current->nvcsw + current->nivcsw;

	if (spell->task != current || spell->switches != switches)
		*spell = (struct wait_spell){ current, switches, 0, begin };
	spell->ns -= min(spell->ns, wait_elapsed(spell->seen, begin));
	spell->seen = max(spell->seen, begin);
	return spell;
}

static void wait_has_spun(u64 begin, u64 end)
{
	struct wait_spell *spell = wait_spell(begin);

	spell->ns += wait_elapsed(begin, end);
	spell->seen = max(spell->seen, end);
}

/* @hurry: the model may have stopped, and this may be one wait of many. */
static u64 wait_limit(struct barkeep_device *dev, const struct barkeep_patience *patience,
		      bool hurry)
{
	u64 spell;

	if (patience->may_sleep)
		return hurry ? min_t(u64, dev->timeout_ns, UNRESPONSIVE_NS) : dev->timeout_ns;
	spell = wait_spell(ktime_get_mono_fast_ns())->ns;
	if (spell >= ATOMIC_SPELL_MAX_NS)
		return 0;
	/* On the only CPU no model runs while a driver spins that nothing preempts. */
	hurry |= spell >= ATOMIC_SPELL_NS || (num_online_cpus() == 1 && !preemptible());
	return min_t(u64, dev->timeout_ns, hurry ? ATOMIC_HOPELESS_NS : ATOMIC_MAX_NS);
}

/* An instruction of user space that is not to be finished. */
bool barkeep_wait_killed(const struct barkeep_patience *patience)
{
	return patience->killable && fatal_signal_pending(current);
}

static bool wait_is_done(struct barkeep_device *dev, const struct barkeep_goal *goal)
{
	return goal->done(dev, goal->arg);
}

static bool wait_is_over(struct barkeep_device *dev, const struct barkeep_goal *goal, bool *done)
{
	*done = wait_is_done(dev, goal);
	return *done || READ_ONCE(dev->dead);
}

/* What was there when it woke up may be another's already, but it has not timed out. */
static bool wait_asleep(struct barkeep_device *dev, const struct barkeep_goal *goal,
			const struct barkeep_patience *patience, u64 spent)
{
	unsigned long timeout = nsecs_to_jiffies(goal->limit - spent) + 1;
	atomic_t *sleepers = (atomic_t *)&dev->status->sleepers;
	bool done = false;

	atomic_inc(sleepers);
	/* Pairs with the model's sequentially consistent store before its look. */
	smp_mb__after_atomic();
	/* Uninterruptible, as a load is, but no load on the machine. */
	if (patience->killable)
		wait_event_killable_timeout(*goal->queue, wait_is_over(dev, goal, &done),
					    timeout);
	else
		wait_event_idle_timeout(*goal->queue, wait_is_over(dev, goal, &done), timeout);
	atomic_dec(sleepers);
	return done;
}

static bool wait_for_goal(struct barkeep_device *dev, struct barkeep_goal *goal,
			  struct barkeep_patience *patience)
{
	u64 now = ktime_get_mono_fast_ns(), spent, kick = KICK_NS;
	u64 begin = now;
	int n;

	if (!goal->since)
		goal->since = now;
	else if (wait_elapsed(goal->since, now) >= goal->limit)
		return false;
	for (;;) {
		for (n = 0; n < LOOKS_PER_CLOCK; n++) {
			if (wait_is_done(dev, goal))
				return true;
			cpu_relax();
		}
		now = ktime_get_mono_fast_ns();
		spent = wait_elapsed(goal->since, now);
		/* At once, for an interrupt handler that waits meanwhile would forget it. */
		if (!patience->may_sleep && wait_elapsed(begin, now) >= ATOMIC_NOTICED_NS) {
			wait_has_spun(begin, now);
			begin = now;
		}
		if (READ_ONCE(dev->dead) || spent >= goal->limit ||
		    barkeep_wait_killed(patience))
			return wait_is_done(dev, goal);
		if (patience->may_sleep &&
		    (spent >= SPIN_NS || need_resched() || num_online_cpus() == 1))
			return wait_asleep(dev, goal, patience, spent);
		if (irqs_disabled() && spent >= kick) {
			barkeep_ring_kick(dev);
			kick += KICK_NS;
		}
	}
}

/* Whether a wait has timed out and the model has taken no event since. */
static bool wait_is_unresponsive(struct barkeep_device *dev)
{
	return READ_ONCE(dev->unresponsive) &&
	       READ_ONCE(dev->ring.control->head) == READ_ONCE(dev->unresponsive_head);
}

/*
 * A fault says nothing about whether its context may sleep, so ask for all that
 * forbids it but interrupts, which are off here. A task that is not running is between
 * prepare_to_wait() and schedule(): sleeping here would lose its state.
 */
static bool wait_may_sleep(void)
{
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) && !preempt_count() && !pagefault_disabled() &&
	       !rcu_preempt_depth() && !is_idle_task(current) &&
	       READ_ONCE(current->__state) == TASK_RUNNING;
}

/*
 * What comes may take a while, or sleep: interrupts are from here on as the driver had
 * them, and the device has a reference for that. Most accesses are done before. With no
 * reference left to be had it is dead, and nobody waits.
 */
void barkeep_wait_begin(struct barkeep_patience *patience)
{
	if (!patience->held || !kref_get_unless_zero(&patience->held->refs))
		return;
	patience->may_sleep = wait_may_sleep();
	patience->held = NULL;
	local_irq_enable();
}

/* What kills the model's process kills those who can answer. */
static void wait_begin(struct barkeep_device *dev, struct barkeep_patience *patience)
{
	barkeep_wait_begin(patience);
	if (in_task() && current->mm == READ_ONCE(dev->mm))
		patience->killable = true;
}

/*
 * A model that is awake may answer before interrupts could be turned on and off, so it
 * is looked for that first, for about a microsecond of an instruction. Without PAUSE,
 * which takes as long on some CPUs, and longer in VMs.
 */
static bool wait_eagerly(struct barkeep_device *dev, const struct barkeep_goal *goal,
			 struct barkeep_patience *patience)
{
	if (READ_ONCE(dev->ring.control->sleeping) || num_online_cpus() == 1)
		return false;
	while (patience->looks < EAGER_LOOKS) {
		patience->looks++;
		if (wait_is_done(dev, goal))
			return true;
	}
	return false;
}

static bool wait_patiently(struct barkeep_device *dev, struct barkeep_goal *goal,
			   struct barkeep_patience *patience)
{
	bool hurry = wait_is_unresponsive(dev);

	wait_begin(dev, patience);
	goal->limit = wait_limit(dev, patience, hurry);
	if (wait_for_goal(dev, goal, patience))
		return true;
	if (!hurry || wait_is_unresponsive(dev))
		return false;
	/* The model has moved in the meantime, so it may take all its time. */
	goal->limit = wait_limit(dev, patience, false);
	return wait_for_goal(dev, goal, patience);
}

/* For what the model gives to one access. */
bool barkeep_wait(struct barkeep_device *dev, struct barkeep_goal *goal,
		  struct barkeep_patience *patience)
{
	return wait_eagerly(dev, goal, patience) || wait_patiently(dev, goal, patience);
}

/* The same for a completion, which tells whether the model is there. */
bool barkeep_wait_completion(struct barkeep_device *dev, struct barkeep_goal *goal,
			     struct barkeep_patience *patience)
{
	bool ret = barkeep_wait(dev, goal, patience);

	/* It is not to blame for a signal, nor where it was given no time. */
	if (!ret && (!goal->limit || barkeep_wait_killed(patience)))
		return false;
	if (!ret)
		WRITE_ONCE(dev->unresponsive_head, READ_ONCE(dev->ring.control->head));
	if (unlikely(READ_ONCE(dev->unresponsive) == ret))
		WRITE_ONCE(dev->unresponsive, !ret);
	return ret;
}

/*
 * For room in the ring. Whoever waits for it in vain takes the link down, so it is
 * never waited for in a hurry.
 */
bool barkeep_wait_room(struct barkeep_device *dev, struct barkeep_goal *goal,
		       struct barkeep_patience *patience)
{
	wait_begin(dev, patience);
	goal->limit = wait_limit(dev, patience, false);
	return wait_for_goal(dev, goal, patience);
}
