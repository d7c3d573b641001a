// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA, the device's side: copies between the model's memory and what the driver
 * has mapped.
 *
 * A copy must not touch the driver's memory once unmap has returned, and must
 * not sleep on a fault of the model's memory while unmap waits, which may be in
 * an interrupt handler. So it is done in pieces: each looks its mapping up anew
 * and copies with barkeep_dma_space.lock held for reading, interrupts off and
 * faults disabled; what was not present is faulted in between two pieces. Unmap
 * waits for one piece at most. Copies share the lock: queues served by several
 * threads do not wait for each other, and one lock for all mappings is enough.
 *
 * Turning bus mastering off has no copy go on that it has not stopped, without
 * that lock, which config space must not wait for: barkeep_dma_settle() waits
 * for the pieces that had begun.
 */
#include <linux/dma-direction.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "dma.h"

/* A few microseconds with interrupts off; in pieces of a page copies take a third longer. */
#define DMA_PIECE	32768

/*
 * A cache line; as much is moved in naturally aligned units and ascending order,
 * so that a driver never sees half an index, nor a completion's phase bit before
 * the rest. Longer copies promise that for their last line only.
 */
#define DMA_LINE	64

/* Mappings looked at with interrupts off. */
#define DMA_WALK	64

/* Faults in a row that bring nothing in: the model's memory is not accessible. */
#define DMA_FAULTS	64

#define DMA_SEGMENTS	16

/* A segment on its way; @checked: all of it was mapped when it began. */
struct dma_transfer {
	struct barkeep_device *dev;
	struct barkeep_dma *arg;
	u64 address;
	void __user *buffer;
	u64 left;
	bool write;
	bool checked;
};

/* Nearest to @address; the covering one if there is. With space->lock held. */
static struct barkeep_dma_mapping *dma_nearest(struct barkeep_dma_space *space, u64 address)
{
	struct rb_node *rb = space->mappings.rb_root.rb_node;
	struct interval_tree_node *node, *left, *after = NULL;
	struct interval_tree_node *before = NULL;
	bool found = false;
	u64 last = 0;

	/* The highest end of all that begin at or before @address, and the next begin. */
	while (rb) {
		node = rb_entry(rb, struct interval_tree_node, rb);
		if (node->start > address) {
			after = node;
			rb = rb->rb_left;
			continue;
		}
		found = true;
		last = max_t(u64, last, node->last);
		if (rb->rb_left) {
			left = rb_entry(rb->rb_left, struct interval_tree_node, rb);
			last = max_t(u64, last, left->__subtree_last);
		}
		rb = rb->rb_right;
	}
	if (found) {
		last = min(last, address);
		before = interval_tree_iter_first(&space->mappings, last, last);
	}
	if (before && after && after->start - address < address - last)
		before = NULL;
	node = before ?: after;
	return node ? container_of(node, struct barkeep_dma_mapping, range) : NULL;
}

/* With space->lock held. */
static int dma_refuse(struct dma_transfer *transfer, u64 address, enum barkeep_dma_reason reason)
{
	struct barkeep_dma_mapping *nearest = dma_nearest(&transfer->dev->dma, address);
	struct barkeep_dma *arg = transfer->arg;

	arg->reason = reason;
	arg->address = address;
	if (nearest) {
		arg->nearest_address = nearest->range.start;
		arg->nearest_length = nearest->range.last - nearest->range.start + 1;
		arg->nearest_direction = nearest->direction;
	}
	return -EACCES;
}

/* Whether it may reach anything. With space->lock held. */
static int dma_permitted(struct dma_transfer *transfer, u64 address)
{
	if (READ_ONCE(transfer->dev->dead))
		return -ENODEV;
	if (!READ_ONCE(transfer->dev->config.mastering))
		return dma_refuse(transfer, address, BARKEEP_DMA_NO_MASTER);
	return 0;
}

/*
 * What the device can reach at @address, and how far it goes on from there; or
 * -EACCES, told in the transfer's argument, or -ENODEV. @first is where the
 * access began. With space->lock held.
 */
static int dma_reach(struct dma_transfer *transfer, u64 address, u64 first, void **memory,
		     u64 *bytes)
{
	enum dma_data_direction forbidden = transfer->write ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
	enum barkeep_dma_reason reason = BARKEEP_DMA_UNMAPPED;
	struct barkeep_dma_space *space = &transfer->dev->dma;
	int ret = dma_permitted(transfer, address);
	struct barkeep_dma_mapping *mapping;
	struct interval_tree_node *node;

	if (ret)
		return ret;
	for (node = interval_tree_iter_first(&space->mappings, address, address); node;
	     node = interval_tree_iter_next(node, address, address)) {
		mapping = container_of(node, struct barkeep_dma_mapping, range);
		if (mapping->direction != forbidden) {
			*memory = phys_to_virt(mapping->physical + (address - node->start));
			*bytes = node->last - address + 1;
			return 0;
		}
		reason = BARKEEP_DMA_DIRECTION;
	}
	if (reason == BARKEEP_DMA_UNMAPPED) {
		if (address != first)
			reason = BARKEEP_DMA_PAST_END;
		else if (address - space->last_address < space->last_length)
			reason = BARKEEP_DMA_STALE;
	}
	return dma_refuse(transfer, address, reason);
}

