// SPDX-License-Identifier: GPL-2.0-only
/*
 * XMM registers of the current task, as it left them in user space. They are still in
 * the CPU unless TIF_NEED_FPU_LOAD is set: then something else has used it meanwhile,
 * and they are in memory until the task returns to user space.
 */
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>

#include "emulate.h"

static void xmm_from_cpu(unsigned int number, struct barkeep_wide *value)
{
	switch (number) {
	case 0:
		asm volatile("movdqu %%xmm0, %0" : "=m" (*value));
		break;
	case 1:
		asm volatile("movdqu %%xmm1, %0" : "=m" (*value));
		break;
	case 2:
		asm volatile("movdqu %%xmm2, %0" : "=m" (*value));
		break;
	case 3:
		asm volatile("movdqu %%xmm3, %0" : "=m" (*value));
		break;
	case 4:
		asm volatile("movdqu %%xmm4, %0" : "=m" (*value));
		break;
	case 5:
		asm volatile("movdqu %%xmm5, %0" : "=m" (*value));
		break;
	case 6:
		asm volatile("movdqu %%xmm6, %0" : "=m" (*value));
		break;
	case 7:
		asm volatile("movdqu %%xmm7, %0" : "=m" (*value));
		break;
	case 8:
		asm volatile("movdqu %%xmm8, %0" : "=m" (*value));
		break;
	case 9:
		asm volatile("movdqu %%xmm9, %0" : "=m" (*value));
		break;
	case 10:
		asm volatile("movdqu %%xmm10, %0" : "=m" (*value));
		break;
	case 11:
		asm volatile("movdqu %%xmm11, %0" : "=m" (*value));
		break;
	case 12:
		asm volatile("movdqu %%xmm12, %0" : "=m" (*value));
		break;
	case 13:
		asm volatile("movdqu %%xmm13, %0" : "=m" (*value));
		break;
	case 14:
		asm volatile("movdqu %%xmm14, %0" : "=m" (*value));
		break;
	case 15:
		asm volatile("movdqu %%xmm15, %0" : "=m" (*value));
		break;
	}
}

static void xmm_to_cpu(unsigned int number, const struct barkeep_wide *value)
{
	switch (number) {
	case 0:
		asm volatile("movdqu %0, %%xmm0" : : "m" (*value));
		break;
	case 1:
		asm volatile("movdqu %0, %%xmm1" : : "m" (*value));
		break;
	case 2:
		asm volatile("movdqu %0, %%xmm2" : : "m" (*value));
		break;
	case 3:
		asm volatile("movdqu %0, %%xmm3" : : "m" (*value));
		break;
	case 4:
		asm volatile("movdqu %0, %%xmm4" : : "m" (*value));
		break;
	case 5:
		asm volatile("movdqu %0, %%xmm5" : : "m" (*value));
		break;
	case 6:
		asm volatile("movdqu %0, %%xmm6" : : "m" (*value));
		break;
	case 7:
		asm volatile("movdqu %0, %%xmm7" : : "m" (*value));
		break;
	case 8:
		asm volatile("movdqu %0, %%xmm8" : : "m" (*value));
		break;
	case 9:
		asm volatile("movdqu %0, %%xmm9" : : "m" (*value));
		break;
	case 10:
		asm volatile("movdqu %0, %%xmm10" : : "m" (*value));
		break;
	case 11:
		asm volatile("movdqu %0, %%xmm11" : : "m" (*value));
		break;
	case 12:
		asm volatile("movdqu %0, %%xmm12" : : "m" (*value));
		break;
	case 13:
		asm volatile("movdqu %0, %%xmm13" : : "m" (*value));
		break;
	case 14:
		asm volatile("movdqu %0, %%xmm14" : : "m" (*value));
		break;
	case 15:
		asm volatile("movdqu %0, %%xmm15" : : "m" (*value));
		break;
	}
}

/* What is saved leaves out what is in its initial state, which is 0. */
static bool xmm_saved(const union fpregs_state *state)
{
	return !boot_cpu_has(X86_FEATURE_XSAVE) ||
	       state->xsave.header.xfeatures & XFEATURE_MASK_SSE;
}

static void xmm_from_memory(unsigned int number, struct barkeep_wide *value)
{
	const union fpregs_state *state = &current->thread.fpu.fpstate->regs;

	memset(value, 0, sizeof(*value));
	if (xmm_saved(state))
		memcpy(value, &state->fxsave.xmm_space[4 * number], sizeof(*value));
}

static void xmm_to_memory(unsigned int number, const struct barkeep_wide *value)
{
	struct fpu *fpu = &current->thread.fpu;
	union fpregs_state *state = &fpu->fpstate->regs;

	if (!xmm_saved(state)) {
		memset(state->fxsave.xmm_space, 0, sizeof(state->fxsave.xmm_space));
		/* In this format it is part of what was left out. */
		if (state->xsave.header.xcomp_bv & XCOMP_BV_COMPACTED_FORMAT)
			state->fxsave.mxcsr = MXCSR_DEFAULT;
		state->xsave.header.xfeatures |= XFEATURE_MASK_SSE;
	}
	memcpy(&state->fxsave.xmm_space[4 * number], value, sizeof(*value));
	/* What this or another CPU may still have of it is no longer true. */
	fpu->last_cpu = -1;
}

void barkeep_xmm_read(unsigned int number, struct barkeep_wide *value)
{
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		xmm_from_memory(number, value);
	else
		xmm_from_cpu(number, value);
	fpregs_unlock();
}

void barkeep_xmm_write(unsigned int number, const struct barkeep_wide *value)
{
	fpregs_lock();
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		xmm_to_memory(number, value);
	else
		xmm_to_cpu(number, value);
	fpregs_unlock();
}
