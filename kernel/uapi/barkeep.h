/* SPDX-License-Identifier: ((GPL-2.0-only WITH Linux-syscall-note) OR MIT) */
#ifndef _UAPI_BARKEEP_H
#define _UAPI_BARKEEP_H

#include <linux/ioctl.h>
#include <linux/types.h>

#include "barkeep_memory.h"

/**
 * DOC: /dev/barkeep
 *
 * One open file is one PCI function. BARKEEP_PLUG puts it on a bus of its own,
 * BARKEEP_UNPLUG or the last close takes it off again.
 *
 * Every ioctl takes a pointer to a struct that begins with @size, the size of
 * the struct that user space was built with, and @flags. A kernel with a
 * longer struct takes the missing fields as zero; a kernel with a shorter one
 * takes the call if all that it does not know is zero. Errors common to all:
 *
 *  - ENOTTY: no such ioctl
 *  - E2BIG: the struct is longer than the kernel's, and the excess is not zero
 *  - EINVAL: @size is too small for any version, or a field has a value that
 *    no version takes
 *  - EOPNOTSUPP: an unknown flag is set, or a reserved field is not zero
 *  - EFAULT: a pointer cannot be read or written
 *  - ENOMEM: there is no memory for what the call needs
 *  - ENODEV: the file has no device plugged, or, but for BARKEEP_UNPLUG,
 *    BARKEEP_WAIT and BARKEEP_WAKE, it is gone
 *
 * Pointers are checked where they are used: a struct that cannot be written back
 * is EFAULT after the ioctl has done its work.
 *
 * What an ioctl adds to these stands with its struct.
 *
 * The file is opened for reading and writing. It is mapped in pieces, shared, each
 * at its own offset (BARKEEP_MMAP_*) and with its exact size: EINVAL for any other,
 * EPERM for a writable mapping of what only the kernel writes, ENODEV before
 * BARKEEP_PLUG. What a process drops of a mapping with madvise() is SIGBUS there; of
 * a BAR it is mapped again. A page of a BAR takes memory when it is first used.
 *
 * The process that plugs is the model: the device leaves the bus when it ends, or
 * when the last descriptor of the file is closed and nothing of it is mapped.
 *
 * All integers are little-endian, as is every machine this runs on.
 */

/** BARKEEP_ABI - what BARKEEP_INFO reports; changes only incompatibly. */
#define BARKEEP_ABI		1

#define BARKEEP_IOCTL_TYPE	0xB7
#define BARKEEP_CONFIG_SIZE	4096
#define BARKEEP_BARS		6
#define BARKEEP_RING_MIN	256
#define BARKEEP_RING_MAX	65536
#define BARKEEP_REGIONS_MAX	1024
#define BARKEEP_DMA_SEGMENTS_MAX 1024
/* All BARs of one device together, in bytes. */
#define BARKEEP_BAR_BYTES_MAX	(256ULL << 20)
#define BARKEEP_TIMEOUT_MAX_US	(600U * 1000 * 1000)
#define BARKEEP_ANY		0xffffffffU

/**
 * struct barkeep_info - ioctl(BARKEEP_INFO)
 * @size: sizeof(struct barkeep_info)
 * @flags: must be 0
 * @abi: out: BARKEEP_ABI of the module
 * @page_size: out: bytes of a page, the grain of policies
 * @features: out: bits for what this version of the ABI can do beyond its first;
 *	none yet
 *
 * Works on every file, plugged or not.
 */
struct barkeep_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 page_size;
	__aligned_u64 features;
};

#define BARKEEP_INFO		_IO(BARKEEP_IOCTL_TYPE, 0x00)

enum barkeep_bar_flags {
	BARKEEP_BAR_64BIT = 1 << 0,	/* takes the next BAR register too */
	BARKEEP_BAR_PREFETCHABLE = 1 << 1,
};

/**
 * struct barkeep_bar - one memory BAR
 * @bytes: size, a power of two of at least one page; 0 for a BAR that is not
 *	there
 * @flags: enum barkeep_bar_flags
 * @__reserved: must be 0
 */
struct barkeep_bar {
	__aligned_u64 bytes;
	__u32 flags;
	__u32 __reserved;
};

