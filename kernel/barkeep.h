/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the module share: the device, its parts, and the calls between
 * them. Each part is a struct of its own, owned by the file named with it; no other
 * file touches its fields except as said there.
 *
 * Contexts, for all that follows. An access comes from wherever a driver does MMIO:
 * process, softirq, hardirq, with or without locks, interrupts on or off. Config space
 * is accessed with interrupts off, under a raw spinlock of the PCI core. DMA is mapped
 * and unmapped in any of these too. ioctls sleep. Nothing on the way of an access
 * allocates, but for the first touch of a page of shared memory, and no lock is held
 * across a wait for user space.
 */
#ifndef _BARKEEP_H
#define _BARKEEP_H

#include <linux/dma-direction.h>
#include <linux/hrtimer.h>
#include <linux/interval_tree.h>
#include <linux/iova.h>
#include <linux/irq_work.h>
#include <linux/irqdomain.h>
#include <linux/kref.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/rbtree.h>
#include <linux/rbtree_latch.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "uapi/barkeep.h"

#define BARKEEP_VECTORS_MAX	32	/* what MSI can have */
#define BARKEEP_FAULTS	(BARKEEP_FAULT_WRITE_TIMEOUT + 1)	/* the last of its enum */

/**
 * struct barkeep_config_space - config.c
 * @lock: protects all of it, and what irq.c has; innermost but for none,
 *	interrupts off
 * @image: what the host reads; irq.c sets MSI Pending and Status.Interrupt
 * @initial: what a reset restores
 * @write_mask: bits that the host can write
 * @clear_mask: bits that the host clears by writing 1
 * @notify: dwords whose writes raise an event
 * @headers: dwords that begin a capability; their ID and next pointer stay
 * @dirty: those of @notify written, their event not yet in the ring; atomic
 * @pm: offset of the PM capability, or 0
 * @pcie: offset of the PCI Express capability, or 0
 * @msi: offset of the MSI capability, or 0
 * @dead: reads are all-ones, writes have no effect, for good
 * @hidden: memory decode cannot be turned on yet
 * @decoding: memory decode is on, power state is D0, device is not dead; read
 *	without the lock on every access
 * @mastering: bus mastering is on, in D0 and not dead; read without the lock
 */
struct barkeep_config_space {
	raw_spinlock_t lock;
	u8 image[BARKEEP_CONFIG_SIZE] __aligned(8);
	u8 initial[BARKEEP_CONFIG_SIZE];
	u8 write_mask[BARKEEP_CONFIG_SIZE];
	u8 clear_mask[BARKEEP_CONFIG_SIZE];
	unsigned long notify[BITS_TO_LONGS(BARKEEP_CONFIG_SIZE / 4)];
	unsigned long headers[BITS_TO_LONGS(BARKEEP_CONFIG_SIZE / 4)];
	unsigned long dirty[BITS_TO_LONGS(BARKEEP_CONFIG_SIZE / 4)];
	u16 pm;
	u16 pcie;
	u16 msi;
	bool dead;
	bool hidden;
	bool decoding;
	bool mastering;
};

/**
 * struct barkeep_bar_memory - bar.c
 * @dev: the device
 * @bytes: size, 0 if the BAR is not there
 * @flags: enum barkeep_bar_flags
 * @number: BAR number
 * @pages: the backing, zeroed, one per page of @bytes; NULL until it is needed, and
 *	to be had by barkeep_bar_page()
 * @policy: enum barkeep_policy of each page, or BARKEEP_POLICY_REGISTERS
 * @pulled: `memory` pages read as all-ones, those that are backed from now on as well
 * @registers: by page, where its registers are; NULL if the BAR has none
 * @declared: barkeep_registers.declared
 * @register_shift: the unit of barkeep_register_page.numbers, as a power of two
 * @whole: the one mapping that all of the driver's are part of, if it has watches
 *
 * All but @pages and @pulled fixed while the device is visible, and has references.
 */
