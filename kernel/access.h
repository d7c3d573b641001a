/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One load or store, from its policy to its completion. Its context is the driver's:
 * any but NMI, and it sleeps only where its patience says that it may.
 */
#ifndef _BARKEEP_ACCESS_H
#define _BARKEEP_ACCESS_H

#include <linux/align.h>
#include <linux/wait.h>

#include "barkeep.h"

/**
 * struct barkeep_patience - how one instruction of a driver may wait
 * @held: where interrupts are off and were on in its context, whose mapping it faulted
 *	in: see barkeep_wait_begin()
 * @may_sleep: its context can; not known before that
 * @killable: a fatal signal ends the wait: the instruction is of user space, or the
 *	process the model's
 * @looks: that were taken with interrupts off, by barkeep_wait()
 *
 * One for a page fault, which may be many accesses. How long each of them waits is its
 * own: see struct barkeep_goal.
 */
struct barkeep_patience {
	struct barkeep_device *held;
	bool may_sleep;
	bool killable;
	u8 looks;
};

/**
 * struct barkeep_goal - what is waited for
 * @done: whether it is there
 * @arg: its second argument
 * @queue: woken when it may be
 * @since: when it was first waited for, on the clock of ktime_get_mono_fast_ns(), or 0
 * @limit: for how many nanoseconds; the wait fills it in
 *
 * What is there may be another's before it is taken. Then the same goal is waited for
 * again, and its time goes on.
 */
struct barkeep_goal {
	bool (*done)(struct barkeep_device *dev, u32 arg);
	u32 arg;
	wait_queue_head_t *queue;
	u64 since;
	u64 limit;
};

/* What 16 bytes hold. */
struct barkeep_wide {
	u64 low;
	u64 high;
};

/*
 * What cannot be one access is naturally aligned ones, from the lowest address up: the
 * length of that at @address, with @rest bytes to go.
 */
static inline unsigned int barkeep_access_piece(u64 address, unsigned int rest)
{
	unsigned int piece = 1;

	while (2 * piece <= rest && IS_ALIGNED(address, 2 * piece))
		piece *= 2;
	return piece;
}

/*
 * access.c: one load or store, by the policy of its page, which it does not cross. The
 * first is for watch.c, the next two for register.c: what nobody declared. Accesses are
 * of 1, 2, 4 or 8 bytes, wide ones of 16.
 */
u64 barkeep_access_peek(struct barkeep_bar_memory *bar, u64 offset, unsigned int width);
u64 barkeep_trap_read(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
		      struct barkeep_patience *patience);
void barkeep_trap_write(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			u64 value, struct barkeep_patience *patience);
u64 barkeep_access_read(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			struct barkeep_patience *patience);
void barkeep_access_write(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			  u64 value, struct barkeep_patience *patience);
void barkeep_access_read_wide(struct barkeep_bar_memory *bar, u64 offset,
			      struct barkeep_wide *value, struct barkeep_patience *patience);
void barkeep_access_write_wide(struct barkeep_bar_memory *bar, u64 offset,
			       const struct barkeep_wide *value,
			       struct barkeep_patience *patience);

/* register.c: the same, of pages with declared registers */
u64 barkeep_register_read(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			  struct barkeep_patience *patience);
void barkeep_register_write(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			    u64 value, struct barkeep_patience *patience);

/* completion.c: non-posted accesses: reads, and writes that wait */
int barkeep_slots_init(struct barkeep_device *dev);
void barkeep_slots_destroy(struct barkeep_device *dev);
u64 barkeep_completion_read(struct barkeep_device *dev, struct barkeep_event *event,
			    struct barkeep_patience *patience);
void barkeep_completion_write(struct barkeep_device *dev, struct barkeep_event *event,
			      struct barkeep_patience *patience);

/* watch.c: a write that was not the CPU's own */
void barkeep_watch_written(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			   struct barkeep_patience *patience);

/*
 * wait.c: waits of accesses for the model, each bounded by the completion timeout. True
 * where the goal was there; false when the time is up or the device dead, or the process
 * killed whose instruction it is, which barkeep_wait_killed() tells.
 */
bool barkeep_wait(struct barkeep_device *dev, struct barkeep_goal *goal,
		  struct barkeep_patience *patience);
bool barkeep_wait_completion(struct barkeep_device *dev, struct barkeep_goal *goal,
			     struct barkeep_patience *patience);
bool barkeep_wait_room(struct barkeep_device *dev, struct barkeep_goal *goal,
		       struct barkeep_patience *patience);
void barkeep_wait_begin(struct barkeep_patience *patience);
bool barkeep_wait_killed(const struct barkeep_patience *patience);

#endif