/**
 * enum barkeep_policy - who answers the accesses to a page
 * @BARKEEP_POLICY_TRAP: reads wait for the model, writes are posted to it
 * @BARKEEP_POLICY_SHADOW: reads are answered by the kernel from the backing
 *	memory; writes go there and are posted to the model
 * @BARKEEP_POLICY_MEMORY: nobody; driver and model share the page
 */
enum barkeep_policy {
	BARKEEP_POLICY_TRAP,
	BARKEEP_POLICY_SHADOW,
	BARKEEP_POLICY_MEMORY,
};

/**
 * struct barkeep_region - the policy of some pages of a BAR
 * @offset: first byte, page-aligned
 * @bytes: length, whole pages
 * @bar: BAR number
 * @policy: enum barkeep_policy
 * @flags: must be 0
 * @__reserved: must be 0
 *
 * Pages that no region names are BARKEEP_POLICY_TRAP.
 */
struct barkeep_region {
	__aligned_u64 offset;
	__aligned_u64 bytes;
	__u32 bar;
	__u32 policy;
	__u32 flags;
	__u32 __reserved[3];
};

/* Declarations of registers; elements of all their arrays together. */
#define BARKEEP_REGISTERS_MAX	4096
#define BARKEEP_ELEMENTS_MAX	65536

/**
 * enum barkeep_register_flags - what the model hears of accesses
 * @BARKEEP_REGISTER_TELL_READ: a read that the kernel answers is an event
 * @BARKEEP_REGISTER_TELL_WRITE: a write is an event
 * @BARKEEP_REGISTER_WAIT_READ: a read waits for the model, which answers it
 * @BARKEEP_REGISTER_WAIT_WRITE: a write waits until the model has handled it
 * @BARKEEP_REGISTER_EXACT: an access of any other width or offset than its own is
 *	treated as if nothing were declared there
 */
enum barkeep_register_flags {
	BARKEEP_REGISTER_TELL_READ = 1 << 0,
	BARKEEP_REGISTER_TELL_WRITE = 1 << 1,
	BARKEEP_REGISTER_WAIT_READ = 1 << 2,
	BARKEEP_REGISTER_WAIT_WRITE = 1 << 3,
	BARKEEP_REGISTER_EXACT = 1 << 4,
};

/**
 * struct barkeep_register - a register, or an array of them, that the kernel answers
 * @offset: of the (first) register, a multiple of @width, in a page that traps
 * @reset: value after plug and after each reset of the function
 * @readable: bits that read as the register holds them; others read as in @reset
 * @write: bits that take what is written
 * @write_one_clear: bits that are cleared by writing 1
 * @write_one_set: bits that are set by writing 1
 * @write_zero_clear: bits that are cleared by writing 0
 * @read_clear: bits that a read clears
 * @read_set: bits that a read sets
 * @bar: BAR number
 * @width: bytes: 1, 2, 4 or 8
 * @count: registers in the array; 1 for a single one
 * @stride: bytes from one to the next, a multiple of @width, not 0; 0 for a single one
 * @flags: enum barkeep_register_flags
 * @__reserved: must be 0
 *
 * A bit is in at most one of the four masks of writes, and in at most one of the
 * two of reads; neither a mask nor @reset has a bit above @width. Registers do not
 * overlap. The value is in the BAR's backing memory, where the model reads and,
 * atomically, writes it.
 *
 * An access applies to the bytes that it touches, as byte enables have it; one that
 * touches several registers, or bytes of none, is done part by part, in ascending
 * order. An undeclared part is what it is on a page without registers, in naturally
 * aligned pieces where it is not all of the access.
 *
 * With BARKEEP_REGISTER_WAIT_READ a read gives what the model answers, whatever the
 * masks, and changes nothing. A write changes the value before the model hears of it.
 */
struct barkeep_register {
	__aligned_u64 offset;
	__aligned_u64 reset;
	__aligned_u64 readable;
	__aligned_u64 write;
	__aligned_u64 write_one_clear;
	__aligned_u64 write_one_set;
	__aligned_u64 write_zero_clear;
	__aligned_u64 read_clear;
	__aligned_u64 read_set;
	__u32 bar;
	__u32 width;
	__u32 count;
	__u32 stride;
	__u32 flags;
	__u32 __reserved[3];
};

