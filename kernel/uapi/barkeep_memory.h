/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
#ifndef _UAPI_BARKEEP_MEMORY_H
#define _UAPI_BARKEEP_MEMORY_H

#include <linux/types.h>

/**
 * DOC: what the module and the model share in memory
 *
 * Four pieces of a file of /dev/barkeep, besides its BARs: the status page and the
 * event ring, which only the kernel writes, and the control page and the completion
 * slots, which only the model writes.
 */

/* Non-posted accesses of one device that can be outstanding at a time. */
#define BARKEEP_SLOTS		64

/*
 * Offsets for mmap(). STATUS and RING are read-only; CONTROL and COMPLETIONS
 * are what the model writes; BAR(n) is the backing memory of BAR n.
 */
#define BARKEEP_MMAP_STATUS	0ULL
#define BARKEEP_MMAP_CONTROL	(0x1ULL << 40)
#define BARKEEP_MMAP_RING	(2ULL << 40)
#define BARKEEP_MMAP_COMPLETIONS (3ULL << 40)
#define BARKEEP_MMAP_BAR(n)	((8ULL + (n)) << 40)

#define BARKEEP_STATUS_SIZE	4096
#define BARKEEP_CONTROL_SIZE	4096
#define BARKEEP_COMPLETIONS_SIZE 4096

/**
 * enum barkeep_state - the life of a device, in barkeep_status.state
 * @BARKEEP_STATE_NEW: opened, nothing plugged
 * @BARKEEP_STATE_PLUGGING: the bus is being scanned, the driver is probing
 * @BARKEEP_STATE_PLUGGED: on the bus
 * @BARKEEP_STATE_UNPLUGGING: the driver is being unbound; it may still access
 *	the device, so a model that was not surprised goes on answering
 * @BARKEEP_STATE_GONE: off the bus; barkeep_status.error says whether that was
 *	a failure to plug
 */
enum barkeep_state {
	BARKEEP_STATE_NEW,
	BARKEEP_STATE_PLUGGING,
	BARKEEP_STATE_PLUGGED,
	BARKEEP_STATE_UNPLUGGING,
	BARKEEP_STATE_GONE,
};

/**
 * enum barkeep_kind - what an event tells
 * @BARKEEP_EVENT_READ: a non-posted access; it waits for a completion in
 *	barkeep_event.slot that carries barkeep_event.ticket. Without a slot: the
 *	kernel has answered it with value, from a register that tells of reads
 * @BARKEEP_EVENT_WRITE: a posted write of barkeep_event.value. With a slot: to a
 *	register whose writes wait, until a completion of any value. Also a write
 *	to a watched range of memory, whose value is what it then held
 * @BARKEEP_EVENT_CONFIG: a write to a dword of config space that the plug's
 *	notify bitmap names; offset is the dword's, value what it now holds
 * @BARKEEP_EVENT_COMMAND: the Command register changed to value
 * @BARKEEP_EVENT_POWER: the PM capability's state changed to value (0 to 3)
 * @BARKEEP_EVENT_RESET: the function was reset; value is an enum
 *	barkeep_reset
 * @BARKEEP_EVENT_VECTOR: interrupt delivery was set up anew; value is the
 *	number of MSI or MSI-X vectors that the driver enabled, 0 for none
 * @BARKEEP_EVENT_FAULT: something was refused; value is an enum
 *	barkeep_fault, bar, offset, width, slot and ticket are the access's
 * @BARKEEP_EVENT_PLUGGED: the device is on the bus and bound, if a driver was
 *	there
 * @BARKEEP_EVENT_UNPLUGGED: the device has left the bus; the last event
 */
enum barkeep_kind {
	BARKEEP_EVENT_READ = 1,
	BARKEEP_EVENT_WRITE,
	BARKEEP_EVENT_CONFIG,
	BARKEEP_EVENT_COMMAND,
	BARKEEP_EVENT_POWER,
	BARKEEP_EVENT_RESET,
	BARKEEP_EVENT_VECTOR,
	BARKEEP_EVENT_FAULT,
	BARKEEP_EVENT_PLUGGED,
	BARKEEP_EVENT_UNPLUGGED,
};

enum barkeep_reset {
	BARKEEP_RESET_FLR = 1,	/* Function Level Reset */
	BARKEEP_RESET_D3HOT,	/* D3hot to D0 without No_Soft_Reset */
};

/**
 * enum barkeep_fault - why an access got no proper answer
 * @BARKEEP_FAULT_READ_TIMEOUT: a read waited for the completion timeout and was
 *	completed as all-ones
 * @BARKEEP_FAULT_UNDECODABLE: the instruction is none that can be emulated; it
 *	was skipped, and read as all-ones
 * @BARKEEP_FAULT_LINK: the ring stayed full for the completion timeout: posted
 *	writes could not be delivered in order any more, so the link was taken
 *	down; every later access completes as all-ones until unplug
 * @BARKEEP_FAULT_MEMORY: a write to a `memory` page was lost, because there was no
 *	memory for the page
 * @BARKEEP_FAULT_WRITE_TIMEOUT: a write to a register whose writes wait did so for
 *	the completion timeout, and went on without
 *
 * A fault that finds the ring full is told when there is room, the last of each; the
 * counters of barkeep_status have them all. An access that timed out without a slot,
 * because BARKEEP_SLOTS others waited, has BARKEEP_NO_SLOT.
 */