static void dma_end(struct barkeep_dma_space *space)
{
	/* The bytes first: pairs with the acquire in barkeep_dma_settle(). */
	smp_mb__before_atomic();
	atomic_dec(&space->pieces);
}

/*
 * The next piece. If there is more to a segment than its first mapping,
 * dma_check() must have seen all of it before any is copied: -EAGAIN. With
 * space->lock held.
 */
static int dma_next(struct dma_transfer *transfer, u64 wanted, void **memory, u64 *bytes)
{
	int ret = dma_reach(transfer, transfer->address, transfer->address, memory, bytes);

	if (ret)
		return ret;
	if (!transfer->checked && *bytes < transfer->left)
		return -EAGAIN;
	transfer->checked = true;
	*bytes = min(*bytes, wanted);
	return 0;
}

/* The same, and the piece counts until dma_end(). With space->lock held until then. */
static int dma_begin(struct dma_transfer *transfer, u64 wanted, void **memory, u64 *bytes)
{
	struct barkeep_dma_space *space = &transfer->dev->dma;
	int ret = dma_permitted(transfer, transfer->address);

	/* Not one that is refused at once, or who waits may wait for ever. */
	if (ret)
		return ret;
	atomic_inc(&space->pieces);
	/* Pairs with that in barkeep_dma_settle(). */
	smp_mb__after_atomic();
	ret = dma_next(transfer, wanted, memory, bytes);
	if (ret)
		dma_end(space);
	return ret;
}

/**
 * barkeep_dma_settle() - wait for copies after bus mastering was turned off
 * @dev: the device
 *
 * Any context but NMI, none of the locks of DMA held. Takes as long as one piece
 * at most: those that come later see that bus mastering is off.
 */
void barkeep_dma_settle(struct barkeep_device *dev)
{
	/* Pairs with that in dma_begin(): either it sees our bit, or we its piece. */
	smp_mb();
	while (atomic_read_acquire(&dev->dma.pieces))
		cpu_relax();
}

