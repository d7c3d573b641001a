// SPDX-License-Identifier: GPL-2.0-only
/* Commands of instructions that no driver accesses a BAR with, though the CPU would. */
#include <linux/io.h>

#include "exerciser.h"

int exerciser_multiply(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	u32 value = arguments[2];
	void __iomem *at;
	int ret = exerciser_at(exerciser, arguments, 4, &at);

	if (ret)
		return ret;
	asm volatile("imull %1, %0"
		     : "+r" (value)
		     : "m" (*(const u32 __force *)at)
		     : "cc");
	sprintf(answer, "%#x", value);
	return 0;
}

int exerciser_shift(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	void __iomem *at;
	int ret = exerciser_at(exerciser, arguments, 4, &at);

	if (!ret)
		asm volatile("shll $1, %0" : "+m" (*(u32 __force *)at) : : "cc");
	return ret;
}
