/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How BARs come to be mapped, by drivers in the kernel and for user space, and how
 * an address leads back to one.
 */
#ifndef _BARKEEP_MAP_H
#define _BARKEEP_MAP_H

#include <linux/ftrace.h>
#include <linux/rbtree_latch.h>

#include "barkeep.h"

/* hook.c: functions of the kernel that are redirected to ours */
struct barkeep_hook {
	const char *name;
	void *target;
	/*
	 * Given the registers at the call (arguments are in di, si, dx, cx),
	 * whether to call @target instead, with what is in them then. Runs in
	 * the function's caller's context, whatever that is.
	 */
	bool (*ours)(struct pt_regs *call);
	struct ftrace_ops ops;
};

int barkeep_hooks_install(struct barkeep_hook *hooks, unsigned int count);
void barkeep_hooks_remove(struct barkeep_hook *hooks, unsigned int count);

/**
 * struct barkeep_extent - addresses that lead to a BAR
 * @bar: the BAR
 * @start: first of them
 * @bytes: how many
 * @offset: of @start in the BAR
 */
struct barkeep_extent {
	struct barkeep_bar_memory *bar;
	unsigned long start;
	unsigned long bytes;
	u64 offset;
};

/**
 * struct barkeep_mapping - a driver's, map.c
 * @extent: where it leads
 * @node: among all mappings
 * @lock: protects @gone, and what becomes present meanwhile
 * @gone: the addresses may be another's
 * @parts: of a whole BAR: in use by the driver
 * @rcu: frees it
 */
struct barkeep_mapping {
	struct barkeep_extent extent;
	struct latch_tree_node node;
	raw_spinlock_t lock;	/* see above */
	bool gone;
	atomic_t parts;
	struct rcu_head rcu;
};

/*
 * map.c: the driver's mappings. barkeep_map_find() is for under RCU; and so is
 * barkeep_map_touch(), with interrupts off, which is true where the access that
 * faulted at @address is to be tried again. barkeep_map_page() is the rest of it, of
 * page @n of the BAR, which is memory.
 * A BAR of which barkeep_map_whole() was called has one mapping, which its own are
 * parts of, until barkeep_map_forget(), after the last of them.
 */
int barkeep_map_init(void);
void barkeep_map_exit(void);
int barkeep_map_whole(struct barkeep_bar_memory *bar);
void barkeep_map_forget(struct barkeep_bar_memory *bar);
struct barkeep_mapping *barkeep_map_find(unsigned long address);
bool barkeep_map_page(struct barkeep_mapping *mapping, unsigned long address, unsigned long n);

/* Inline is what has nothing to do, as nearly always. */
static inline bool barkeep_map_touch(struct barkeep_mapping *mapping, unsigned long address)
{
	const struct barkeep_extent *extent = &mapping->extent;
	unsigned long n = (extent->offset + (address - extent->start)) >> PAGE_SHIFT;

	return unlikely(extent->bar->policy[n] == BARKEEP_POLICY_MEMORY) &&
	       barkeep_map_page(mapping, address, n);
}

/* doors.c: ways to map a BAR other than ioremap() */
int barkeep_doors_init(void);
void barkeep_doors_exit(void);

/**
 * struct barkeep_target - what an address leads to
 * @bar: the BAR
 * @offset: in it
 * @counted: holds a reference of its own to the device
 * @read_only: by this mapping
 */
struct barkeep_target {
	struct barkeep_bar_memory *bar;
	u64 offset;
	bool counted;
	bool read_only;
};

/* user_map.c: user space's mappings of BARs, made by drivers */
int barkeep_user_remap(struct vm_area_struct *area, unsigned long address, unsigned long pfn,
		       unsigned long bytes);
int barkeep_user_insert(struct vm_area_struct *area, unsigned long address, unsigned long pfn,
			pgprot_t protection);
bool barkeep_user_find(unsigned long address, struct barkeep_target *target);

#endif