/* Debug registers of an x86 CPU, for all that uses them. */
#define BARKEEP_WATCHES_MAX	4

/**
 * struct barkeep_watch - writes to memory that raise an event
 * @offset: of what is watched, a multiple of @width, in a `memory` page
 * @bar: BAR number
 * @width: bytes: 1, 2, 4 or 8
 * @__reserved: must be 0
 *
 * The write itself runs as any store to memory; then BARKEEP_EVENT_WRITE tells of
 * it, with the range's offset and width, and its value at that time: several
 * writes may come to be seen as the last of them, each with an event of its own. A
 * write to any byte of a range is one to the range; to several ranges, an event for
 * each that the CPU reports: a real one all, an emulated one perhaps the first. A
 * string instruction raises at least one event after its last write to the
 * range, and as many as the CPU cares to report. Ranges do not overlap.
 *
 * The events are in the order of the CPU's writes, and before those of its later
 * accesses that trap. With a full ring the write does not wait: it is counted, and its
 * event comes when there is room, before any other, in the order of the ranges. The
 * model's own writes raise none, and neither do those of an NMI, and those to a
 * function that does not decode memory.
 */
struct barkeep_watch {
	__aligned_u64 offset;
	__u32 bar;
	__u32 width;
	__u32 __reserved[4];
};

enum barkeep_plug_flags {
	/*
	 * Hand out physical addresses for DMA, as on a machine without an
	 * IOMMU, instead of addresses of the device's own.
	 */
	BARKEEP_PLUG_DMA_DIRECT = 1 << 0,
};

/**
 * struct barkeep_plug - ioctl(BARKEEP_PLUG)
 * @size: sizeof(struct barkeep_plug)
 * @flags: enum barkeep_plug_flags
 * @config: config space image, BARKEEP_CONFIG_SIZE bytes: a type 0 header and
 *	its capabilities. The BAR and Expansion ROM registers must be 0; the
 *	kernel fills in the former
 * @write_mask: same size: bits that the host can write
 * @clear_mask: same size: bits that the host clears by writing 1
 * @notify: BARKEEP_CONFIG_SIZE / 32 bytes: one bit per dword, set where a
 *	write raises BARKEEP_EVENT_CONFIG
 * @bars: array of BARKEEP_BARS struct barkeep_bar
 * @regions: array of @region_count struct barkeep_region
 * @region_count: at most BARKEEP_REGIONS_MAX
 * @ring_entries: events the ring holds, a power of two from BARKEEP_RING_MIN to
 *	BARKEEP_RING_MAX
 * @timeout_us: completion timeout in microseconds, 1 to
 *	BARKEEP_TIMEOUT_MAX_US
 * @domain: in: PCI domain to use, or BARKEEP_ANY for the lowest free one from
 *	0x0100; out: the one taken
 * @registers: array of @register_count struct barkeep_register
 * @watches: array of @watch_count struct barkeep_watch
 * @register_count: at most BARKEEP_REGISTERS_MAX
 * @watch_count: at most BARKEEP_WATCHES_MAX
 *
 * Returns once all that can fail for want of resources is done; the bus is
 * scanned and the driver probed while the model already answers:
 * BARKEEP_EVENT_PLUGGED, or BARKEEP_EVENT_UNPLUGGED with
 * barkeep_status.error, ends that.
 *
 * EBUSY: this file has had a device, or the domain is taken. ENOSPC: no
 * address space, or no domain, is free. EUSERS: no debug register is free for a
 * watch. EINVAL: also an image whose Vendor ID is 0x0000, 0x0001 or 0xffff, whose
 * header type is not 0, whose capability list leaves it or runs in a circle, or
 * that has an MSI-X, Enhanced Allocation, SR-IOV or DOE capability; BARs that
 * overlap or have impossible sizes, regions outside their BAR or not on page
 * boundaries; registers that are too many, overlap, leave their BAR, are in a page
 * that does not trap, or are not as struct barkeep_register has them; watches that
 * overlap or are not in `memory` pages. EIO, as barkeep_status.error: the host
 * found other BARs than these.
 */
