// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many accesses from several CPUs at once. Each thread has a register of its own, at
 * four times its number, to which it writes 1, 2, 3 and so on; at every so many it
 * reads it too, which has to give what it wrote last.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "exerciser.h"

#define STREAM_THREADS_MAX	128

struct stream_thread {
	struct task_struct *task;
	struct exerciser *exerciser;
	void __iomem *at;
	u32 count, every;
	u64 context;
	u64 wrong;	/* reads that gave something else */
	u64 ones;	/* of these, all-ones */
	struct completion done;
};

static void stream_read(struct stream_thread *thread, u32 wanted)
{
	const struct exerciser_access access = { .at = thread->at, .width = 4, .load = true };
	u32 found = exerciser_access_in(thread->exerciser, &access, thread->context);

	thread->wrong += found != wanted;
	thread->ones += found == U32_MAX;
}

static int stream_run(void *data)
{
	struct stream_thread *thread = data;
	struct exerciser_access access = { .at = thread->at, .width = 4, .store = true };
	u32 n;

	for (n = 1; n <= thread->count; n++) {
		access.value = n;
		exerciser_access_in(thread->exerciser, &access, thread->context);
		if (n % thread->every == 0)
			stream_read(thread, n);
		cond_resched();
	}
	complete(&thread->done);
	/* The task is to be there when it is stopped. */
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

/* CPUs in turn, but for @spare, which is the model's alone. */
static unsigned int stream_cpu(unsigned int last, u64 spare)
{
	unsigned int cpu = last;

	do {
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	} while (cpu == spare && num_online_cpus() > 1);
	return cpu;
}

static int stream_create(struct stream_thread *threads, unsigned int count, u64 spare)
{
	unsigned int n, cpu = nr_cpu_ids - 1;

	for (n = 0; n < count; n++) {
		struct task_struct *task = kthread_create(stream_run, &threads[n],
							  "exerciser-stream/%u", n);

		if (IS_ERR(task))
			return PTR_ERR(task);
		cpu = stream_cpu(cpu, spare);
		kthread_bind(task, cpu);
		threads[n].task = task;
	}
	return 0;
}

/* One that is stopped before it runs never does. */
static void stream_finish(struct stream_thread *threads, unsigned int count, bool run)
{
	unsigned int n;

	for (n = 0; run && n < count; n++)
		wake_up_process(threads[n].task);
	/* For minutes, perhaps. */
	for (n = 0; run && n < count; n++)
		wait_for_completion_state(&threads[n].done, TASK_IDLE);
	for (n = 0; n < count && threads[n].task; n++)
		kthread_stop(threads[n].task);
}

int exerciser_stream(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	u64 count = arguments[0], wrong = 0, ones = 0;
	u64 spare = arguments[4] ? arguments[4] - 1 : U64_MAX;
	const u64 first[] = { 0, 0 };
	struct stream_thread *threads;
	void __iomem *at;
	unsigned int n;
	int ret;

	if (!count || count > STREAM_THREADS_MAX || !arguments[1] || arguments[1] > U32_MAX)
		return -EINVAL;
	ret = exerciser_at(exerciser, first, 4 * count, &at);
	if (ret)
		return ret;
	threads = kcalloc(count, sizeof(*threads), GFP_KERNEL);
	if (!threads)
		return -ENOMEM;
	for (n = 0; n < count; n++) {
		threads[n] = (struct stream_thread){
			.exerciser = exerciser,
			.at = at + 4 * n,
			.count = arguments[1],
			.every = clamp_t(u64, arguments[2], 1, U32_MAX),
			.context = arguments[3],
		};
		init_completion(&threads[n].done);
	}
	ret = stream_create(threads, count, spare);
	stream_finish(threads, count, !ret);
	for (n = 0; n < count; n++) {
		wrong += threads[n].wrong;
		ones += threads[n].ones;
	}
	kfree(threads);
	sprintf(answer, "%llu %llu", wrong, ones);
	return ret;
}
