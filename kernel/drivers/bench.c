// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver for the bench device, 1234:be9c, which exists to be measured. Its BAR 0
 * has three pages:
 *
 *	0x0000	trapped	0x00 wo: reads nobody needs, writes the model ignores
 *			0x08 ro: answered by the model; never all-ones
 *			0x10 wo: doorbell: the model stores what is written here
 *			at 0x2000
 *	0x1000	shadow	0x00 ro: answered by the kernel
 *	0x2000	memory	0x00 what the doorbell was rung with last
 *
 * In debugfs, bench-<PCI address>/ has three files. Writing "PATH COUNT [CPU]"
 * to "run" measures a path COUNT times on that CPU and returns when done;
 * "result" then has one line: path, p50, p99, mean, in nanoseconds, and the
 * count. Writing N to "hammer" has N threads access the device as fast as they
 * can until 0 is written or the device is gone. Whoever writes to "run" is
 * blocked in it, so it must not be the thread that serves the model.
 */
#include <linux/cpu.h>
#include <linux/debugfs.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include <asm/tsc.h>

#define BENCH_POSTED		0x0000
#define BENCH_ANSWERED		0x0008
#define BENCH_DOORBELL		0x0010
#define BENCH_SHADOW		0x1000
#define BENCH_COUNTER		0x2000

#define BENCH_COUNT_MAX		100000
#define BENCH_WARM_UP_MAX	1000
#define BENCH_HAMMERS_MAX	16
#define BENCH_COPY		65536
/* More posted writes than a ring holds would measure the model, not the write. */
#define BENCH_POSTED_BURST	16

/**
 * struct bench - a device
 * @pdev: the function
 * @regs: BAR 0
 * @directory: in debugfs
 * @gone: it was pulled, or is being removed; every loop ends on it
 * @lock: one run at a time
 * @result: of the last run
 * @guard: address where nothing is mapped
 * @page: whose guard page that is
 * @from: memory to copy
 * @to: where to
 * @work: floor of interrupts
 * @worked: it ran
 * @line: cache line that goes to another CPU and back: odd there, even here
 * @partner_stop: the partner may end
 * @sequence: what the doorbell was rung with last
 * @hammer_lock: one writer at a time
 * @hammers: threads
 * @hammer_count: how many
 * @accesses: all that they did
 * @unanswered: reads of theirs that came back as all-ones
 */
struct bench {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct dentry *directory;
	bool gone;
	struct mutex lock;	/* protects all to sequence */
	char result[96];
	void *guard;
	void *page;
	void *from;
	void *to;
	struct irq_work work;
	bool worked;
	u32 line ____cacheline_aligned_in_smp;
	bool partner_stop ____cacheline_aligned_in_smp;
	u32 sequence;
	struct mutex hammer_lock;	/* protects hammers and hammer_count */
	struct task_struct *hammers[BENCH_HAMMERS_MAX];
	unsigned int hammer_count;
	atomic64_t accesses;
	atomic64_t unanswered;
};

static int bench_read(struct bench *bench, unsigned int offset)
{
	if (!PCI_POSSIBLE_ERROR(readl(bench->regs + offset)))
		return 0;
	/* Or nobody answered in time: that spoils a run, but the device is there. */
	if (pci_device_is_present(bench->pdev))
		return -ETIMEDOUT;
	WRITE_ONCE(bench->gone, true);
	return -ENODEV;
}

static int bench_nothing(struct bench *bench)
{
	return 0;
}

static int bench_fault(struct bench *bench)
{
	u64 value;

	return copy_from_kernel_nofault(&value, bench->guard, sizeof(value)) ? 0 : -EIO;
}

/*
 * Here and below, spinning without cpu_relax(): PAUSE takes longer than what is
 * measured, on emulated CPUs and on some real ones.
 */
static int bench_handoff(struct bench *bench)
{
	u32 sent = bench->line + 1;

	WRITE_ONCE(bench->line, sent);
	while (READ_ONCE(bench->line) == sent)
		;
	return 0;
}

