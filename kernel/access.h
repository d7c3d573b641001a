/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One load or store, from its policy to its completion. Its context is the driver's:
 * any but NMI, and it sleeps only where its patience says that it may.
 */
#ifndef _BARKEEP_ACCESS_H
#define _BARKEEP_ACCESS_H

#include <linux/align.h>

#include "barkeep.h"

/**
 * struct barkeep_patience - how long one instruction of a driver may wait
 * @held: where interrupts are off and were on in its context, whose mapping it faulted
 *	in: see barkeep_wait_begin()
 * @may_sleep: its context can; not known before that
 * @killable: a fatal signal ends the wait: the instruction is of user space, or the
 *	process the model's
 * @renewals: times that waits for room began anew
 * @looks: that were taken with interrupts off, by barkeep_wait()
 * @room_head: what had been taken from the ring when it first waited for room in it
 * @model: when it first waited for a slot or a completion, on the clock of
 *	ktime_get_mono_fast_ns(), or 0; or BARKEEP_SPENT
 * @room: the same of room in the ring; anew with each of @renewals, as @room_head
 *
 * One for all waits of a page fault, also for each part of an access that is more than
 * one on the bus.
 */
struct barkeep_patience {
	struct barkeep_device *held;
	bool may_sleep;
	bool killable;
	u8 renewals;
	u8 looks;
	u32 room_head;
	u64 model;
	u64 room;
};

/* A wait has timed out, and there is no other. */
#define BARKEEP_SPENT	U64_MAX

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
 * wait.c: waits of accesses for the model, bounded by the completion timeout.
 * True once @done is; false when the time is up or the device dead, or the process
 * killed whose instruction it is, which barkeep_wait_killed() tells.
 */
bool barkeep_wait(struct barkeep_device *dev, bool (*done)(struct barkeep_device *dev, u32 arg),
		  u32 arg, struct barkeep_patience *patience);
bool barkeep_wait_room(struct barkeep_device *dev,
		       bool (*done)(struct barkeep_device *dev, u32 arg),
		       struct barkeep_patience *patience);
void barkeep_wait_begin(struct barkeep_patience *patience);
bool barkeep_wait_killed(const struct barkeep_patience *patience);

#endif
