// SPDX-License-Identifier: MIT
/*
 * SSE moves of user space: each form on a mapped BAR. All sixteen XMM registers and MXCSR
 * are compared after each; ends with status 0 and a count, or with the first that is wrong.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct registers {
	uint8_t xmm[16][16];
	uint32_t mxcsr;
} __attribute__((aligned(16)));

struct move {
	const char *name;
	void (*run)(uint8_t *at, const struct registers *before, struct registers *after);
	unsigned int number;
	unsigned int width;
	int load;
};

#define LOAD_ALL \
	"ldmxcsr 256(%rsi)\n\t" \
	"movdqa 0(%rsi), %xmm0\n\t" \
	"movdqa 16(%rsi), %xmm1\n\t" \
	"movdqa 32(%rsi), %xmm2\n\t" \
	"movdqa 48(%rsi), %xmm3\n\t" \
	"movdqa 64(%rsi), %xmm4\n\t" \
	"movdqa 80(%rsi), %xmm5\n\t" \
	"movdqa 96(%rsi), %xmm6\n\t" \
	"movdqa 112(%rsi), %xmm7\n\t" \
	"movdqa 128(%rsi), %xmm8\n\t" \
	"movdqa 144(%rsi), %xmm9\n\t" \
	"movdqa 160(%rsi), %xmm10\n\t" \
	"movdqa 176(%rsi), %xmm11\n\t" \
	"movdqa 192(%rsi), %xmm12\n\t" \
	"movdqa 208(%rsi), %xmm13\n\t" \
	"movdqa 224(%rsi), %xmm14\n\t" \
	"movdqa 240(%rsi), %xmm15\n\t"

#define STORE_ALL \
	"\n\tstmxcsr 256(%rdx)" \
	"\n\tmovdqa %xmm0, 0(%rdx)" \
	"\n\tmovdqa %xmm1, 16(%rdx)" \
	"\n\tmovdqa %xmm2, 32(%rdx)" \
	"\n\tmovdqa %xmm3, 48(%rdx)" \
	"\n\tmovdqa %xmm4, 64(%rdx)" \
	"\n\tmovdqa %xmm5, 80(%rdx)" \
	"\n\tmovdqa %xmm6, 96(%rdx)" \
	"\n\tmovdqa %xmm7, 112(%rdx)" \
	"\n\tmovdqa %xmm8, 128(%rdx)" \
	"\n\tmovdqa %xmm9, 144(%rdx)" \
	"\n\tmovdqa %xmm10, 160(%rdx)" \
	"\n\tmovdqa %xmm11, 176(%rdx)" \
	"\n\tmovdqa %xmm12, 192(%rdx)" \
	"\n\tmovdqa %xmm13, 208(%rdx)" \
	"\n\tmovdqa %xmm14, 224(%rdx)" \
	"\n\tmovdqa %xmm15, 240(%rdx)"

/* Nothing of the compiler's is between the three parts. */
#define FORM(name, instruction) \
	void name(uint8_t *at, const struct registers *before, struct registers *after); \
	__asm__(".text\n" #name ":\n\t" LOAD_ALL instruction STORE_ALL "\n\tret\n")

FORM(form_0, "movdqu (%rdi), %xmm0");
FORM(form_1, "movdqu (%rdi), %xmm1");
FORM(form_2, "movdqu (%rdi), %xmm2");
FORM(form_3, "movdqu (%rdi), %xmm3");
FORM(form_4, "movdqu (%rdi), %xmm4");
FORM(form_5, "movdqu (%rdi), %xmm5");
FORM(form_6, "movdqu (%rdi), %xmm6");
FORM(form_7, "movdqu (%rdi), %xmm7");
FORM(form_8, "movdqu (%rdi), %xmm8");
FORM(form_9, "movdqu (%rdi), %xmm9");
FORM(form_10, "movdqu (%rdi), %xmm10");
FORM(form_11, "movdqu (%rdi), %xmm11");
FORM(form_12, "movdqu (%rdi), %xmm12");
FORM(form_13, "movdqu (%rdi), %xmm13");
FORM(form_14, "movdqu (%rdi), %xmm14");
FORM(form_15, "movdqu (%rdi), %xmm15");
FORM(form_16, "movaps (%rdi), %xmm3");
FORM(form_17, "movdqa (%rdi), %xmm10");
FORM(form_18, "movupd (%rdi), %xmm14");
FORM(form_19, "lddqu (%rdi), %xmm2");
FORM(form_20, "movd (%rdi), %xmm9");
FORM(form_21, "movq (%rdi), %xmm12");
FORM(form_22, "movss (%rdi), %xmm1");
FORM(form_23, "movsd (%rdi), %xmm15");
FORM(form_24, "movdqu %xmm0, (%rdi)");
FORM(form_25, "movdqu %xmm1, (%rdi)");
FORM(form_26, "movdqu %xmm2, (%rdi)");
FORM(form_27, "movdqu %xmm3, (%rdi)");
FORM(form_28, "movdqu %xmm4, (%rdi)");
FORM(form_29, "movdqu %xmm5, (%rdi)");
FORM(form_30, "movdqu %xmm6, (%rdi)");
FORM(form_31, "movdqu %xmm7, (%rdi)");
FORM(form_32, "movdqu %xmm8, (%rdi)");
FORM(form_33, "movdqu %xmm9, (%rdi)");
FORM(form_34, "movdqu %xmm10, (%rdi)");
FORM(form_35, "movdqu %xmm11, (%rdi)");
FORM(form_36, "movdqu %xmm12, (%rdi)");
FORM(form_37, "movdqu %xmm13, (%rdi)");
FORM(form_38, "movdqu %xmm14, (%rdi)");
FORM(form_39, "movdqu %xmm15, (%rdi)");
FORM(form_40, "movaps %xmm4, (%rdi)");
FORM(form_41, "movdqa %xmm11, (%rdi)");
FORM(form_42, "movntdq %xmm8, (%rdi)");
FORM(form_43, "movntps %xmm5, (%rdi)");
FORM(form_44, "movd %xmm9, (%rdi)");
FORM(form_45, "movq %xmm13, (%rdi)");
FORM(form_46, "movss %xmm0, (%rdi)");
FORM(form_47, "movsd %xmm7, (%rdi)");

static const struct move moves[] = {
	{ "movdqu (%rdi), %xmm0", form_0, 0, 16, 1 },
	{ "movdqu (%rdi), %xmm1", form_1, 1, 16, 1 },
	{ "movdqu (%rdi), %xmm2", form_2, 2, 16, 1 },
	{ "movdqu (%rdi), %xmm3", form_3, 3, 16, 1 },
	{ "movdqu (%rdi), %xmm4", form_4, 4, 16, 1 },
	{ "movdqu (%rdi), %xmm5", form_5, 5, 16, 1 },
	{ "movdqu (%rdi), %xmm6", form_6, 6, 16, 1 },
	{ "movdqu (%rdi), %xmm7", form_7, 7, 16, 1 },
	{ "movdqu (%rdi), %xmm8", form_8, 8, 16, 1 },
	{ "movdqu (%rdi), %xmm9", form_9, 9, 16, 1 },
	{ "movdqu (%rdi), %xmm10", form_10, 10, 16, 1 },
	{ "movdqu (%rdi), %xmm11", form_11, 11, 16, 1 },
	{ "movdqu (%rdi), %xmm12", form_12, 12, 16, 1 },
	{ "movdqu (%rdi), %xmm13", form_13, 13, 16, 1 },
	{ "movdqu (%rdi), %xmm14", form_14, 14, 16, 1 },
	{ "movdqu (%rdi), %xmm15", form_15, 15, 16, 1 },
	{ "movaps (%rdi), %xmm3", form_16, 3, 16, 1 },
	{ "movdqa (%rdi), %xmm10", form_17, 10, 16, 1 },
	{ "movupd (%rdi), %xmm14", form_18, 14, 16, 1 },
	{ "lddqu (%rdi), %xmm2", form_19, 2, 16, 1 },
	{ "movd (%rdi), %xmm9", form_20, 9, 4, 1 },
	{ "movq (%rdi), %xmm12", form_21, 12, 8, 1 },
	{ "movss (%rdi), %xmm1", form_22, 1, 4, 1 },
	{ "movsd (%rdi), %xmm15", form_23, 15, 8, 1 },
	{ "movdqu %xmm0, (%rdi)", form_24, 0, 16, 0 },
	{ "movdqu %xmm1, (%rdi)", form_25, 1, 16, 0 },
	{ "movdqu %xmm2, (%rdi)", form_26, 2, 16, 0 },
	{ "movdqu %xmm3, (%rdi)", form_27, 3, 16, 0 },
	{ "movdqu %xmm4, (%rdi)", form_28, 4, 16, 0 },
	{ "movdqu %xmm5, (%rdi)", form_29, 5, 16, 0 },
	{ "movdqu %xmm6, (%rdi)", form_30, 6, 16, 0 },
	{ "movdqu %xmm7, (%rdi)", form_31, 7, 16, 0 },
	{ "movdqu %xmm8, (%rdi)", form_32, 8, 16, 0 },
	{ "movdqu %xmm9, (%rdi)", form_33, 9, 16, 0 },
	{ "movdqu %xmm10, (%rdi)", form_34, 10, 16, 0 },
	{ "movdqu %xmm11, (%rdi)", form_35, 11, 16, 0 },
	{ "movdqu %xmm12, (%rdi)", form_36, 12, 16, 0 },
	{ "movdqu %xmm13, (%rdi)", form_37, 13, 16, 0 },
	{ "movdqu %xmm14, (%rdi)", form_38, 14, 16, 0 },
	{ "movdqu %xmm15, (%rdi)", form_39, 15, 16, 0 },
	{ "movaps %xmm4, (%rdi)", form_40, 4, 16, 0 },
	{ "movdqa %xmm11, (%rdi)", form_41, 11, 16, 0 },
	{ "movntdq %xmm8, (%rdi)", form_42, 8, 16, 0 },
	{ "movntps %xmm5, (%rdi)", form_43, 5, 16, 0 },
	{ "movd %xmm9, (%rdi)", form_44, 9, 4, 0 },
	{ "movq %xmm13, (%rdi)", form_45, 13, 8, 0 },
	{ "movss %xmm0, (%rdi)", form_46, 0, 4, 0 },
	{ "movsd %xmm7, (%rdi)", form_47, 7, 8, 0 },
};

/* In the low bytes the number of the register; else what differs from case to case. */
static void fill(struct registers *registers, unsigned int seed)
{
	unsigned int i, n;

	for (i = 0; i < 16; i++)
		for (n = 0; n < 16; n++)
			registers->xmm[i][n] = seed ? seed * 31 + i * 16 + n : 0;
	/* Flush to zero, and another rounding: not what a new task has. */
	registers->mxcsr = seed ? 0xbf80 : 0x1f80;
}

/* What is wrong, or NULL. */
static const char *check(const struct move *move, uint8_t *at, unsigned int seed)
{
	static struct registers before, after;
	uint64_t memory[2];

	fill(&before, seed);
	memset(&after, 0xee, sizeof(after));
	memory[0] = ((volatile uint64_t *)at)[0];
	memory[1] = ((volatile uint64_t *)at)[1];
	move->run(at, &before, &after);
	if (move->load) {
		memset(before.xmm[move->number], 0, 16);
		memcpy(before.xmm[move->number], memory, move->width);
	} else {
		memcpy(memory, before.xmm[move->number], move->width);
	}
	if (memcmp(before.xmm, after.xmm, sizeof(before.xmm)))
		return "registers";
	if (before.mxcsr != after.mxcsr)
		return "MXCSR";
	if (((volatile uint64_t *)at)[0] != memory[0])
		return "low half of memory";
	return ((volatile uint64_t *)at)[1] == memory[1] ? NULL : "high half of memory";
}

int main(int argc, char **argv)
{
	unsigned int count = 0, seed, n;
	uint8_t *at;
	int file;

	if (argc != 2)
		return 2;
	file = open(argv[1], O_RDWR);
	at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (file < 0 || at == MAP_FAILED) {
		perror(argv[1]);
		return 2;
	}
	/* 0 last: what is in its initial state need not be saved. */
	for (seed = 3; seed-- > 0;) {
		for (n = 0; n < sizeof(moves) / sizeof(*moves); n++, count++) {
			const char *wrong = check(&moves[n], at + 16 * (n % 16), seed);

			if (wrong) {
				printf("%s, round %u: %s\n", moves[n].name, seed, wrong);
				return 1;
			}
		}
	}
	printf("%u right\n", count);
	return 0;
}
