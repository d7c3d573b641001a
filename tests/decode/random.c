// SPDX-License-Identifier: MIT
#include <string.h>
#include "harness.h"

static u64 state;

void random_seed(u64 seed)
{
	state = seed;
}

/* SplitMix64 */
u64 random_bits(void)
{
	u64 bits = state += 0x9e3779b97f4a7c15;

	bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9;
	bits = (bits ^ bits >> 27) * 0x94d049bb133111eb;
	return bits ^ bits >> 31;
}

unsigned int random_below(unsigned int limit)
{
	return (random_bits() >> 32) % limit;
}

/*
 * Fifteen bytes that begin like an instruction: an opcode of a map, each as often
 * as another, after up to three prefixes, now and then up to fifteen. @number
 * counts through the opcodes of all maps.
 */
void random_instruction(unsigned int number, u8 *bytes)
{
	static const u8 prefixes[] = {
		0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x66, 0x66, 0x67, 0x67, 0x67, 0xf2, 0xf3,
	};
	enum { ONE_BYTE, MAP_0F, MAP_0F38, MAP_0F3A, VEX2, VEX3, EVEX };
	/* The denser a map, the more of its instructions mean something. */
	static const u8 kinds[] = {
		ONE_BYTE, ONE_BYTE, ONE_BYTE, ONE_BYTE, ONE_BYTE, MAP_0F, MAP_0F, MAP_0F, MAP_0F,
		MAP_0F38, MAP_0F3A, VEX2, VEX3, VEX3, EVEX, EVEX,
	};
	u8 kind = kinds[number >> 8 & 15];
	u8 row[40];
	unsigned int at = 0, count, i;
	u8 unused_register;

	for (i = 0; i < sizeof(row); i++)
		row[i] = random_bits() >> 32;

	count = random_below(50) ? random_below(4) : random_below(16);
	while (at < count)
		row[at++] = prefixes[random_below(sizeof(prefixes))];
	if (!random_below(8))
		row[at++] = 0xf0;
	if (random_below(2))
		row[at++] = 0x40 | random_below(16);

	/* VEX and EVEX are valid without other prefixes only. */
	if (kind >= VEX2 && random_below(8))
		at = 0;
	unused_register = random_below(2) ? 0x78 : 0;

	switch (kind) {
	case ONE_BYTE:
		break;
	case MAP_0F:
		row[at++] = 0x0f;
		break;
	case MAP_0F38:
	case MAP_0F3A:
		row[at++] = 0x0f;
		row[at++] = kind == MAP_0F38 ? 0x38 : 0x3a;
		break;
	case VEX2:
		row[at++] = 0xc5;
		row[at++] |= unused_register;
		break;
	case VEX3:
		row[at++] = 0xc4;
		row[at] = (row[at] & 0xe0) | (1 + random_below(3));
		row[++at] |= unused_register;
		at++;
		break;
	case EVEX:
		row[at++] = 0x62;
		row[at] = (row[at] & 0xf0) | (1 + random_below(6));
		row[++at] |= 4 | unused_register;
		row[++at] |= unused_register >> 3 & 8;
		at++;
		break;
	}
	row[at] = number;
	memcpy(bytes, row, BARKEEP_INSTRUCTION_MAX);
}