struct barkeep_bar_memory {
	struct barkeep_device *dev;
	u64 bytes;
	u32 flags;
	unsigned int number;
	struct page **pages;
	u8 *policy;
	bool pulled;
	struct barkeep_register_page *registers;
	const struct barkeep_register *declared;
	u8 register_shift;
	struct barkeep_mapping *whole;
};

/* What is `trap` for the model, in a page with declared registers. */
#define BARKEEP_POLICY_REGISTERS	(BARKEEP_POLICY_MEMORY + 1)

/* Added to a register's flags: a read is nothing but that, a write is no event. */
#define BARKEEP_REGISTER_PLAIN_READ	BIT(30)
#define BARKEEP_REGISTER_PLAIN_WRITE	BIT(31)

/**
 * struct barkeep_register_page - register_table.c
 * @memory: the backing
 * @numbers: by unit of the page, index of a register plus one, or 0; NULL if it has none
 */
struct barkeep_register_page {
	u64 *memory;
	u16 *numbers;
};

/**
 * struct barkeep_registers - register_table.c
 * @declared: what plug was given, BARKEEP_REGISTER_PLAIN_* added
 * @count: of them
 *
 * Fixed before the device is visible, until its last reference is gone.
 */
struct barkeep_registers {
	struct barkeep_register *declared;
	u32 count;
};

/**
 * struct barkeep_ring - of ring.c
 * @entries: the ring, mapped read-only by the model
 * @size: entries in it, a power of two
 * @control: the model's page; read once, never trusted
 * @tail: next index to be reserved
 * @head: last valid head seen in @control; only moves forward, never past @tail
 * @notices: bits of enum barkeep_notice that wait for room
 * @reset: enum barkeep_reset of BARKEEP_NOTICE_RESET
 * @faults: last fault of each kind that found no room; kind 0: there is none
 * @fault_lock: protects @faults; interrupts off
 * @kicks: per CPU, what has it wake those that sleep
 * @kick_cpu: the one that was asked last; first where the model went to sleep
 * @readable: model asleep in BARKEEP_WAIT or poll()
 * @settled: accesses asleep until a completion, or for a slot
 * @room: accesses asleep for room
 */
struct barkeep_ring {
	struct barkeep_event *entries;
	u32 size;
	struct barkeep_control *control;
	atomic_t tail ____cacheline_aligned_in_smp;
	atomic_t head ____cacheline_aligned_in_smp;
	unsigned long notices;
	u32 reset;
	struct barkeep_event faults[BARKEEP_FAULTS];
	raw_spinlock_t fault_lock;	/* see above */
	struct barkeep_kick __percpu *kicks;
	unsigned int kick_cpu;
	wait_queue_head_t readable;
	wait_queue_head_t settled;
	wait_queue_head_t room;
};

/**
 * struct barkeep_slots - completion.c
 * @busy: bit per slot
 * @completions: the model's page; read once, never trusted
 * @ticket: last ticket of each slot; only its holder touches it
 * @wanted: accesses that wait for a slot
 */
struct barkeep_slots {
	unsigned long busy[BITS_TO_LONGS(BARKEEP_SLOTS)];
	struct barkeep_completion *completions;
	u32 ticket[BARKEEP_SLOTS];
	atomic_t wanted;
};

/**
 * struct barkeep_vector - irq_vector.c: one MSI vector, or INTx
 * @later: sends it in a while; what is sent before goes with it; under config.lock
 * @local: brings it to this CPU
 * @remote: brings it to another
 * @travelling: how many of these two are on their way
 * @dev: the device
 * @irq: Linux interrupt number, or 0 while none is allocated
 * @cpu: the one it is affine to
 * @started: a driver has requested it; until then it is pending
 */
struct barkeep_vector {
	struct hrtimer later;
	struct irq_work local;
	call_single_data_t remote;
	atomic_t travelling;
	struct barkeep_device *dev;
	unsigned int irq;
	unsigned int cpu;
	bool started;
};

/**
 * struct barkeep_irqs - irq.c
 * @msi_fwnode: names @msi_domain
 * @msi_domain: of this device's host bridge; bus.c gives it to the root bus
 * @intx_fwnode: names @intx_domain
 * @intx_domain: its one line
 * @line: asserted by the model
 * @intx_masked: by the interrupt core
 * @intx: the line's way to a CPU
 * @pending: MSI vectors raised and not yet sent, whether a register shows it or not
 * @model_cpu: where the model last raised an interrupt
 * @model_cpus: those that its threads ran on, then
 * @vectors: MSI
 */
