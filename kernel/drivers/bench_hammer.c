// SPDX-License-Identifier: GPL-2.0-only
/* Load: threads that access the device as fast as they can. */
#include <linux/debugfs.h>
#include <linux/kthread.h>
#include <linux/uaccess.h>

#include "bench.h"

/* An access began at @begin and has just ended; returns when. */
static u64 hammer_done(struct bench *bench, u64 begin)
{
	u64 end = ktime_get_mono_fast_ns();
	s64 longest = atomic64_read(&bench->longest);

	while ((s64)(end - begin) > longest &&
	       !atomic64_try_cmpxchg(&bench->longest, &longest, end - begin))
		;
	atomic64_inc(&bench->accesses);
	return end;
}

static int bench_hammer(void *data)
{
	struct bench *bench = data;
	u32 turn;
	int error;
	u64 time;

	for (turn = 0; !kthread_should_stop(); turn++) {
		if (READ_ONCE(bench->gone)) {
			schedule_timeout_interruptible(1);
			continue;
		}
		time = ktime_get_mono_fast_ns();
		writel(turn, bench->regs + BENCH_POSTED);
		time = hammer_done(bench, time);
		writel(turn, bench->regs + BENCH_SHADOW + 8);
		time = hammer_done(bench, time);
		bench_read(bench, BENCH_SHADOW);
		time = hammer_done(bench, time);
		error = turn % 16 ? bench_read(bench, BENCH_ANSWERED) :
				    bench_answered_atomic(bench);
		hammer_done(bench, time);
		atomic64_inc(error ? &bench->unanswered : &bench->answered);
		cond_resched();
	}
	return 0;
}

void bench_hammer_stop(struct bench *bench)
{
	while (bench->hammer_count)
		kthread_stop(bench->hammers[--bench->hammer_count]);
}

static ssize_t bench_hammer_write(struct file *file, const char __user *buffer, size_t length,
				  loff_t *position)
{
	struct bench *bench = file->private_data;
	struct task_struct *thread;
	unsigned int count;
	int error;

	error = kstrtouint_from_user(buffer, length, 0, &count);
	if (error)
		return error;
	if (count > BENCH_HAMMERS_MAX)
		return -EINVAL;
	mutex_lock(&bench->hammer_lock);
	bench_hammer_stop(bench);
	while (bench->hammer_count < count) {
		thread = kthread_run(bench_hammer, bench, "bench-hammer/%u", bench->hammer_count);
		if (IS_ERR(thread)) {
			error = PTR_ERR(thread);
			break;
		}
		bench->hammers[bench->hammer_count++] = thread;
	}
	mutex_unlock(&bench->hammer_lock);
	return error ?: length;
}

static ssize_t bench_hammer_read(struct file *file, char __user *buffer, size_t length,
				 loff_t *position)
{
	struct bench *bench = file->private_data;
	char text[160];
	int n = scnprintf(text, sizeof(text),
			  "%u threads, %llu accesses, %llu answered, %llu unanswered, longest %llu ns%s\n",
			  READ_ONCE(bench->hammer_count), atomic64_read(&bench->accesses),
			  atomic64_read(&bench->answered), atomic64_read(&bench->unanswered),
			  atomic64_read(&bench->longest),
			  READ_ONCE(bench->gone) ? ", gone" : "");

	return simple_read_from_buffer(buffer, length, position, text, n);
}

const struct file_operations bench_hammer_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = bench_hammer_read,
	.write = bench_hammer_write,
};