enum barkeep_fault {
	BARKEEP_FAULT_READ_TIMEOUT = 1,
	BARKEEP_FAULT_UNDECODABLE,
	BARKEEP_FAULT_LINK,
	BARKEEP_FAULT_MEMORY,
	BARKEEP_FAULT_WRITE_TIMEOUT,
};

/* barkeep_event.slot of an event that waits for nothing */
#define BARKEEP_NO_SLOT		0xffffffffU

/**
 * struct barkeep_event - an entry of the event ring; one cache line
 * @sequence: index of the event plus one; written last, with release order.
 *	An entry is valid for free-running index i, at i & (entries - 1), once
 *	it holds i + 1 (modulo 2^32)
 * @kind: enum barkeep_kind
 * @bar: BAR number, 0 to 5
 * @width: bytes of the access: 1, 2, 4, 8 or 16
 * @offset: byte offset in the BAR, or in config space
 * @value: what was written, or what the kind says
 * @value_high: upper half of a 16-byte access
 * @time: nanoseconds on CLOCK_MONOTONIC
 * @cpu: the driver's CPU
 * @slot: completion slot of a non-posted access, or BARKEEP_NO_SLOT
 * @ticket: number that the completion must carry
 * @reg: the declared register accessed: its index in barkeep_plug.registers plus
 *	one, or 0 for none. offset and width are then the register's, or its
 *	array's element's, whatever part of it was accessed, and value's bytes are
 *	in their places
 * @byte_enables: of an access to a register: bit n is set where byte n of it was
 *	accessed; bytes of value that were not are 0. Else 0
 * @__reserved: zero
 */
struct barkeep_event {
	__u32 sequence;
	__u16 kind;
	__u8 bar;
	__u8 width;
	__aligned_u64 offset;
	__aligned_u64 value;
	__aligned_u64 value_high;
	__aligned_u64 time;
	__u32 cpu;
	__u32 slot;
	__u32 ticket;
	__u32 reg;
	__u32 byte_enables;
	__u32 __reserved;
};

enum barkeep_completion_status {
	BARKEEP_COMPLETION_SUCCESSFUL,
	BARKEEP_COMPLETION_UNSUPPORTED,	/* completes as all-ones */
};

/**
 * struct barkeep_completion - a completion slot; one cache line
 * @value: the value read
 * @value_high: upper half of a 16-byte access
 * @status: enum barkeep_completion_status
 * @ticket: barkeep_event.ticket; written last, with release order
 * @__reserved: ignored
 *
 * The kernel never writes here. A ticket that nobody waits for is ignored.
 */
struct barkeep_completion {
	__aligned_u64 value;
	__aligned_u64 value_high;
	__u32 status;
	__u32 ticket;
	__u32 __reserved[10];
};

/**
 * struct barkeep_control - what the model writes; the kernel only reads it
 * @head: index of the next event to be consumed; entries before it are free
 * @__pad0: ignored; keeps the two words on cache lines of their own
 * @sleeping: not zero while the model is asleep in BARKEEP_WAIT or poll(), or
 *	about to be: whoever publishes an event then wakes it. The model sets
 *	it with sequentially consistent order before it calls either, or hands
 *	the file to epoll with EPOLL_CTL_ADD or EPOLL_CTL_MOD. A look at the ring
 *	by itself, or epoll_wait() alone, may miss an event
 * @__pad1: ignored
 */
struct barkeep_control {
	__u32 head;
	__u32 __pad0[15];
	__u32 sleeping;
	__u32 __pad1[15];
};

/**
 * struct barkeep_status - what only the kernel writes
 * @state: enum barkeep_state
 * @error: negative errno of a plug that failed, else 0
 * @domain: PCI domain of the device
 * @bus: its bus number
 * @devfn: its device number << 3 | its function number
 * @command: Command register
 * @vectors: MSI or MSI-X vectors the driver has enabled, 0 for none
 * @power: PM state, 0 to 3
 * @line: 1 while INTx is asserted by the model
 * @link_down: 1 after BARKEEP_FAULT_LINK
 * @__pad0: zero
 * @sleepers: accesses asleep until a completion or room in the ring, and one more
 *	while writes to watched ranges wait for room; not zero: the model owes a
 *	BARKEEP_WAKE after it completes or consumes
 * @__pad1: zero
 * @timeouts: reads, and writes that wait, whose timeout passed without completion
 * @undecodable: accesses skipped because the instruction is not known
 * @refused_dma: DMA segments refused
 * @__pad2: zero
 * @waiting: per slot, the ticket it waits for, or 0
 */
struct barkeep_status {
	__u32 state;
	__s32 error;
	__u32 domain;
	__u32 bus;
	__u32 devfn;
	__u32 command;
	__u32 vectors;
	__u32 power;
	__u32 line;
	__u32 link_down;
	__u32 __pad0[6];
	__u32 sleepers;
	__u32 __pad1[15];
	__aligned_u64 timeouts;
	__aligned_u64 undecodable;
	__aligned_u64 refused_dma;
	__aligned_u64 __pad2[5];
	__u32 waiting[BARKEEP_SLOTS];
};

#endif
