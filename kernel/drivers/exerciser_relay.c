// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two CPUs that take turns. The caller's writes 1, 2, 3 and so on to a register; the other
 * writes each number to the register after it once the caller has handed over, by memory
 * alone. So each write is made knowing of all before it, whichever CPU made them. At every
 * so many each also reads what the other has written last.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/timekeeping.h>

#include "exerciser.h"

/* Until a turn comes; the other may have to wait for the model. */
#define RELAY_NS	(60ULL * NSEC_PER_SEC)
/* Looks at whose turn it is, after which whoever waits lets others have the CPU. */
#define RELAY_LOOKS	256

/**
 * struct relay - what the two share
 * @at: the caller's register; the other's is the next one
 * @count: rounds
 * @every: rounds from a read to the next
 * @turn: of the caller's next write if it is even; twice the rounds that are done
 * @over: one of them has waited too long
 * @wrong: reads that gave something else
 */
struct relay {
	void __iomem *at;
	u32 count, every;
	u32 turn;
	bool over;
	atomic64_t wrong;
};

static bool relay_comes(struct relay *relay, u32 turn)
{
	u64 deadline = ktime_get_mono_fast_ns() + RELAY_NS;
	unsigned int looks = 0;

	/* Pairs with the release in relay_run(). */
	while (smp_load_acquire(&relay->turn) != turn) {
		if (READ_ONCE(relay->over))
			return false;
		if (ktime_get_mono_fast_ns() > deadline)
			WRITE_ONCE(relay->over, true);
		if (++looks % RELAY_LOOKS)
			cpu_relax();
		else
			usleep_range(20, 50);
	}
	return true;
}

static void relay_read(struct relay *relay, unsigned int offset, u32 n)
{
	if (n % relay->every == 0 && readl(relay->at + offset) != n)
		atomic64_inc(&relay->wrong);
}

/* The one who goes first, or second. */
static void relay_run(struct relay *relay, bool second)
{
	u32 n, turn;

	for (n = 1; n <= relay->count; n++) {
		turn = 2 * (n - 1) + second;
		if (!relay_comes(relay, turn))
			break;
		relay_read(relay, second ? 0 : 4, second ? n : n - 1);
		writel(n, relay->at + (second ? 4 : 0));
		/* Pairs with the acquire in relay_comes(): the other writes after this. */
		smp_store_release(&relay->turn, turn + 1);
	}
}

static int relay_thread(void *data)
{
	relay_run(data, true);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

int exerciser_relay(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct relay relay = { .count = arguments[0], .every = max_t(u32, arguments[1], 1) };
	const u64 first[] = { 0, 0 };
	struct task_struct *thread;
	unsigned int other;
	int ret = exerciser_at(exerciser, first, 8, &relay.at);

	if (ret)
		return ret;
	if (!arguments[0] || arguments[0] > S32_MAX)
		return -EINVAL;
	other = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	if (other >= nr_cpu_ids)
		return -EOPNOTSUPP;
	thread = kthread_create(relay_thread, &relay, "exerciser-relay");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	kthread_bind(thread, other);
	wake_up_process(thread);
	relay_run(&relay, false);
	/* One that is stopped before its last write would not make it. */
	relay_comes(&relay, 2 * relay.count);
	kthread_stop(thread);
	sprintf(answer, "%llu", atomic64_read(&relay.wrong));
	return relay.over ? -ETIMEDOUT : 0;
}
