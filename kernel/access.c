// SPDX-License-Identifier: GPL-2.0-only
/*
 * One load or store of a driver, done by the policy of its page. Runs in the
 * driver's context, inside the page fault that the access raised: any context
 * but NMI, and it may sleep only where its patience says so.
 */
#include <linux/mm.h>

#include "decode_bits.h"
#include "ring.h"

/* The backing of an access that does not cross a page, or NULL while it has none. */
static void *access_backing(struct barkeep_bar_memory *bar, u64 offset)
{
	struct page *page = READ_ONCE(bar->pages[offset >> PAGE_SHIFT]);

	return page ? page_address(page) + offset_in_page(offset) : NULL;
}

/*
 * The same for a write. Only `memory` can have none: where its first touch found no
 * memory at once, or is a part of an access to a page that traps. Reclaim must not
 * end up in this driver, nor go on until it succeeds.
 */
static void *access_back(struct barkeep_bar_memory *bar, u64 offset,
			 struct barkeep_patience *patience)
{
	struct page *page = READ_ONCE(bar->pages[offset >> PAGE_SHIFT]);
	gfp_t gfp;

	if (unlikely(!page)) {
		barkeep_wait_begin(patience);
		gfp = patience->may_sleep ? GFP_NOIO | __GFP_RETRY_MAYFAIL : GFP_ATOMIC;
		page = barkeep_bar_page(bar, offset >> PAGE_SHIFT, gfp | __GFP_NOWARN);
	}
	return page ? page_address(page) + offset_in_page(offset) : NULL;
}

static u64 shadow_load(const void *from, unsigned int width)
{
	switch (width) {
	case 1:
		return READ_ONCE(*(const u8 *)from);
	case 2:
		return READ_ONCE(*(const u16 *)from);
	case 4:
		return READ_ONCE(*(const u32 *)from);
	default:
		return READ_ONCE(*(const u64 *)from);
	}
}

static void shadow_store(void *to, unsigned int width, u64 value)
{
	switch (width) {
	case 1:
		WRITE_ONCE(*(u8 *)to, value);
		break;
	case 2:
		WRITE_ONCE(*(u16 *)to, value);
		break;
	case 4:
		WRITE_ONCE(*(u32 *)to, value);
		break;
	default:
		WRITE_ONCE(*(u64 *)to, value);
	}
}

u64 barkeep_trap_read(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
		      struct barkeep_patience *patience)
{
	struct barkeep_event event = {
		.kind = BARKEEP_EVENT_READ,
		.bar = bar->number,
		.width = width,
		.offset = offset,
	};

	return barkeep_completion_read(bar->dev, &event, patience);
}

void barkeep_trap_write(struct barkeep_bar_memory *bar, u64 offset, unsigned int width, u64 value,
			struct barkeep_patience *patience)
{
	const struct barkeep_event event = {
		.kind = BARKEEP_EVENT_WRITE,
		.bar = bar->number,
		.width = width,
		.offset = offset,
		.value = value,
		.slot = BARKEEP_NO_SLOT,
	};

	barkeep_ring_post(bar->dev, &event, patience);
}

static void trap_read_wide(struct barkeep_bar_memory *bar, u64 offset, struct barkeep_wide *value,
			   struct barkeep_patience *patience)
{
	struct barkeep_event event = {
		.kind = BARKEEP_EVENT_READ,
		.bar = bar->number,
		.width = sizeof(*value),
		.offset = offset,
	};

	value->low = barkeep_completion_read(bar->dev, &event, patience);
	value->high = event.value_high;
}

static void trap_write_wide(struct barkeep_bar_memory *bar, u64 offset,
			    const struct barkeep_wide *value, struct barkeep_patience *patience)
{
	const struct barkeep_event event = {
		.kind = BARKEEP_EVENT_WRITE,
		.bar = bar->number,
		.width = sizeof(*value),
		.offset = offset,
		.value = value->low,
		.value_high = value->high,
		.slot = BARKEEP_NO_SLOT,
	};

	barkeep_ring_post(bar->dev, &event, patience);
}

/* What the backing holds. Any context. */
u64 barkeep_access_peek(struct barkeep_bar_memory *bar, u64 offset, unsigned int width)
{
	const void *from = access_backing(bar, offset);

	/* What nobody has written to holds zeros. */
	return from ? shadow_load(from, width) : 0;
}

static u64 memory_read(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
		       struct barkeep_patience *patience)
{
	return barkeep_access_peek(bar, offset, width);
}

