// SPDX-License-Identifier: GPL-2.0-only
/* The contexts in which an access can be made. */
#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/rcupdate.h>
#include <linux/timer.h>
#include <linux/uaccess.h>

#include "exerciser.h"

/* An access that is made by something that interrupts. */
struct exerciser_call {
	struct exerciser *exerciser;
	const struct exerciser_access *access;
	struct timer_list timer;
	struct irq_work work;
	struct completion done;
	u64 value;
};

static u64 context_access(struct exerciser *exerciser, const struct exerciser_access *access)
{
	unsigned long before = current->nvcsw;
	u64 value = exerciser_access_here(access);

	/* Several threads may be at it, of which any one is the last. */
	WRITE_ONCE(exerciser->switches, current->nvcsw - before);
	return value;
}

static u64 context_process(struct exerciser *exerciser, const struct exerciser_access *access)
{
	return context_access(exerciser, access);
}

static u64 context_atomic(struct exerciser *exerciser, const struct exerciser_access *access)
{
	u64 value;

	spin_lock(&exerciser->spin);
	value = context_access(exerciser, access);
	spin_unlock(&exerciser->spin);
	return value;
}

static u64 context_off(struct exerciser *exerciser, const struct exerciser_access *access)
{
	unsigned long flags;
	u64 value;

	local_irq_save(flags);
	value = context_access(exerciser, access);
	local_irq_restore(flags);
	return value;
}

static u64 context_rcu(struct exerciser *exerciser, const struct exerciser_access *access)
{
	u64 value;

	rcu_read_lock();
	value = context_access(exerciser, access);
	rcu_read_unlock();
	return value;
}

/* Preemptible and with interrupts on, and yet it must not sleep. */
static u64 context_nofault(struct exerciser *exerciser, const struct exerciser_access *access)
{
	u64 value;

	pagefault_disable();
	value = context_access(exerciser, access);
	pagefault_enable();
	return value;
}

static void context_timer_fired(struct timer_list *timer)
{
	struct exerciser_call *call = container_of(timer, struct exerciser_call, timer);

	call->value = context_access(call->exerciser, call->access);
	complete(&call->done);
}

static u64 context_timer(struct exerciser *exerciser, const struct exerciser_access *access)
{
	struct exerciser_call call = { .exerciser = exerciser, .access = access };

	init_completion(&call.done);
	timer_setup_on_stack(&call.timer, context_timer_fired, 0);
	call.timer.expires = jiffies + 1;
	add_timer_on(&call.timer, raw_smp_processor_id());
	wait_for_completion(&call.done);
	/* It is still on its way out of our function. */
	del_timer_sync(&call.timer);
	destroy_timer_on_stack(&call.timer);
	return call.value;
}

static void context_hardirq_run(struct irq_work *work)
{
	struct exerciser_call *call = container_of(work, struct exerciser_call, work);

	call->value = context_access(call->exerciser, call->access);
	complete(&call->done);
}

static u64 context_hardirq(struct exerciser *exerciser, const struct exerciser_access *access)
{
	struct exerciser_call call = { .exerciser = exerciser, .access = access };

	init_completion(&call.done);
	call.work = IRQ_WORK_INIT_HARD(context_hardirq_run);
	irq_work_queue(&call.work);
	wait_for_completion(&call.done);
	irq_work_sync(&call.work);
	return call.value;
}

static u64 (*const exerciser_contexts[])(struct exerciser *exerciser,
					 const struct exerciser_access *access) = {
	[CONTEXT_PROCESS] = context_process,
	[CONTEXT_ATOMIC] = context_atomic,
	[CONTEXT_OFF] = context_off,
	[CONTEXT_RCU] = context_rcu,
	[CONTEXT_NOFAULT] = context_nofault,
	[CONTEXT_TIMER] = context_timer,
	[CONTEXT_HARDIRQ] = context_hardirq,
};

u64 exerciser_access_in(struct exerciser *exerciser, const struct exerciser_access *access,
			u64 context)
{
	if (context >= ARRAY_SIZE(exerciser_contexts))
		context = CONTEXT_PROCESS;
	return exerciser_contexts[context](exerciser, access);
}

int exerciser_switches(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	sprintf(answer, "%lu", READ_ONCE(exerciser->switches));
	return 0;
}