struct barkeep_irqs {
	struct fwnode_handle *msi_fwnode;
	struct irq_domain *msi_domain;
	struct fwnode_handle *intx_fwnode;
	struct irq_domain *intx_domain;
	bool line;
	bool intx_masked;
	struct barkeep_vector intx;
	u32 pending;
	unsigned int model_cpu;
	struct cpumask model_cpus;
	struct barkeep_vector vectors[BARKEEP_VECTORS_MAX];
};

/**
 * struct barkeep_dma_space - dma.c
 * @lock: protects all of it, and barkeep_status.refused_dma; interrupts off. A
 *	copy has it for reading while it touches the driver's memory
 * @mappings: all that the driver has mapped, by bus address
 * @iova: where addresses come from, unless @direct
 * @direct: bus addresses are physical addresses
 * @ready: barkeep_dma_init() has been through
 * @pieces: of copies, that move bytes now
 * @last_address: start of the mapping removed last
 * @last_length: its length
 */
struct barkeep_dma_space {
	rwlock_t lock;
	struct rb_root_cached mappings;
	struct iova_domain iova;
	bool direct;
	bool ready;
	atomic_t pieces;
	u64 last_address;
	u64 last_length;
};

/**
 * struct barkeep_watched - watch.c: a watched range
 * @bar: that it is in
 * @offset: where, a multiple of @width
 * @width: bytes: 1, 2, 4 or 8
 * @address: where the driver's mappings have it
 * @waiting: writes without room in the ring so far
 * @events: its debug register on each CPU
 * @node: among all that CPUs watch
 * @armed: @node is in that list
 */
struct barkeep_watched {
	struct barkeep_bar_memory *bar;
	u64 offset;
	unsigned int width;
	unsigned long address;
	atomic64_t waiting;
	struct perf_event * __percpu *events;
	struct hlist_node node;
	bool armed;
};

/**
 * struct barkeep_watches - watch.c
 * @watch: all of the device, fixed before it is visible
 * @count: how many
 * @waiting: all of their @waiting; while not 0, one of barkeep_status.sleepers
 * @lock: one CPU at a time delivers those; interrupts off
 * @deliver: looks for room, from #DB
 */
struct barkeep_watches {
	struct barkeep_watched watch[BARKEEP_WATCHES_MAX];
	unsigned int count;
	atomic64_t waiting;
	raw_spinlock_t lock;
	struct irq_work deliver;
};

/*
 * State changes that the model is told. They come from contexts that cannot wait
 * for room in the ring, so each is a bit that stays set until there is room, and
 * the event carries the state of that moment.
 */
enum barkeep_notice {
	BARKEEP_NOTICE_COMMAND,
	BARKEEP_NOTICE_POWER,
	BARKEEP_NOTICE_RESET,
	BARKEEP_NOTICE_VECTOR,
	BARKEEP_NOTICE_CONFIG,		/* barkeep_config_space.dirty says where */
	BARKEEP_NOTICE_FAULT,		/* barkeep_ring.faults says which */
	BARKEEP_NOTICE_PLUGGED,
	BARKEEP_NOTICE_UNPLUGGED,
	BARKEEP_NOTICE_COUNT
};

/**
 * struct barkeep_window - window.c: physical address space
 * @resource: of the machine's memory space; its flags are 0 while there is none
 * @node: among all windows
 * @dev: the device
 */
struct barkeep_window {
	struct resource resource;
	struct latch_tree_node node;
	struct barkeep_device *dev;
};

