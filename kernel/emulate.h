/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The instruction that faulted: where it came from, what it means, who does it.
 */
#ifndef _BARKEEP_EMULATE_H
#define _BARKEEP_EMULATE_H

#include "access.h"
#include "map.h"

struct barkeep_emulation;

/**
 * struct barkeep_emulation_ops - what addresses outside the mapping lead to
 * @find: a BAR by way of another mapping: a move from BAR to BAR; else false
 * @load: from memory that is no BAR; false where it cannot be. 1, 2, 4 or 8 bytes
 *	within a page, as for @store
 * @store: to it
 * @writable: whether @store can be expected to succeed there; asked of what does not
 *	begin in the mapping, before the load of what is to be stored
 * @segment_base: of BARKEEP_SEGMENT_FS or BARKEEP_SEGMENT_GS
 *
 * Called in the context of barkeep_emulate().
 */
struct barkeep_emulation_ops {
	bool (*find)(struct barkeep_emulation *emulation, unsigned long address,
		     struct barkeep_target *target);
	bool (*load)(struct barkeep_emulation *emulation, unsigned long address,
		     unsigned int width, u64 *value);
	bool (*store)(struct barkeep_emulation *emulation, unsigned long address,
		      unsigned int width, u64 value);
	bool (*writable)(struct barkeep_emulation *emulation, unsigned long address,
			 unsigned long bytes);
	unsigned long (*segment_base)(unsigned int segment);
};

/**
 * struct barkeep_emulation - an access in progress
 * @regs: of the instruction
 * @address: that it faulted at
 * @extent: that @address is in, by value: it may be undone meanwhile. Addresses are
 *	those of the instruction, of the kernel or of user space
 * @read_only: @extent is
 * @patience: what it may wait
 * @ops: for all that is not in @extent
 *
 * Who fills it in holds a reference to the device of @extent, or has interrupts off.
 */
struct barkeep_emulation {
	struct pt_regs *regs;
	unsigned long address;
	struct barkeep_extent extent;
	bool read_only;
	struct barkeep_patience *patience;
	const struct barkeep_emulation_ops *ops;
};

/*
 * emulate.c: an instruction whose operand is in a mapping of a BAR. False where other
 * memory could not be accessed. barkeep_tell_undecodable() says so of one that is none.
 */
struct barkeep_instruction;
bool barkeep_emulate(struct barkeep_emulation *emulation, const struct barkeep_instruction *insn);
void barkeep_tell_undecodable(const struct barkeep_emulation *emulation, unsigned int width);

/* fetch.c: the instruction at an address; interrupts off */
bool barkeep_fetch(unsigned long ip, struct barkeep_instruction *insn);

/* xmm.c: XMM registers that the current task has in user space; not in atomic context */
void barkeep_xmm_read(unsigned int number, struct barkeep_wide *value);
void barkeep_xmm_write(unsigned int number, const struct barkeep_wide *value);

/* fault.c: the page fault that an access is */
int barkeep_fault_init(void);
void barkeep_fault_exit(void);

/* user_fault.c: an instruction of user space */
vm_fault_t barkeep_user_fault(struct vm_fault *fault, const struct barkeep_extent *extent);

#endif