static int bench_partner(void *data)
{
	struct bench *bench = data;
	u32 line;

	while (!READ_ONCE(bench->partner_stop)) {
		line = READ_ONCE(bench->line);
		if (line & 1)
			WRITE_ONCE(bench->line, line + 1);
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int bench_memcpy(struct bench *bench)
{
	memcpy(bench->to, bench->from, BENCH_COPY);
	return 0;
}

static void bench_work(struct irq_work *work)
{
	WRITE_ONCE(container_of(work, struct bench, work)->worked, true);
}

static int bench_irq_work(struct bench *bench)
{
	WRITE_ONCE(bench->worked, false);
	irq_work_queue(&bench->work);
	while (!READ_ONCE(bench->worked))
		;
	return 0;
}

static int bench_posted(struct bench *bench)
{
	writel(1, bench->regs + BENCH_POSTED);
	return 0;
}

/* Waits until the model has taken all posted writes. */
static int bench_drain(struct bench *bench)
{
	return bench_read(bench, BENCH_ANSWERED);
}

static int bench_shadow(struct bench *bench)
{
	return bench_read(bench, BENCH_SHADOW);
}

static int bench_answered(struct bench *bench)
{
	return bench_read(bench, BENCH_ANSWERED);
}

static int bench_answered_atomic(struct bench *bench)
{
	unsigned long flags;
	int error;

	local_irq_save(flags);
	error = bench_read(bench, BENCH_ANSWERED);
	local_irq_restore(flags);
	return error;
}

static int bench_doorbell(struct bench *bench)
{
	u32 sequence = bench->sequence + 1;
	u64 deadline = ktime_get_ns() + NSEC_PER_SEC;
	unsigned int spins = 0;

	/* Never what a device that is gone reads as. */
	if (PCI_POSSIBLE_ERROR(sequence))
		sequence = 1;
	bench->sequence = sequence;
	writel(sequence, bench->regs + BENCH_DOORBELL);
	while (readl(bench->regs + BENCH_COUNTER) != sequence)
		if (!(++spins % 4096) && (READ_ONCE(bench->gone) || ktime_get_ns() > deadline))
			return -ETIMEDOUT;
	return 0;
}

/**
 * struct bench_path - something to be measured
 * @name: for "run"
 * @once: does it once
 * @between: if there is one, is called unmeasured after every burst
 * @partner: needs bench_partner() on another CPU
 */
struct bench_path {
	const char *name;
	int (*once)(struct bench *bench);
	int (*between)(struct bench *bench);
	bool partner;
};

static const struct bench_path bench_paths[] = {
	{ "nothing", bench_nothing },
	{ "fault", bench_fault },
	{ "handoff", bench_handoff, .partner = true },
	{ "memcpy", bench_memcpy },
	{ "irq_work", bench_irq_work },
	{ "posted", bench_posted, .between = bench_drain },
	{ "shadow", bench_shadow },
	{ "answered", bench_answered },
	{ "answered_atomic", bench_answered_atomic },
	{ "doorbell", bench_doorbell },
};

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
	bool cancelled;
	int error;
	struct completion done;
};

static int bench_sample(struct bench_run *run)
{
	unsigned int warm_up = min(run->count / 10, BENCH_WARM_UP_MAX);
	unsigned int i;
	int error;

	for (i = 0; i < warm_up + run->count; i++) {
		u64 before, after;

		before = rdtsc_ordered();
		error = run->path->once(run->bench);
		after = rdtsc_ordered();
		if (error)
			return error;
		if (READ_ONCE(run->bench->gone))
			return -ENODEV;
		if (READ_ONCE(run->cancelled))
			return -EINTR;
		if (i >= warm_up)
			run->samples[i - warm_up] = after - before;
		if (run->path->between && !(i % BENCH_POSTED_BURST)) {
			error = run->path->between(run->bench);
			if (error)
				return error;
		}
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

/* Called with bench->lock held. No path takes more than a second for one sample. */
static int bench_run_on(struct bench_run *run, unsigned int cpu)
{
	struct task_struct *partner = NULL, *thread;

	if (run->path->partner) {
		partner = bench_start_partner(run->bench, cpu);
		if (IS_ERR(partner))
			return PTR_ERR(partner);
	}
	thread = kthread_create(bench_run_thread, run, "bench-run");
	if (IS_ERR(thread)) {
		run->error = PTR_ERR(thread);
	} else {
		kthread_bind(thread, cpu);
		wake_up_process(thread);
		if (wait_for_completion_interruptible(&run->done)) {
			WRITE_ONCE(run->cancelled, true);
			wait_for_completion(&run->done);
		}
		kthread_stop(thread);
	}
	WRITE_ONCE(run->bench->partner_stop, true);
	if (partner)
		kthread_stop(partner);
	return run->error;
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
	cpus_read_lock();
	error = cpu_online(cpu) ? bench_run_on(run, cpu) : -EINVAL;
	cpus_read_unlock();
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
	unsigned int cpu = 0, i;
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
	for (i = 0; i < ARRAY_SIZE(bench_paths); i++)
		if (!strcmp(bench_paths[i].name, name))
			run.path = &bench_paths[i];
	if (!run.path)
		return -EINVAL;
	init_completion(&run.done);
	error = bench_run(bench, &run, cpu);
	return error ?: length;
}

static const struct file_operations bench_run_operations = {
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

static const struct file_operations bench_result_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = bench_result_read,
};

static int bench_hammer(void *data)
{
	struct bench *bench = data;
	u32 turn;

	for (turn = 0; !kthread_should_stop(); turn++) {
		if (READ_ONCE(bench->gone)) {
			schedule_timeout_interruptible(1);
			continue;
		}
		writel(turn, bench->regs + BENCH_POSTED);
		writel(turn, bench->regs + BENCH_SHADOW + 8);
		bench_shadow(bench);
		if (turn % 16 ? bench_answered(bench) : bench_answered_atomic(bench))
			atomic64_inc(&bench->unanswered);
		atomic64_add(4, &bench->accesses);
		cond_resched();
	}
	return 0;
}

static void bench_hammer_stop(struct bench *bench)
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
	char text[96];
	int n = scnprintf(text, sizeof(text), "%u threads, %llu accesses, %llu unanswered%s\n",
			  READ_ONCE(bench->hammer_count), atomic64_read(&bench->accesses),
			  atomic64_read(&bench->unanswered),
			  READ_ONCE(bench->gone) ? ", gone" : "");

	return simple_read_from_buffer(buffer, length, position, text, n);
}

static const struct file_operations bench_hammer_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = bench_hammer_read,
	.write = bench_hammer_write,
};

static int bench_allocate(struct bench *bench)
{
	/* Behind what vmalloc() returns there is always a page without memory. */
	bench->page = vmalloc(PAGE_SIZE);
	bench->guard = bench->page + PAGE_SIZE;
	bench->from = kvzalloc(BENCH_COPY, GFP_KERNEL);
	bench->to = kvzalloc(BENCH_COPY, GFP_KERNEL);
	return bench->page && bench->from && bench->to ? 0 : -ENOMEM;
}

static void bench_free(struct bench *bench)
{
	kvfree(bench->to);
	kvfree(bench->from);
	vfree(bench->page);
	kfree(bench);
}

static void bench_show(struct bench *bench)
{
	char name[48];

	snprintf(name, sizeof(name), "bench-%s", pci_name(bench->pdev));
	bench->directory = debugfs_create_dir(name, NULL);
	debugfs_create_file("run", 0200, bench->directory, bench, &bench_run_operations);
	debugfs_create_file("result", 0400, bench->directory, bench, &bench_result_operations);
	debugfs_create_file("hammer", 0600, bench->directory, bench, &bench_hammer_operations);
}

static int bench_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct bench *bench = kzalloc(sizeof(*bench), GFP_KERNEL);
	int error;

	if (!bench)
		return -ENOMEM;
	bench->pdev = pdev;
	mutex_init(&bench->lock);
	mutex_init(&bench->hammer_lock);
	bench->work = IRQ_WORK_INIT_HARD(bench_work);
	error = bench_allocate(bench);
	if (error)
		goto free;
	error = pci_enable_device_mem(pdev);
	if (error)
		goto free;
	error = pci_request_regions(pdev, KBUILD_MODNAME);
	if (error)
		goto disable;
	error = -ENODEV;
	if (pci_resource_len(pdev, 0) < BENCH_COUNTER + PAGE_SIZE)
		goto release;
	error = -ENOMEM;
	bench->regs = pci_iomap(pdev, 0, 0);
	if (!bench->regs)
		goto release;
	error = bench_read(bench, BENCH_ANSWERED);
	if (error)
		goto unmap;
	pci_set_drvdata(pdev, bench);
	bench_show(bench);
	return 0;

unmap:
	pci_iounmap(pdev, bench->regs);
release:
	pci_release_regions(pdev);
disable:
	pci_disable_device(pdev);
free:
	bench_free(bench);
	return error;
}

static void bench_remove(struct pci_dev *pdev)
{
	struct bench *bench = pci_get_drvdata(pdev);

	/* Ends the runs; debugfs then waits until nobody is in a file of ours. */
	WRITE_ONCE(bench->gone, true);
	debugfs_remove_recursive(bench->directory);
	bench_hammer_stop(bench);
	irq_work_sync(&bench->work);
	pci_iounmap(pdev, bench->regs);
	pci_release_regions(pdev);
	pci_disable_device(pdev);
	bench_free(bench);
}

static const struct pci_device_id bench_ids[] = {
	{ PCI_DEVICE(0x1234, 0xbe9c) },
	{ }
};
MODULE_DEVICE_TABLE(pci, bench_ids);

static struct pci_driver bench_driver = {
	.name = KBUILD_MODNAME,
	.id_table = bench_ids,
	.probe = bench_probe,
	.remove = bench_remove,
};
module_pci_driver(bench_driver);

MODULE_DESCRIPTION("Measures accesses to barkeep's bench device");
MODULE_LICENSE("GPL");