/**
 * struct barkeep_device - one function, device.c
 * @refs: file, root bus, mappings, interrupts, accesses that wait long
 * @lock: protects the state and @unplug; never held across a wait
 * @status: kernel-written page; @status->state is protected by @lock
 * @dead: as if pulled from its slot: all waits end, all reads are all-ones
 * @timeout_ns: completion timeout
 * @unresponsive: the last wait timed out, so the next ones are short
 * @unresponsive_head: until the model's head is no longer this
 * @mm: of the process that plugged, whose end is the model's
 * @notifier: on @mm
 * @ready: all parts are there, BARKEEP_PLUG has succeeded; release order
 * @unplug: wanted
 * @bus_work: scans the bus and lets the driver probe, later the reverse; what is
 *	to be done it sees from the state and @unplug. Owns a reference while
 *	queued
 * @destroy_work: the last reference can go in any context, destruction sleeps
 * @bus: root bus, while plugged; only @bus_work touches it
 * @held: no driver may bind to the function that is found now; protected by the
 *	PCI core's rescan lock
 * @sysdata: x86 wants this behind pci_bus.sysdata
 * @windows: address space, [0] below 4 GiB, [1] above
 * @busn: the one bus number
 */
struct barkeep_device {
	struct kref refs;
	struct mutex lock;	/* see above */
	struct barkeep_status *status;
	bool dead;
	u64 timeout_ns;
	bool unresponsive;
	u32 unresponsive_head;
	struct mm_struct *mm;
	struct mmu_notifier notifier;
	bool ready;
	bool unplug;
	struct work_struct bus_work;
	struct work_struct destroy_work;
	struct pci_bus *bus;
	bool held;
	struct pci_sysdata sysdata;
	struct barkeep_window windows[2];
	struct resource busn;
	struct barkeep_config_space config;
	struct barkeep_bar_memory bars[BARKEEP_BARS];
	struct barkeep_registers registers;
	struct barkeep_ring ring;
	struct barkeep_slots slots;
	struct barkeep_irqs irqs;
	struct barkeep_dma_space dma;
	struct barkeep_watches watches;
};

static inline struct barkeep_device *barkeep_from_pci(struct pci_bus *bus)
{
	return container_of((struct pci_sysdata *)bus->sysdata, struct barkeep_device, sysdata);
}

/* The life of a device. */
int barkeep_devices_init(void);
void barkeep_devices_exit(void);
struct barkeep_device *barkeep_device_create(void);
void barkeep_device_get(struct barkeep_device *dev);
void barkeep_device_put(struct barkeep_device *dev);
int barkeep_device_plug(struct barkeep_device *dev, struct barkeep_plug *plug);
void barkeep_device_unplug(struct barkeep_device *dev, bool surprise);
void barkeep_device_close(struct barkeep_device *dev);

/* A counter on the status page, where user space may read it at any time. */
static inline void barkeep_count(u64 *counter)
{
	atomic64_inc((atomic64_t *)counter);
}

/* window.c: physical address space with nothing behind it */
int barkeep_window_reserve(struct barkeep_device *dev);
void barkeep_window_release(struct barkeep_device *dev);
bool barkeep_window_contains(phys_addr_t address, size_t bytes);
struct barkeep_bar_memory *barkeep_window_find(phys_addr_t address, size_t bytes, u64 *offset);

/* bar.c: backing memory and policies; barkeep_bar_page() gives a page its backing */
struct page *barkeep_bar_page(struct barkeep_bar_memory *bar, unsigned long n, gfp_t gfp);
int barkeep_bars_init(struct barkeep_device *dev, const struct barkeep_plug *plug);
void barkeep_bars_destroy(struct barkeep_device *dev);
void barkeep_bars_kill(struct barkeep_device *dev);

/* config_image.c: what config space may hold */
int barkeep_config_init(struct barkeep_device *dev, const struct barkeep_plug *plug);

/*
 * config.c: config space. The host side is what pci_ops call; it may be under a
 * raw spinlock with interrupts off. barkeep_config_bar() is the address that BAR
 * register @number holds now, 0 while it holds none.
 */
u32 barkeep_config_read(struct barkeep_device *dev, unsigned int offset, unsigned int width);
void barkeep_config_write(struct barkeep_device *dev, unsigned int offset, unsigned int width,
			  u32 value);
