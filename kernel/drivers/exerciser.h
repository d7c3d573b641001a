/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the exerciser share; exerciser_main.c says what it is. */
#ifndef _EXERCISER_H
#define _EXERCISER_H

#include <linux/dma-direction.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>

#define VECTORS_MAX	32
#define MAPPINGS_MAX	16
#define ANSWER_BYTES	256
#define USER_WAYS	8

struct exerciser;

struct exerciser_vector {
	struct exerciser *exerciser;
	atomic_t count;
};

/**
 * struct exerciser_mapping - of a BAR, made by command
 * @exerciser: whose it is
 * @door: how it was made
 * @address: where it begins, NULL for none
 * @bytes: its length
 * @io: of the doors that have one
 * @bar: of those that have to know
 */
struct exerciser_mapping {
	struct exerciser *exerciser;
	const struct exerciser_door *door;
	void __iomem *address;
	u64 bytes;
	struct io_mapping *io;
	int bar;
};

/**
 * struct exerciser - one bound function
 * @pdev: the function
 * @file: in debugfs
 * @mappings_file: in debugfs
 * @user_files: those that can be mapped
 * @lock: one command at a time; protects all below
 * @spin: held by accesses in context `atomic`
 * @bars: mapped when first used
 * @mappings: those that were asked for
 * @buffers: memory that the device may access
 * @scattered: such memory that was mapped as a list
 * @scattered_for: its direction
 * @vectors: how many are requested
 * @vector: their counts
 * @handled: what interrupt handlers read, if it is set
 * @last: what they read last
 * @switches: how often the last access gave up its CPU
 * @ignores: they handle nothing, and leave the line on
 * @answer: of the last command
 */
struct exerciser {
	struct pci_dev *pdev;
	struct dentry *file;
	struct dentry *mappings_file;
	struct dentry *user_files[USER_WAYS];
	struct mutex lock;	/* see above */
	spinlock_t spin;	/* see above */
	void __iomem *bars[PCI_STD_NUM_BARS];
	struct exerciser_mapping mappings[MAPPINGS_MAX];
	struct list_head buffers;
	struct sg_table scattered;
	enum dma_data_direction scattered_for;
	int vectors;
	struct exerciser_vector vector[VECTORS_MAX];
	void __iomem *handled;
	u32 last;
	unsigned long switches;
	bool ignores;
	char answer[ANSWER_BYTES];
};

enum exerciser_context {
	CONTEXT_PROCESS,
	CONTEXT_ATOMIC,
	CONTEXT_OFF,
	CONTEXT_RCU,
	CONTEXT_NOFAULT,
	CONTEXT_TIMER,
	CONTEXT_HARDIRQ,
};

/* What a command does at one register: a store, a load, or both in this order. */
struct exerciser_access {
	void __iomem *at;
	u64 width;
	bool store, load;
	u64 value;
};

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
int exerciser_ioremap(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_iounmap(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_mapping_load(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_mapping_store(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_mapping_expect(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_drain(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_move(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_multiply(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_shift(struct exerciser *exerciser, const u64 *arguments, char *answer);

/* exerciser_probe.c */
int exerciser_probed(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_apart(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_alternate(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_flood(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_map(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_alloc(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_unmap(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_scatter(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_gather(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_mask(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_peek(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_poke(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_master(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_memory(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_vectors(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_intx(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_interrupts(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_handler(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_ignore(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_handled(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_many(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_stream(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_relay(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_switches(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_reset(struct exerciser *exerciser, const u64 *arguments, char *answer);
int exerciser_power(struct exerciser *exerciser, const u64 *arguments, char *answer);

u64 exerciser_access_here(const struct exerciser_access *access);
u64 exerciser_access_in(struct exerciser *exerciser, const struct exerciser_access *access,
			u64 context);
bool exerciser_width_ok(u64 width);
bool exerciser_is_door(const char *name, u64 *value);
void exerciser_free_mappings(struct exerciser *exerciser);
extern const struct file_operations exerciser_mappings_operations;
/* Where arguments BAR OFFSET lead, if @bytes from there on are in the BAR. */
int exerciser_at(struct exerciser *exerciser, const u64 *arguments, u64 bytes,
		 void __iomem **at);
void exerciser_free_buffers(struct exerciser *exerciser);
void exerciser_free_vectors(struct exerciser *exerciser);

/* BARs for user space. */
void exerciser_add_user_files(struct exerciser *exerciser, struct dentry *directory);
void exerciser_remove_user_files(struct exerciser *exerciser);

#endif