struct barkeep_plug {
	__u32 size;
	__u32 flags;
	__aligned_u64 config;
	__aligned_u64 write_mask;
	__aligned_u64 clear_mask;
	__aligned_u64 notify;
	__aligned_u64 bars;
	__aligned_u64 regions;
	__u32 region_count;
	__u32 ring_entries;
	__u32 timeout_us;
	__u32 domain;
	__aligned_u64 registers;
	__aligned_u64 watches;
	__u32 register_count;
	__u32 watch_count;
};

#define BARKEEP_PLUG		_IO(BARKEEP_IOCTL_TYPE, 0x01)

enum barkeep_unplug_flags {
	/* As a card pulled from its slot: all-ones from now on. */
	BARKEEP_UNPLUG_SURPRISE = 1 << 0,
};

/**
 * struct barkeep_unplug - ioctl(BARKEEP_UNPLUG)
 * @size: sizeof(struct barkeep_unplug)
 * @flags: enum barkeep_unplug_flags
 *
 * Begins the unplug and returns; the driver's remove() still accesses the
 * device, so the model goes on until BARKEEP_EVENT_UNPLUGGED. Again is no
 * error.
 */
struct barkeep_unplug {
	__u32 size;
	__u32 flags;
};

#define BARKEEP_UNPLUG		_IO(BARKEEP_IOCTL_TYPE, 0x02)

/**
 * struct barkeep_wait - ioctl(BARKEEP_WAIT)
 * @size: sizeof(struct barkeep_wait)
 * @flags: must be 0
 * @timeout_ns: at most so long; 0 looks only
 *
 * Sleeps until barkeep_control.head is not the index of the next event, or the device
 * is gone: there is an event, or will be in a moment. ETIMEDOUT: neither; EINTR: a
 * signal came. The file polls readable under the same condition.
 */
struct barkeep_wait {
	__u32 size;
	__u32 flags;
	__aligned_u64 timeout_ns;
};

#define BARKEEP_WAIT		_IO(BARKEEP_IOCTL_TYPE, 0x03)

/**
 * struct barkeep_wake - ioctl(BARKEEP_WAKE)
 * @size: sizeof(struct barkeep_wake)
 * @flags: must be 0
 *
 * Has accesses that sleep (barkeep_status.sleepers) look again, those that wait for
 * room once a quarter of the ring is free, and waiters in BARKEEP_WAIT too. This,
 * BARKEEP_WAIT and poll() also deliver state changes that found the ring full: a
 * model that has emptied a full ring calls one of them.
 */
struct barkeep_wake {
	__u32 size;
	__u32 flags;
};

#define BARKEEP_WAKE		_IO(BARKEEP_IOCTL_TYPE, 0x04)

enum barkeep_irq_operation {
	BARKEEP_IRQ_RAISE,	/* a message: MSI vector */
	BARKEEP_IRQ_ASSERT,	/* INTx, a level */
	BARKEEP_IRQ_DEASSERT,
};

/**
 * struct barkeep_irq - ioctl(BARKEEP_IRQ)
 * @size: sizeof(struct barkeep_irq)
 * @flags: must be 0
 * @operation: enum barkeep_irq_operation
 * @vector: for BARKEEP_IRQ_RAISE: 0 up to the number of vectors; else 0
 *
 * A masked vector is set pending and delivered when it is unmasked. As in
 * hardware, messages of one vector that have not reached its CPU yet are one.
 *
 * ERANGE: the device has no such vector (or no interrupt pin). EAGAIN: the
 * driver has not enabled it. EACCES: bus mastering is off.
 */
struct barkeep_irq {
	__u32 size;
	__u32 flags;
	__u32 operation;
	__u32 vector;
};

#define BARKEEP_IRQ		_IO(BARKEEP_IOCTL_TYPE, 0x05)

enum barkeep_config_flags {
	BARKEEP_CONFIG_WRITE = 1 << 0,
};

