/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Integers of some bytes within wider ones.
 */
#ifndef _BARKEEP_DECODE_BITS_H
#define _BARKEEP_DECODE_BITS_H

#include "decode.h"

/* Of 1 to 8 bytes. */
static inline u64 mask_of(unsigned int bytes)
{
	return ~0ULL >> (64 - 8 * bytes);
}

static inline s64 sign_extend(u64 value, unsigned int bytes)
{
	unsigned int unused = 64 - 8 * bytes;

	return (s64)(value << unused) >> unused;
}

#endif
