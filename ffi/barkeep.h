/* SPDX-License-Identifier: MIT */
#ifndef BARKEEP_H
#define BARKEEP_H

#include <stdint.h>

#include "../kernel/uapi/barkeep.h"

/*
 * All that JavaScript calls. Arguments are 32-bit numbers and pointers to
 * memory that JavaScript owns, so that every runtime's FFI can pass them
 * without conversion. What returns int returns >= 0, or -errno. Nothing here
 * is called per event: events and completions are in shared memory.
 *
 * A device is a file descriptor of /dev/barkeep.
 */

/*
 * Writes one "NAME VALUE\n" per constant, size and offset of the UAPI that
 * JavaScript relies on, and returns the length; -ENOSPC if @size is too small.
 */
int barkeep_constants(char *text, uint32_t size);

int barkeep_open(const char *path);
int barkeep_close(int device);

/* @out: { abi, page_size } */
int barkeep_info(int device, uint32_t out[2]);

/*
 * @numbers: { flags, region_count, ring_entries, timeout_us, domain,
 * register_count, watch_count }; domain is the one taken on return.
 */
int barkeep_plug(int device, uint32_t numbers[7], const void *config,
		 const void *write_mask, const void *clear_mask,
		 const void *notify, const struct barkeep_bar *bars,
		 const struct barkeep_region *regions,
		 const struct barkeep_register *registers,
		 const struct barkeep_watch *watches);
int barkeep_unplug(int device, uint32_t flags);

/*
 * Maps what is at BARKEEP_MMAP_* >> 40 == @piece. barkeep_retire() puts private
 * zero pages in its place: JavaScript may hold views of it for ever.
 */
int barkeep_map(int device, uint32_t piece, uint32_t bytes, uint32_t writable,
		uint64_t *address);
int barkeep_retire(const uint64_t *address, uint32_t bytes);

int barkeep_wake(int device);
int barkeep_irq(int device, uint32_t operation, uint32_t vector);
int barkeep_config(int device, uint32_t flags, uint32_t offset, uint32_t length,
		   void *buffer);
/* @result: filled in whatever the outcome, with what BARKEEP_DMA returned */
int barkeep_dma(int device, const struct barkeep_dma_segment *segments,
		uint32_t count, struct barkeep_dma *result);

/*
 * One waiter for many devices. An armed device is reported once, by its token,
 * when it has an event or is gone; then it has to be armed again.
 *
 * @waiter: { epoll, eventfd }
 */
int barkeep_waiter_create(int32_t waiter[2]);
int barkeep_waiter_close(const int32_t waiter[2]);
int barkeep_waiter_arm(const int32_t waiter[2], int device, uint32_t token);
int barkeep_waiter_disarm(const int32_t waiter[2], int device);
/* Blocks; returns the number of tokens, 0 after barkeep_waiter_interrupt(). */
int barkeep_waiter_wait(const int32_t waiter[2], uint32_t *tokens,
			uint32_t count);
int barkeep_waiter_interrupt(const int32_t waiter[2]);
/*
 * For an event loop that reads sockets: a thread waits and writes the tokens,
 * as 32-bit words, to the socket returned. It ends, and closes the waiter,
 * once the socket is closed.
 */
int barkeep_waiter_stream(const int32_t waiter[2]);

#endif
