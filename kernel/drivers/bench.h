/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the bench driver share; bench_main.c says what it is. */
#ifndef _BENCH_H
#define _BENCH_H

#include <linux/fs.h>
#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/timekeeping.h>

#define BENCH_POSTED		0x0000
#define BENCH_ANSWERED		0x0008
#define BENCH_DOORBELL		0x0010
#define BENCH_DECLARED		0x0020
#define BENCH_SHADOW		0x1000
#define BENCH_COUNTER		0x2000
#define BENCH_INTERRUPTS	0x2004

#define BENCH_HAMMERS_MAX	16
#define BENCH_MAPPINGS_MAX	65536
#define BENCH_COPY		65536
#define BENCH_RESULT		96

/**
 * struct bench - a device
 * @pdev: the function
 * @regs: BAR 0
 * @directory: in debugfs
 * @irq: of its vector; 0 without one
 * @interrupts: handled so far
 * @buffer: BENCH_COPY bytes that the device reaches by DMA
 * @buffer_address: where
 * @gone: it was pulled, or is being removed; every loop ends on it
 * @lock: one run at a time
 * @result: of the last run
 * @cancelled: the run is to end
 * @deadline: and so it is from here on, on the clock of ktime_get_mono_fast_ns()
 * @guard: address where nothing is mapped
 * @page: whose guard page that is
 * @from: memory to copy
 * @to: where to
 * @work: floor of interrupts
 * @worked: it ran
 * @line: cache line that goes to another CPU and back: odd there, even here
 * @partner_stop: the partner may end
 * @sequence: what the doorbell was rung with last
 * @mappings: more of the shadow page
 * @mapping_count: how many
 * @mapped: the shadow page through one of them, or @regs if there are none
 * @hammer_lock: one writer at a time
 * @hammers: threads
 * @hammer_count: how many
 * @accesses: all that they did
 * @answered: reads of theirs that the model answered
 * @unanswered: those that came back as all-ones
 * @longest: nanoseconds that one access of theirs took at most
 */
struct bench {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct dentry *directory;
	int irq;
	u32 interrupts;
	void *buffer;
	dma_addr_t buffer_address;
	bool gone;
	struct mutex lock;	/* for all to mapped; the threads of a run go without */
	char result[BENCH_RESULT];
	bool cancelled;
	u64 deadline;
	void *guard;
	void *page;
	void *from;
	void *to;
	struct irq_work work;
	bool worked;
	u32 line ____cacheline_aligned_in_smp;
	bool partner_stop ____cacheline_aligned_in_smp;
	u32 sequence;
	void __iomem **mappings;
	unsigned int mapping_count;
	void __iomem *mapped;
	struct mutex hammer_lock;	/* protects hammers and hammer_count */
	struct task_struct *hammers[BENCH_HAMMERS_MAX];
	unsigned int hammer_count;
	atomic64_t accesses;
	atomic64_t answered;
	atomic64_t unanswered;
	atomic64_t longest;
};

/**
 * struct bench_path - something to be measured
 * @name: for "run"
 * @once: does it once
 * @before: if there is one, is called unmeasured before every burst
 * @burst: how often it is done until @before is called again
 * @partner: needs bench_partner() on another CPU
 */
struct bench_path {
	const char *name;
	int (*once)(struct bench *bench);
	int (*before)(struct bench *bench);
	unsigned int burst;
	bool partner;
};

/* For whoever spins, now and then: a partner or a device may never answer. */
static inline bool bench_over(struct bench *bench)
{
	return READ_ONCE(bench->gone) || READ_ONCE(bench->cancelled) ||
	       ktime_get_mono_fast_ns() > READ_ONCE(bench->deadline);
}

/* bench_paths.c: what can be measured; NULL for a name that is no path's */
const struct bench_path *bench_path_find(const char *name);
int bench_read_at(struct bench *bench, const void __iomem *at);
int bench_read(struct bench *bench, unsigned int offset);
int bench_answered_atomic(struct bench *bench);
int bench_partner(void *bench);
void bench_paths_init(struct bench *bench);

/* bench_resources.c: what the device interrupts and reaches by DMA; the file "buffer" */
extern const struct file_operations bench_buffer_operations;
int bench_resources_init(struct bench *bench);
void bench_resources_exit(struct bench *bench);

/* bench_mappings.c: the file "mappings" */
extern const struct file_operations bench_mappings_operations;
void bench_mappings_free(struct bench *bench);

/* bench_run.c: the files "run" and "result" */
extern const struct file_operations bench_run_operations;
extern const struct file_operations bench_result_operations;

/* bench_hammer.c: the file "hammer" */
extern const struct file_operations bench_hammer_operations;
void bench_hammer_stop(struct bench *bench);

#endif
