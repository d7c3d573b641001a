// SPDX-License-Identifier: MIT
/*
 * Runs code with every register as told and catches the exception that ends it.
 * While it runs, the stack pointer and the base of FS are the code's: the signal
 * handler has a stack of its own and touches no thread-local storage, which lies
 * behind FS.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include "harness.h"

extern const char native_exit[];
void native_enter(struct pt_regs *regs, const u64 (*vectors)[2]);

/* pt_regs ends with what IRET pops. */
__asm__(".globl native_enter\n"
	"native_enter:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	movdqu 0(%rsi), %xmm0\n"
	"	movdqu 16(%rsi), %xmm1\n"
	"	movdqu 32(%rsi), %xmm2\n"
	"	movdqu 48(%rsi), %xmm3\n"
	"	movdqu 64(%rsi), %xmm4\n"
	"	movdqu 80(%rsi), %xmm5\n"
	"	movdqu 96(%rsi), %xmm6\n"
	"	movdqu 112(%rsi), %xmm7\n"
	"	movdqu 128(%rsi), %xmm8\n"
	"	movdqu 144(%rsi), %xmm9\n"
	"	movdqu 160(%rsi), %xmm10\n"
	"	movdqu 176(%rsi), %xmm11\n"
	"	movdqu 192(%rsi), %xmm12\n"
	"	movdqu 208(%rsi), %xmm13\n"
	"	movdqu 224(%rsi), %xmm14\n"
	"	movdqu 240(%rsi), %xmm15\n"
	"	mov %rsp, native_stack(%rip)\n"
	"	mov %rdi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	pop %r11\n"
	"	pop %r10\n"
	"	pop %r9\n"
	"	pop %r8\n"
	"	pop %rax\n"
	"	pop %rcx\n"
	"	pop %rdx\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"	add $8, %rsp\n"
	"	iretq\n"
	".globl native_exit\n"
	"native_exit:\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n");

u64 native_stack;
static struct native *running;
static u64 selectors;	/* ours, as the signal frame has them */
static u64 fs_base, gs_base;

/* The C library's wrapper would use errno, which is behind FS. */
static void arch_prctl(int operation, u64 value)
{
	long result = SYS_arch_prctl;

	__asm__ volatile("syscall"
			 : "+a"(result)
			 : "D"((long)operation), "S"(value)
			 : "rcx", "r11", "memory");
}

static void caught(int number, siginfo_t *info, void *data)
{
	greg_t *gregs = ((ucontext_t *)data)->uc_mcontext.gregs;
	struct native *native = running;

	(void)info;
	if (!native) {
		/* Our own fault: let it end the program. */
		signal(number, SIG_DFL);
		return;
	}
	native->regs = (struct pt_regs){
		.r15 = gregs[REG_R15], .r14 = gregs[REG_R14], .r13 = gregs[REG_R13],
		.r12 = gregs[REG_R12], .r11 = gregs[REG_R11], .r10 = gregs[REG_R10],
		.r9 = gregs[REG_R9], .r8 = gregs[REG_R8], .bp = gregs[REG_RBP],
		.bx = gregs[REG_RBX], .ax = gregs[REG_RAX], .cx = gregs[REG_RCX],
		.dx = gregs[REG_RDX], .si = gregs[REG_RSI], .di = gregs[REG_RDI],
		.ip = gregs[REG_RIP], .sp = gregs[REG_RSP], .flags = gregs[REG_EFL],
	};
	memcpy(native->vectors, ((ucontext_t *)data)->uc_mcontext.fpregs->_xmm,
	       sizeof(native->vectors));
	native->trap = gregs[REG_TRAPNO];
	native->error = gregs[REG_ERR];
	native->address = gregs[REG_CR2];

	gregs[REG_RIP] = (greg_t)native_exit;
	gregs[REG_RSP] = native_stack;
	gregs[REG_EFL] = 0x202;
	gregs[REG_CSGSFS] = selectors;
}

static void probe(int number, siginfo_t *info, void *data)
{
	(void)number;
	(void)info;
	selectors = ((ucontext_t *)data)->uc_mcontext.gregs[REG_CSGSFS];
}

void native_init(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t stack = { .ss_size = 65536 };
	unsigned int i;

	stack.ss_sp = malloc(stack.ss_size);
	sigaltstack(&stack, NULL);
	sigfillset(&action.sa_mask);

	action.sa_sigaction = probe;
	sigaction(SIGTRAP, &action, NULL);
	raise(SIGTRAP);

	action.sa_sigaction = caught;
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
	arch_prctl(ARCH_GET_FS, (u64)&fs_base);
	arch_prctl(ARCH_GET_GS, (u64)&gs_base);
}

void native_run(struct native *native)
{
	struct pt_regs regs = native->regs;

	regs.cs = selectors & 0xffff;
	regs.ss = selectors >> 48;
	running = native;
	arch_prctl(ARCH_SET_FS, native->fs_base);
	arch_prctl(ARCH_SET_GS, native->gs_base);
	native_enter(&regs, (const u64 (*)[2])native->vectors);
	arch_prctl(ARCH_SET_GS, gs_base);
	arch_prctl(ARCH_SET_FS, fs_base);
	running = NULL;
}