u64 barkeep_config_bar(struct barkeep_device *dev, unsigned int number);
void barkeep_config_kill(struct barkeep_device *dev);
void barkeep_config_hide(struct barkeep_device *dev, bool hidden);
long barkeep_config_ioctl(struct barkeep_device *dev, struct barkeep_config *arg);

/* bus.c: domain, root bus, the function on it; the last two from a work */
int barkeep_bus_init(void);
void barkeep_bus_exit(void);
int barkeep_bus_reserve(struct barkeep_device *dev, u32 domain);
void barkeep_bus_release(struct barkeep_device *dev);
int barkeep_bus_plug(struct barkeep_device *dev);
void barkeep_bus_unplug(struct barkeep_device *dev);

/*
 * irq.c: MSI and INTx. barkeep_irq_attach() is called when the function has been
 * found, before a driver can be. The four below it are for config.c, which holds
 * config.lock: vectors that the driver has enabled; what is pending into the
 * capability; after a reset; after anything that may let an interrupt through.
 */
int barkeep_irq_init(struct barkeep_device *dev);
void barkeep_irq_destroy(struct barkeep_device *dev);
void barkeep_irq_attach(struct barkeep_device *dev, struct pci_dev *pdev);
unsigned int barkeep_irq_enabled(struct barkeep_device *dev);
void barkeep_irq_show_pending(struct barkeep_device *dev);
void barkeep_irq_reset(struct barkeep_device *dev);
void barkeep_irq_update(struct barkeep_device *dev);
long barkeep_irq_ioctl(struct barkeep_device *dev, struct barkeep_irq *arg);

/* dma.c: what the driver mapped; dma_copy.c: copies to and from it */
int barkeep_dma_init(struct barkeep_device *dev, bool direct);
void barkeep_dma_destroy(struct barkeep_device *dev);
void barkeep_dma_attach(struct barkeep_device *dev, struct pci_dev *pdev);
void barkeep_dma_detach(struct barkeep_device *dev, struct pci_dev *pdev);
void barkeep_dma_settle(struct barkeep_device *dev);
long barkeep_dma_ioctl(struct barkeep_device *dev, struct barkeep_dma *arg);

/*
 * ring.c: events, without @sequence, @time and @cpu. barkeep_ring_try() does not wait
 * and is false when there is no room, but for a fault, which is kept for later. Nor does
 * barkeep_ring_offer() wait, which leaves the room that notices need, and may be called
 * in #DB. barkeep_notice() is for any context but NMI.
 */
int barkeep_ring_init(struct barkeep_device *dev, u32 entries);
void barkeep_ring_kick(struct barkeep_device *dev);
void barkeep_ring_wake(struct barkeep_device *dev);
void barkeep_ring_destroy(struct barkeep_device *dev);
bool barkeep_ring_try(struct barkeep_device *dev, const struct barkeep_event *event);
bool barkeep_ring_offer(struct barkeep_device *dev, const struct barkeep_event *event);
void barkeep_notice(struct barkeep_device *dev, enum barkeep_notice notice);
void barkeep_ring_flush(struct barkeep_device *dev);
bool barkeep_ring_readable(struct barkeep_device *dev);
long barkeep_ring_wait(struct barkeep_device *dev, struct barkeep_wait *arg);

/* register_table.c: declared registers; register.c: accesses to pages that have some */
int barkeep_registers_init(struct barkeep_device *dev, const struct barkeep_plug *plug);
void barkeep_registers_destroy(struct barkeep_device *dev);
void barkeep_registers_reset(struct barkeep_device *dev);

/* watch.c: watched ranges of memory */
int barkeep_watches_init(void);
void barkeep_watches_exit(void);
int barkeep_watch_init(struct barkeep_device *dev, const struct barkeep_plug *plug);
void barkeep_watch_stop(struct barkeep_device *dev);
void barkeep_watch_destroy(struct barkeep_device *dev);
bool barkeep_watch_flush(struct barkeep_device *dev);
bool barkeep_watch_covers(const struct barkeep_bar_memory *bar, u64 offset, u64 bytes);

/* mmap.c: the model's mappings of the device file */
int barkeep_mmap(struct barkeep_device *dev, struct vm_area_struct *vma);

#endif
