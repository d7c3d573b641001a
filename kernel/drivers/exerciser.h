/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the exerciser share; exerciser_main.c says what it is. */
#ifndef _EXERCISER_H
#define _EXERCISER_H

#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

#define VECTORS_MAX	32
#define ANSWER_BYTES	256

struct exerciser;

struct exerciser_vector {
	struct exerciser *exerciser;
	atomic_t count;
};

/**
 * struct exerciser - one bound function
 * @pdev: the function
 * @file: in debugfs
 * @lock: one command at a time; protects all below
 * @spin: held by accesses in context `atomic`
 * @bars: mapped when first used
 * @buffers: memory that the device may access
 * @vectors: how many are requested
 * @vector: their counts
 * @answer: of the last command
 */
struct exerciser {
	struct pci_dev *pdev;
	struct dentry *file;
	struct mutex lock;	/* see above */
	spinlock_t spin;	/* see above */
	void __iomem *bars[PCI_STD_NUM_BARS];
	struct list_head buffers;
	int vectors;
	struct exerciser_vector vector[VECTORS_MAX];
	char answer[ANSWER_BYTES];
};

enum exerciser_context { CONTEXT_PROCESS, CONTEXT_ATOMIC, CONTEXT_OFF };

/*
 * Commands: arguments as numbers, missing ones 0; what they answer goes into
 * @answer, of ANSWER_BYTES. Called with the lock held, may sleep.
 */
int exerciser_read(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_write(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_swap(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_fill(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_sum(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_copy(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_map(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_alloc(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_unmap(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_peek(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_poke(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_master(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_memory(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_vectors(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_intx(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_interrupts(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_reset(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_power(struct exerciser *exerciser, const u64 *arguments, char *answer);

void exerciser_free_buffers(struct exerciser *exerciser);
void exerciser_free_vectors(struct exerciser *exerciser);

#endif
