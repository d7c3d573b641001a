// SPDX-License-Identifier: GPL-2.0-only
/* A load and a store of a BAR by instructions that have a kprobe each. */
#include <linux/io.h>
#include <linux/kprobes.h>
#include <linux/objtool.h>

#include "exerciser.h"

/* Where they are: labels, so each is to be there once. */
extern u8 exerciser_probed_load[], exerciser_probed_store[];

static noinline __noclone u32 probe_load(const void __iomem *at)
{
	u32 value;

	asm volatile("exerciser_probed_load:\n\t"
		     ANNOTATE_NOENDBR
		     "movl %1, %0"
		     : "=r" (value)
		     : "m" (*(const u32 __force *)at));
	return value;
}

static noinline __noclone void probe_store(void __iomem *at, u32 value)
{
	asm volatile("exerciser_probed_store:\n\t"
		     ANNOTATE_NOENDBR
		     "movl %1, %0"
		     : "=m" (*(u32 __force *)at)
		     : "r" (value));
}

static unsigned int probes_before, probes_behind;

static int probe_before(struct kprobe *probe, struct pt_regs *regs)
{
	probes_before++;
	return 0;
}

/* With it, the probe is neither a jump nor has it one behind its copy. */
static void probe_behind(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
	probes_behind++;
}

int exerciser_probed(struct exerciser *exerciser, const u64 *arguments, char *answer)
{
	struct kprobe on_load = {
		.addr = exerciser_probed_load,
		.pre_handler = probe_before,
		.post_handler = arguments[2] ? probe_behind : NULL,
	};
	struct kprobe on_store = on_load;
	struct kprobe *probes[] = { &on_load, &on_store };
	void __iomem *at;
	u32 value;
	int ret = exerciser_at(exerciser, arguments, 4, &at);

	if (ret)
		return ret;
	on_store.addr = exerciser_probed_store;
	ret = register_kprobes(probes, ARRAY_SIZE(probes));
	if (ret)
		return ret;
	probes_before = 0;
	probes_behind = 0;
	value = probe_load(at);
	probe_store(at, value + 1);
	unregister_kprobes(probes, ARRAY_SIZE(probes));
	sprintf(answer, "%#x %u %u", value, probes_before, probes_behind);
	return 0;
}