/**
 * struct barkeep_config - ioctl(BARKEEP_CONFIG)
 * @size: sizeof(struct barkeep_config)
 * @flags: enum barkeep_config_flags; without: read
 * @offset: first byte
 * @length: bytes; offset + length at most BARKEEP_CONFIG_SIZE
 * @buffer: the bytes
 *
 * The model's own view of config space: masks do not apply. Command, Status,
 * the BARs, Interrupt Line, the MSI capability, PM's Control/Status and PCIe's
 * Device Control and Link Control, 1 and 2, belong to the host; Vendor ID, Device
 * ID, Header Type, Interrupt Pin, the capability pointer, the ID and next pointer
 * of every capability, and PM's and PCIe's capability registers up to Device
 * Control to the kernel. EPERM for a write that would change one.
 */
struct barkeep_config {
	__u32 size;
	__u32 flags;
	__u32 offset;
	__u32 length;
	__aligned_u64 buffer;
};

#define BARKEEP_CONFIG		_IO(BARKEEP_IOCTL_TYPE, 0x06)

enum barkeep_dma_operation {
	BARKEEP_DMA_READ,	/* the device reads host memory */
	BARKEEP_DMA_WRITE,	/* the device writes host memory */
};

/**
 * struct barkeep_dma_segment - one copy
 * @address: bus address, as the driver gave it to the device
 * @buffer: the model's memory
 * @length: bytes
 * @operation: enum barkeep_dma_operation
 * @__reserved: must be 0
 */
struct barkeep_dma_segment {
	__aligned_u64 address;
	__aligned_u64 buffer;
	__aligned_u64 length;
	__u32 operation;
	__u32 __reserved;
};

/**
 * enum barkeep_dma_reason - why a segment was refused
 * @BARKEEP_DMA_UNMAPPED: the driver has not mapped this address
 * @BARKEEP_DMA_PAST_END: it begins in a mapping and runs past its end
 * @BARKEEP_DMA_DIRECTION: mapped, but not for this direction
 * @BARKEEP_DMA_STALE: lies in the mapping that was removed last
 * @BARKEEP_DMA_NO_MASTER: bus mastering is off
 */
enum barkeep_dma_reason {
	BARKEEP_DMA_UNMAPPED = 1,
	BARKEEP_DMA_PAST_END,
	BARKEEP_DMA_DIRECTION,
	BARKEEP_DMA_STALE,
	BARKEEP_DMA_NO_MASTER,
};

/* barkeep_dma.nearest_direction: as enum dma_data_direction */

/**
 * struct barkeep_dma - ioctl(BARKEEP_DMA)
 * @size: sizeof(struct barkeep_dma)
 * @flags: must be 0
 * @segments: array of struct barkeep_dma_segment, copied in their order
 * @count: at most BARKEEP_DMA_SEGMENTS_MAX
 * @done: out: segments copied whole; also on error
 * @reason: out: with EACCES, enum barkeep_dma_reason
 * @nearest_direction: out: with EACCES, direction of the nearest mapping: 0
 *	both, 1 the device reads, 2 the device writes
 * @address: out: with EACCES, the first address refused
 * @nearest_address: out: with EACCES, start of the nearest mapping
 * @nearest_length: out: with EACCES, its length; 0 if nothing is mapped
 *
 * EACCES: segment number @done was refused; none of it was copied, unless the
 * driver unmapped it or turned bus mastering off in the middle. EFAULT: a
 * model's buffer of it could not be accessed, or memory that the driver gave up
 * although it is mapped; it may have been copied in part. Where both are wrong
 * it is EACCES. EINTR: a signal came between two segments.
 *
 * Up to 64 bytes, and the last cache line of any segment that the device
 * writes, move in naturally aligned units of up to 8 bytes, in ascending order.
 * Segments are visible to the driver in their order.
 */
struct barkeep_dma {
	__u32 size;
	__u32 flags;
	__aligned_u64 segments;
	__u32 count;
	__u32 done;
	__u32 reason;
	__u32 nearest_direction;
	__aligned_u64 address;
	__aligned_u64 nearest_address;
	__aligned_u64 nearest_length;
};

#define BARKEEP_DMA		_IO(BARKEEP_IOCTL_TYPE, 0x07)

#endif
