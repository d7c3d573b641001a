// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an instruction pointer to a decoded instruction. Drivers access their
 * devices with a handful of instructions, so each CPU remembers the last few with
 * their bytes; what was remembered is only believed while the bytes are the same.
 *
 * Interrupts are off. An NMI has nothing to do with what is remembered.
 */
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/uaccess.h>
#include <asm/text-patching.h>

#include "decode.h"
#include "emulate.h"

#define FETCH_BITS	4

/* The longest instruction and a byte, to be compared at once. */
union fetch_bytes {
	u8 byte[16];
	u64 half[2];
};

struct fetch_entry {
	union fetch_bytes bytes;
	struct barkeep_instruction insn;
};

static DEFINE_PER_CPU(struct fetch_entry[1 << FETCH_BITS], fetch_entries);

/* Whether the bytes at @ip are those that @entry is of. */
static __always_inline bool fetch_is_same(const struct fetch_entry *entry, unsigned long ip)
{
	u64 low, high;

	__get_kernel_nofault(&low, (void *)ip, u64, fault);
	__get_kernel_nofault(&high, (void *)(ip + sizeof(low)), u64, fault);
	return entry->bytes.half[0] == low && entry->bytes.half[1] == high;
fault:
	return false;
}

/* How many bytes there are at @ip: not all, where nothing is behind its page. */
static unsigned int fetch_read(unsigned long ip, union fetch_bytes *bytes)
{
	unsigned int count = PAGE_SIZE - offset_in_page(ip);

	if (!copy_from_kernel_nofault(bytes, (void *)ip, sizeof(*bytes)))
		return sizeof(*bytes);
	if (count < sizeof(*bytes) && !copy_from_kernel_nofault(bytes, (void *)ip, count))
		return count;
	return 0;
}

/*
 * Per-CPU data and the like are no place for a BAR; pt_regs has no base. It has no XMM
 * registers either, and what the kernel's own code has in them nobody else can tell.
 */
static bool fetch_refuses(const struct barkeep_instruction *insn)
{
	return insn->segment != BARKEEP_SEGMENT_FLAT ||
	       insn->operation == BARKEEP_OP_VECTOR_LOAD ||
	       insn->operation == BARKEEP_OP_VECTOR_STORE;
}

static bool fetch_decode(const union fetch_bytes *bytes, unsigned int count,
			 struct barkeep_instruction *insn)
{
	if (barkeep_decode(bytes->byte, count, insn))
		return false;
	if (fetch_refuses(insn)) {
		if (insn->operation != BARKEEP_OP_LOAD)
			insn->register_width = 0;
		insn->operation = BARKEEP_OP_NONE;
	}
	/* A probe was put on the instruction that faulted; kprobes must see to it. */
	return bytes->byte[0] != INT3_INSN_OPCODE;
}

static noinline bool fetch_anew(struct fetch_entry *entry, unsigned long ip,
				struct barkeep_instruction *insn)
{
	union fetch_bytes bytes = {};
	unsigned int count = fetch_read(ip, &bytes);

	if (!fetch_decode(&bytes, count, insn))
		return false;
	if (count == sizeof(bytes) && !in_nmi())
		*entry = (struct fetch_entry){ bytes, *insn };
	return true;
}

/* False where there is no instruction that anything can be done with. */
bool barkeep_fetch(unsigned long ip, struct barkeep_instruction *insn)
{
	struct fetch_entry *entry = this_cpu_ptr(&fetch_entries[hash_long(ip, FETCH_BITS)]);

	/* One that nothing was put into is not of zeros: its length is 0. */
	if (unlikely(in_nmi() || !entry->insn.length || !fetch_is_same(entry, ip)))
		return fetch_anew(entry, ip, insn);
	*insn = entry->insn;
	return true;
}
