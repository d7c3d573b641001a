/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the accessors share; accessors_main.c says what they are. */
#ifndef _ACCESSORS_H
#define _ACCESSORS_H

#include <linux/types.h>

/* Each accessor has so much of the BAR to itself, and may answer so much. */
#define ACCESSOR_BYTES	64

/**
 * struct accessor - a way to access a BAR
 * @name: how it is shown
 * @run: does it, to what is at @at; what it reads goes into @answer. Returns how many
 *	bytes of that it used
 */
struct accessor {
	const char *name;
	unsigned int (*run)(void __iomem *at, void *answer);
};

/* accessors_io.c: of linux/io.h; accessors_asm.c: instructions */
extern const struct accessor accessors_io[];
extern const unsigned int accessors_io_count;
extern const struct accessor accessors_asm[];
extern const unsigned int accessors_asm_count;

#endif
