// SPDX-License-Identifier: GPL-2.0-only
/* A measurement: COUNT times a path, on one CPU, each time by itself. */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include <asm/tsc.h>

#include "bench.h"

#define BENCH_COUNT_MAX		100000
#define BENCH_WARM_UP_MAX	1000
/* Of a run, whatever the model does; one sample may take its completion timeout more. */
#define BENCH_SECONDS_MAX	60

static int bench_compare(const void *a, const void *b)
{
	u64 left = *(const u64 *)a, right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

struct bench_run {
	struct bench *bench;
	const struct bench_path *path;
	unsigned int count;
	u64 *samples;
	int error;
	struct completion done;
};

static int bench_sample(struct bench_run *run)
{
	unsigned int warm_up = min(run->count / 10, BENCH_WARM_UP_MAX);
	/* Not the clock's: that would be in the caches instead of what is measured. */
	u64 end = rdtsc_ordered() + (u64)BENCH_SECONDS_MAX * MSEC_PER_SEC * tsc_khz;
	unsigned int i;
	int error;

	for (i = 0; i < warm_up + run->count; i++) {
		u64 before, after;

		if (run->path->before && !(i % run->path->burst)) {
			error = run->path->before(run->bench);
			if (error)
				return error;
		}
		before = rdtsc_ordered();
		error = run->path->once(run->bench);
		after = rdtsc_ordered();
		if (error)
			return error;
		if (READ_ONCE(run->bench->gone))
			return -ENODEV;
		if (READ_ONCE(run->bench->cancelled))
			return -EINTR;
		if (after > end)
			return -ETIMEDOUT;
		if (i >= warm_up)
			run->samples[i - warm_up] = after - before;
		cond_resched();
	}
	return 0;
}

static int bench_run_thread(void *data)
{
	struct bench_run *run = data;

	run->error = bench_sample(run);
	complete(&run->done);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static u64 bench_nanoseconds(u64 cycles)
{
	return div_u64(cycles * USEC_PER_SEC, tsc_khz);
}

static void bench_report(struct bench_run *run)
{
	u64 *samples = run->samples;
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < run->count; i++)
		sum += samples[i];
	sort(samples, run->count, sizeof(*samples), bench_compare, NULL);
	snprintf(run->bench->result, sizeof(run->bench->result), "%s %llu %llu %llu %u\n",
		 run->path->name, bench_nanoseconds(samples[run->count / 2]),
		 bench_nanoseconds(samples[run->count - 1 - run->count / 100]),
		 bench_nanoseconds(div_u64(sum, run->count)), run->count);
}

static struct task_struct *bench_start_partner(struct bench *bench, unsigned int cpu)
{
	unsigned int other = cpumask_any_but(cpu_online_mask, cpu);
	struct task_struct *partner;

	if (other >= nr_cpu_ids)
		return ERR_PTR(-EOPNOTSUPP);
	WRITE_ONCE(bench->line, 0);
	WRITE_ONCE(bench->partner_stop, false);
	partner = kthread_create(bench_partner, bench, "bench-partner");
	if (IS_ERR(partner))
		return partner;
	kthread_bind(partner, other);
	/* The model spins on that CPU too. */
	sched_set_fifo(partner);
	wake_up_process(partner);
	return partner;
}

static struct task_struct *bench_start_run(struct bench_run *run, unsigned int cpu)
{
	struct task_struct *thread = kthread_create(bench_run_thread, run, "bench-run");

	if (IS_ERR(thread))
		return thread;
	kthread_bind(thread, cpu);
	wake_up_process(thread);
	return thread;
}

/* Called with bench->lock held. */
static int bench_run_on(struct bench_run *run, unsigned int cpu)
{
	struct task_struct *partner = NULL, *thread = ERR_PTR(-EINVAL);
	struct bench *bench = run->bench;

	WRITE_ONCE(bench->cancelled, false);
	WRITE_ONCE(bench->deadline, ktime_get_mono_fast_ns() +
				    (u64)BENCH_SECONDS_MAX * NSEC_PER_SEC);
	/* Only until they are bound: a CPU that goes away later moves them elsewhere. */
	cpus_read_lock();
	if (cpu_online(cpu) && run->path->partner)
		partner = bench_start_partner(bench, cpu);
	if (IS_ERR(partner))
		thread = partner;
	else if (cpu_online(cpu))
		thread = bench_start_run(run, cpu);
	cpus_read_unlock();

	if (!IS_ERR(thread)) {
		if (wait_for_completion_interruptible(&run->done)) {
			WRITE_ONCE(bench->cancelled, true);
			wait_for_completion(&run->done);
		}
		kthread_stop(thread);
	}
	WRITE_ONCE(bench->partner_stop, true);
	if (!IS_ERR_OR_NULL(partner))
		kthread_stop(partner);
	return IS_ERR(thread) ? PTR_ERR(thread) : run->error;
}

static int bench_run(struct bench *bench, struct bench_run *run, unsigned int cpu)
{
	int error;

	run->samples = kvmalloc_array(run->count, sizeof(*run->samples), GFP_KERNEL);
	if (!run->samples)
		return -ENOMEM;
	error = mutex_lock_interruptible(&bench->lock);
	if (error)
		goto free;
	error = bench_run_on(run, cpu);
	if (!error)
		bench_report(run);
	mutex_unlock(&bench->lock);
free:
	kvfree(run->samples);
	return error;
}

static ssize_t bench_run_write(struct file *file, const char __user *buffer, size_t length,
			       loff_t *position)
{
	struct bench *bench = file->private_data;
	struct bench_run run = { .bench = bench };
	unsigned int cpu = 0;
	char text[64], name[32];
	int error;

	if (length >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buffer, length))
		return -EFAULT;
	text[length] = '\0';
	if (sscanf(text, "%31s %u %u", name, &run.count, &cpu) < 2)
		return -EINVAL;
	if (!run.count || run.count > BENCH_COUNT_MAX || cpu >= nr_cpu_ids)
		return -EINVAL;
	run.path = bench_path_find(name);
	if (!run.path)
		return -EINVAL;
	/* Of a machine that has no TSC worth the name. */
	if (!tsc_khz)
		return -EOPNOTSUPP;
	init_completion(&run.done);
	error = bench_run(bench, &run, cpu);
	return error ?: length;
}

const struct file_operations bench_run_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = bench_run_write,
};

static ssize_t bench_result_read(struct file *file, char __user *buffer, size_t length,
				 loff_t *position)
{
	struct bench *bench = file->private_data;
	char result[sizeof(bench->result)];

	mutex_lock(&bench->lock);
	strscpy(result, bench->result, sizeof(result));
	mutex_unlock(&bench->lock);
	return simple_read_from_buffer(buffer, length, position, result, strlen(result));
}

const struct file_operations bench_result_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = bench_result_read,
};
