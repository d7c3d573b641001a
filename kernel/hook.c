// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirection of kernel functions. A hook looks at the function's arguments and,
 * if they are ours, has the call land in a function of ours with the same
 * signature; else the function runs as if nothing were there.
 *
 * The callback runs where the function was called, before its first instruction:
 * any context, so it only looks. PERMANENT has a write of 0 to ftrace_enabled
 * refused instead of silently unhooking a live driver. IPMODIFY makes us the
 * function's only redirector: another one, a live patch, is an error here.
 */
#include <linux/ftrace.h>

#include "map.h"

static void notrace hook_callback(unsigned long ip, unsigned long parent_ip,
				  struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct barkeep_hook *hook = container_of(ops, struct barkeep_hook, ops);
	struct pt_regs *regs = ftrace_get_regs(fregs);

	if (regs && hook->ours(regs))
		regs->ip = (unsigned long)hook->target;
}

static int hook_install(struct barkeep_hook *hook)
{
	int ret;

	hook->ops.func = hook_callback;
	hook->ops.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_IPMODIFY |
			  FTRACE_OPS_FL_PERMANENT;
	ret = ftrace_set_filter(&hook->ops, (unsigned char *)hook->name, strlen(hook->name), 1);
	if (ret)
		goto err;
	ret = register_ftrace_function(&hook->ops);
	if (ret)
		goto err;
	return 0;

err:
	/* The errno alone cannot say which of the functions it is. */
	pr_err("barkeep: %s() cannot be redirected: %d%s\n", hook->name, ret,
	       ret == -EBUSY ? ", something else redirects it" : "");
	ftrace_free_filter(&hook->ops);
	return ret;
}

static void hook_remove(struct barkeep_hook *hook)
{
	unregister_ftrace_function(&hook->ops);
	ftrace_free_filter(&hook->ops);
}

int barkeep_hooks_install(struct barkeep_hook *hooks, unsigned int count)
{
	unsigned int n;
	int ret;

	for (n = 0; n < count; n++) {
		ret = hook_install(&hooks[n]);
		if (ret) {
			barkeep_hooks_remove(hooks, n);
			return ret;
		}
	}
	return 0;
}

void barkeep_hooks_remove(struct barkeep_hook *hooks, unsigned int count)
{
	while (count--)
		hook_remove(&hooks[count]);
}
