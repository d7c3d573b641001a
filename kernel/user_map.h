/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What came from one area of user space that shows a BAR, and what is known of the area
 * while mmap() is making it.
 */
#ifndef _BARKEEP_USER_MAP_H
#define _BARKEEP_USER_MAP_H

#include <linux/maple_tree.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/task_work.h>

#include "map.h"

/**
 * struct user_map - what came from one area, by split, move and fork
 * @operations: of these areas, fixed before one has them
 * @original: what is behind them: the driver's
 * @areas: how many there are
 * @bar: with a reference to its device
 * @served: page offsets that faults are served for, under RCU
 * @shift: from page offset to page of @bar
 * @whole: faults are served for memory too, not only for what traps: the driver mapped
 *	it without being asked for each page
 * @area: only used while it is noted, as the rest
 * @start: its first address
 * @file: that it is of, with a reference: neither it nor @area is told from another
 *	by its address alone
 * @offset: its first page offset
 * @task: that makes it
 * @mm: that it is in
 * @settle: what is done when the system call returns
 * @node: among all that are noted
 * @rcu: for freeing it
 *
 * barkeep_user_lock protects @shift, and @bar until something is served. Faults look
 * without it: both are there before @served has the page.
 */
struct user_map {
	const struct vm_operations_struct operations;
	const struct vm_operations_struct *original;
	refcount_t areas;
	struct barkeep_bar_memory *bar;
	struct maple_tree served;
	unsigned long shift;
	bool whole;
	const struct vm_area_struct *area;
	unsigned long start;
	struct file *file;
	unsigned long offset;
	const struct task_struct *task;
	struct mm_struct *mm;
	struct callback_head settle;
	struct list_head node;
	struct rcu_head rcu;
};

/*
 * user_map.c: the map of an area, or NULL; whether the area can have our entries; our
 * operations in front of its own, under barkeep_user_lock, the area write-locked or in
 * a fault; the end of a map that no area has, and of its reference to the device.
 */
extern struct mutex barkeep_user_lock;
struct user_map *barkeep_user_map_of(const struct vm_area_struct *area);
bool barkeep_user_is_raw(const struct vm_area_struct *area);
void barkeep_user_take_over(struct user_map *map, struct vm_area_struct *area);
void barkeep_user_map_free(struct user_map *map);

/*
 * user_note.c: whether mmap() is making an area still; has it taken over later; the map
 * of one that was noted by this task, or NULL. The last two under barkeep_user_lock.
 */
bool barkeep_user_is_new(struct vm_area_struct *area);
int barkeep_user_note(struct user_map *map, struct vm_area_struct *area);
struct user_map *barkeep_user_noted(const struct vm_area_struct *area);

#endif