static int dma_check(struct dma_transfer *transfer)
{
	struct barkeep_dma_space *space = &transfer->dev->dma;
	u64 address = transfer->address, left = transfer->left, bytes;
	unsigned int walked;
	void *memory;
	int ret = 0;

	while (left && !ret) {
		read_lock_irq(&space->lock);
		for (walked = 0; left && walked < DMA_WALK; walked++) {
			ret = dma_reach(transfer, address, transfer->address, &memory, &bytes);
			if (ret)
				break;
			bytes = min(bytes, left);
			address += bytes;
			left -= bytes;
		}
		read_unlock_irq(&space->lock);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	transfer->checked = true;
	return ret;
}

/* At most a line; returns bytes copied. */
static int dma_copy_line(struct dma_transfer *transfer)
{
	struct barkeep_dma_space *space = &transfer->dev->dma;
	/* Bus and kernel addresses are aligned alike, so this makes all three so. */
	unsigned int skew = transfer->address % sizeof(u64);
	u64 aligned[DMA_LINE / sizeof(u64) + 1];
	u64 wanted = transfer->left, bytes;
	u8 *line = (u8 *)aligned + skew;
	void *memory;
	int ret;

	if (transfer->write && copy_from_user(line, transfer->buffer, wanted))
		return dma_check(transfer) ?: -EFAULT;

	read_lock_irq(&space->lock);
	ret = dma_begin(transfer, wanted, &memory, &bytes);
	if (!ret) {
		if (transfer->write)
			ret = barkeep_dma_store(memory, line, bytes);
		else
			ret = barkeep_dma_load(line, memory, bytes);
		dma_end(space);
	}
	read_unlock_irq(&space->lock);

	if (ret)
		return ret;
	if (!transfer->write && copy_to_user(transfer->buffer, line, bytes))
		return -EFAULT;
	return bytes;
}

/* More than a line; returns bytes copied, 0 if the model's memory had to be faulted in. */
static int dma_copy_piece(struct dma_transfer *transfer)
{
	struct barkeep_dma_space *space = &transfer->dev->dma;
	u64 last[DMA_LINE / sizeof(u64)], bulk = transfer->left, tail = 0, bytes;
	unsigned long missed = 0;
	void __user *absent;
	void *memory;
	int ret;

	if (transfer->write) {
		tail = (transfer->address + transfer->left - 1) % DMA_LINE + 1;
		bulk -= tail;
	}
	if (bulk > DMA_PIECE) {
		bulk = DMA_PIECE;
		tail = 0;
	}
	if (tail && copy_from_user(last, transfer->buffer + bulk, tail))
		return dma_check(transfer) ?: -EFAULT;

	read_lock_irq(&space->lock);
	ret = dma_begin(transfer, bulk + tail, &memory, &bytes);
	if (!ret) {
		if (bytes < bulk + tail)
			tail = 0;
		bulk = min(bulk, bytes);
		pagefault_disable();
		missed = barkeep_dma_bulk(memory, transfer->buffer, bulk, transfer->write);
		pagefault_enable();
		if (missed)
			tail = 0;
		ret = barkeep_dma_store(memory + bulk, last, tail);
		dma_end(space);
	}
	read_unlock_irq(&space->lock);

	if (ret)
		return ret;
	bulk -= missed;
	if (missed) {
		absent = transfer->buffer + bulk;
		if ((transfer->write ? fault_in_readable(absent, missed) :
				       fault_in_safe_writeable(absent, missed)) == missed)
			return -EFAULT;
	}
	return bulk + tail;
}

static int dma_copy(struct dma_transfer *transfer)
{
	unsigned int faults = 0;
	int ret;

	if (!transfer->left)
		return 0;
	if (!access_ok(transfer->buffer, transfer->left))
		return dma_check(transfer) ?: -EFAULT;
	/* As copy_from_user() has it after the same check. */
	barrier_nospec();

	while (transfer->left) {
		if (transfer->left <= DMA_LINE)
			ret = dma_copy_line(transfer);
		else
			ret = dma_copy_piece(transfer);
		if (ret == -EAGAIN) {
			ret = dma_check(transfer);
			if (ret)
				return ret;
			continue;
		}
		if (ret < 0)
			return ret;
		if (!ret && ++faults == DMA_FAULTS)
			return -EFAULT;
		if (ret)
			faults = 0;
		transfer->address += ret;
		transfer->buffer += ret;
		transfer->left -= ret;
		/* The process is gone: nobody will see that this was inside a segment. */
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int dma_segment(struct barkeep_device *dev, struct barkeep_dma *arg,
		       const struct barkeep_dma_segment *segment)
{
	struct dma_transfer transfer = {
		.dev = dev,
		.arg = arg,
		.address = segment->address,
		.buffer = u64_to_user_ptr(segment->buffer),
		.left = segment->length,
		.write = segment->operation == BARKEEP_DMA_WRITE,
	};
	int ret;

	if (segment->__reserved)
		return -EOPNOTSUPP;
	if (segment->operation > BARKEEP_DMA_WRITE)
		return -EINVAL;

	ret = dma_copy(&transfer);
	if (ret == -EACCES) {
		/* Shared by all copies, hence for writing. */
		write_lock_irq(&dev->dma.lock);
		WRITE_ONCE(dev->status->refused_dma, dev->status->refused_dma + 1);
		write_unlock_irq(&dev->dma.lock);
	}
	return ret;
}

/**
 * barkeep_dma_ioctl() - BARKEEP_DMA
 * @dev: the device
 * @arg: in kernel memory; its out fields are to be copied back on error too
 *
 * Return: 0 or a negative errno, as the UAPI header has it.
 */
long barkeep_dma_ioctl(struct barkeep_device *dev, struct barkeep_dma *arg)
{
	const struct barkeep_dma_segment __user *from = u64_to_user_ptr(arg->segments);
	struct barkeep_dma_segment segments[DMA_SEGMENTS];
	u32 at;
	int ret;

	arg->done = 0;
	arg->reason = 0;
	arg->nearest_direction = 0;
	arg->address = 0;
	arg->nearest_address = 0;
	arg->nearest_length = 0;

	if (arg->count > BARKEEP_DMA_SEGMENTS_MAX)
		return -EINVAL;

	while (arg->done < arg->count) {
		at = arg->done % DMA_SEGMENTS;
		if (!at && copy_from_user(segments, from + arg->done,
					  min_t(u32, arg->count - arg->done, DMA_SEGMENTS) *
					  sizeof(*segments)))
			return -EFAULT;
		ret = dma_segment(dev, arg, &segments[at]);
		if (ret)
			return ret;
		arg->done++;
		if (arg->done < arg->count && signal_pending(current))
			return -EINTR;
	}
	return 0;
}