static void memory_lose(struct barkeep_bar_memory *bar, u64 offset, unsigned int width)
{
	const struct barkeep_event event = {
		.kind = BARKEEP_EVENT_FAULT,
		.value = BARKEEP_FAULT_MEMORY,
		.bar = bar->number,
		.width = width,
		.offset = offset,
		.slot = BARKEEP_NO_SLOT,
	};

	barkeep_ring_try(bar->dev, &event);
}

static void memory_write(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			 u64 value, struct barkeep_patience *patience)
{
	void *to = access_back(bar, offset, patience);

	if (likely(to))
		shadow_store(to, width, value);
	else
		memory_lose(bar, offset, width);
	if (unlikely(bar->whole))
		barkeep_watch_written(bar, offset, width, patience);
}

static void shadow_write(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			 u64 value, struct barkeep_patience *patience)
{
	memory_write(bar, offset, width, value, patience);
	barkeep_trap_write(bar, offset, width, value, patience);
}

static void shadow_write_wide(struct barkeep_bar_memory *bar, u64 offset,
			      const struct barkeep_wide *value, struct barkeep_patience *patience)
{
	memory_write(bar, offset, 8, value->low, patience);
	memory_write(bar, offset + 8, 8, value->high, patience);
	trap_write_wide(bar, offset, value, patience);
}

/* Without the wide ones, each of their halves is an access. */
static const struct {
	u64 (*read)(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
		    struct barkeep_patience *patience);
	void (*write)(struct barkeep_bar_memory *bar, u64 offset, unsigned int width, u64 value,
		      struct barkeep_patience *patience);
	void (*read_wide)(struct barkeep_bar_memory *bar, u64 offset, struct barkeep_wide *value,
			  struct barkeep_patience *patience);
	void (*write_wide)(struct barkeep_bar_memory *bar, u64 offset,
			   const struct barkeep_wide *value, struct barkeep_patience *patience);
} access_policies[] = {
	[BARKEEP_POLICY_TRAP] = {
		barkeep_trap_read, barkeep_trap_write, trap_read_wide, trap_write_wide
	},
	[BARKEEP_POLICY_SHADOW] = { memory_read, shadow_write, .write_wide = shadow_write_wide },
	/* Such a page does not trap; a part of an access that straddles may come here. */
	[BARKEEP_POLICY_MEMORY] = { memory_read, memory_write },
	[BARKEEP_POLICY_REGISTERS] = { barkeep_register_read, barkeep_register_write },
};

/* NMI could come on top of anything here, so there the device is not there. */
static bool access_reaches(struct barkeep_bar_memory *bar)
{
	return likely(READ_ONCE(bar->dev->config.decoding)) && likely(!in_nmi());
}

u64 barkeep_access_read(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			struct barkeep_patience *patience)
{
	u64 value = ~0ULL;

	if (access_reaches(bar))
		value = access_policies[bar->policy[offset >> PAGE_SHIFT]].read(bar, offset, width,
										 patience);
	return value & mask_of(width);
}

void barkeep_access_write(struct barkeep_bar_memory *bar, u64 offset, unsigned int width,
			  u64 value, struct barkeep_patience *patience)
{
	if (access_reaches(bar))
		access_policies[bar->policy[offset >> PAGE_SHIFT]].write(bar, offset, width,
									  value & mask_of(width),
									  patience);
}

void barkeep_access_read_wide(struct barkeep_bar_memory *bar, u64 offset,
			      struct barkeep_wide *value, struct barkeep_patience *patience)
{
	unsigned int policy = bar->policy[offset >> PAGE_SHIFT];

	if (access_policies[policy].read_wide && access_reaches(bar)) {
		access_policies[policy].read_wide(bar, offset, value, patience);
	} else {
		value->low = barkeep_access_read(bar, offset, 8, patience);
		value->high = barkeep_access_read(bar, offset + 8, 8, patience);
	}
}

void barkeep_access_write_wide(struct barkeep_bar_memory *bar, u64 offset,
			       const struct barkeep_wide *value,
			       struct barkeep_patience *patience)
{
	unsigned int policy = bar->policy[offset >> PAGE_SHIFT];

	if (access_policies[policy].write_wide && access_reaches(bar)) {
		access_policies[policy].write_wide(bar, offset, value, patience);
	} else {
		barkeep_access_write(bar, offset, 8, value->low, patience);
		barkeep_access_write(bar, offset + 8, 8, value->high, patience);
	}
}
