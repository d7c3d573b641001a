// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that compilers and assembly use on memory, applied to a BAR. Each answers
 * the two registers that it may change, and the flags that it defines.
 */
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/processor-flags.h>

#include "accessors.h"

#define FLAGS_BIT	X86_EFLAGS_CF
#define FLAGS_LOGIC	(X86_EFLAGS_CF | X86_EFLAGS_PF | X86_EFLAGS_ZF | X86_EFLAGS_SF | \
			 X86_EFLAGS_OF)
#define FLAGS_ALL	(FLAGS_LOGIC | X86_EFLAGS_AF)

struct asm_answer {
	u64 value;
	u64 accumulator;
	u64 flags;
};

/* In both registers. As a bit's number of 16 or 32 bits it leads 8 bytes on. */
#define ASM_VALUE	0x8182838400000045
#define BIT_NUMBER	0x45

/* All flags but CF are clear before, or as XOR leaves them. */
#define INSTRUCTION(name, instruction, defined, first, second) \
static unsigned int do_##name(void __iomem *at, void *answer) \
{ \
	u64 *memory = (u64 __force *)(at + 8); \
	struct asm_answer result = { .value = (first), .accumulator = (second) }; \
	asm volatile("xorl %k[flags], %k[flags]\n\t" \
		     "stc\n\t" \
		     instruction "\n\t" \
		     "pushfq\n\t" \
		     "popq %[flags]" \
		     : [memory] "+m" (*memory), [value] "+&r" (result.value), \
		       "+&a" (result.accumulator), [flags] "=&r" (result.flags) \
		     : : "cc", "memory"); \
	result.flags &= (defined); \
	memcpy(answer, &result, sizeof(result)); \
	return sizeof(result); \
}

/* A string instruction: rDI and rSI, whichever of them is in the BAR, and a count. */
#define STRING(name, instruction, to, from, answers) \
static unsigned int do_##name(void __iomem *at, void *answer) \
{ \
	const void *source = (const void __force *)(from); \
	void *destination = (void __force *)(to); \
	unsigned long count = 5; \
	asm volatile(instruction \
		     : "+D" (destination), "+S" (source), "+c" (count) \
		     : "a" (ASM_VALUE) \
		     : "cc", "memory"); \
	return answers; \
}

INSTRUCTION(lock_addb_value_memory, "lock addb %b[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_addw_value_memory, "lock addw %w[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_addl_value_memory, "lock addl %k[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_addq_value_memory, "lock addq %q[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_orb_value_memory, "lock orb %b[value], %[memory]",
	    FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_orl_value_memory, "lock orl %k[value], %[memory]",
	    FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_andw_value_memory, "lock andw %w[value], %[memory]",
	    FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_andl_value_memory, "lock andl %k[value], %[memory]",
	    FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_xorl_value_memory, "lock xorl %k[value], %[memory]",
	    FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_xorq_value_memory, "lock xorq %q[value], %[memory]",
	    FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_subw_value_memory, "lock subw %w[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_subq_value_memory, "lock subq %q[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_adcl_value_memory, "lock adcl %k[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_adcq_value_memory, "lock adcq %q[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_sbbb_value_memory, "lock sbbb %b[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_sbbl_value_memory, "lock sbbl %k[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_addb_1_memory, "lock addb $1, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_addq_minus_1_memory, "lock addq $-1, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_subl_305419896_memory, "lock subl $305419896, %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_adcw_32767_memory, "lock adcw $32767, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_orl_128_memory, "lock orl $128, %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_andw_32767_memory, "lock andw $32767, %[memory]",
	    FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_xorb_85_memory, "lock xorb $85, %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_andq_minus_256_memory, "lock andq $-256, %[memory]",
	    FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_incb_memory, "lock incb %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_incq_memory, "lock incq %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_decl_memory, "lock decl %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_decw_memory, "lock decw %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_negl_memory, "lock negl %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_negq_memory, "lock negq %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_notb_memory, "lock notb %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_notl_memory, "lock notl %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(xchgb_value_memory, "xchgb %b[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(xchgw_value_memory, "xchgw %w[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(xchgl_value_memory, "xchgl %k[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(xchgq_value_memory, "xchgq %q[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_xaddb_value_memory, "lock xaddb %b[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_xaddw_value_memory, "lock xaddw %w[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_xaddl_value_memory, "lock xaddl %k[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_xaddq_value_memory, "lock xaddq %q[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_cmpxchgb_value_memory, "lock cmpxchgb %b[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_cmpxchgw_value_memory, "lock cmpxchgw %w[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_cmpxchgl_value_memory, "lock cmpxchgl %k[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_cmpxchgq_value_memory, "lock cmpxchgq %q[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_cmpxchgb_value_memory_equal, "lock cmpxchgb %b[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, readq(at + 8))
INSTRUCTION(lock_cmpxchgw_value_memory_equal, "lock cmpxchgw %w[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, readq(at + 8))
INSTRUCTION(lock_cmpxchgl_value_memory_equal, "lock cmpxchgl %k[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, readq(at + 8))
INSTRUCTION(lock_cmpxchgq_value_memory_equal, "lock cmpxchgq %q[value], %[memory]",
	    FLAGS_ALL, ASM_VALUE, readq(at + 8))
INSTRUCTION(lock_btsw_7_memory, "lock btsw $7, %[memory]", FLAGS_BIT, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_btsl_7_memory, "lock btsl $7, %[memory]", FLAGS_BIT, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_btrq_7_memory, "lock btrq $7, %[memory]", FLAGS_BIT, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_btcl_7_memory, "lock btcl $7, %[memory]", FLAGS_BIT, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_btsl_value_memory, "lock btsl %k[value], %[memory]",
	    FLAGS_BIT, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_btrw_value_memory, "lock btrw %w[value], %[memory]",
	    FLAGS_BIT, ASM_VALUE, ASM_VALUE)
INSTRUCTION(lock_btcq_value_memory, "lock btcq %q[value], %[memory]",
	    FLAGS_BIT, BIT_NUMBER, ASM_VALUE)
INSTRUCTION(btl_30_memory, "btl $30, %[memory]", FLAGS_BIT, ASM_VALUE, ASM_VALUE)
INSTRUCTION(btq_value_memory, "btq %q[value], %[memory]", FLAGS_BIT, BIT_NUMBER, ASM_VALUE)
INSTRUCTION(addl_value_memory, "addl %k[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(subb_value_memory, "subb %b[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(orw_value_memory, "orw %w[value], %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(incl_memory, "incl %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(notq_memory, "notq %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpxchgl_value_memory, "cmpxchgl %k[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(xaddw_value_memory, "xaddw %w[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(btsl_3_memory, "btsl $3, %[memory]", FLAGS_BIT, ASM_VALUE, ASM_VALUE)
INSTRUCTION(addb_memory_value, "addb %[memory], %b[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(addl_memory_value, "addl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(addq_memory_value, "addq %[memory], %q[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(subb_memory_value, "subb %[memory], %b[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(subl_memory_value, "subl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(subq_memory_value, "subq %[memory], %q[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(adcb_memory_value, "adcb %[memory], %b[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(adcl_memory_value, "adcl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(adcq_memory_value, "adcq %[memory], %q[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(sbbb_memory_value, "sbbb %[memory], %b[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(sbbl_memory_value, "sbbl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(sbbq_memory_value, "sbbq %[memory], %q[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(orb_memory_value, "orb %[memory], %b[value]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(orw_memory_value, "orw %[memory], %w[value]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(orl_memory_value, "orl %[memory], %k[value]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(andb_memory_value, "andb %[memory], %b[value]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(andw_memory_value, "andw %[memory], %w[value]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(andl_memory_value, "andl %[memory], %k[value]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(xorb_memory_value, "xorb %[memory], %b[value]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(xorw_memory_value, "xorw %[memory], %w[value]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(xorl_memory_value, "xorl %[memory], %k[value]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpb_memory_value, "cmpb %[memory], %b[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpb_value_memory, "cmpb %b[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpb_0x11_memory, "cmpb $0x11, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpw_memory_value, "cmpw %[memory], %w[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpw_value_memory, "cmpw %w[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpw_0x11_memory, "cmpw $0x11, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpl_memory_value, "cmpl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpl_value_memory, "cmpl %k[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpl_0x11_memory, "cmpl $0x11, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpq_memory_value, "cmpq %[memory], %q[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpq_value_memory, "cmpq %q[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(cmpq_0x11_memory, "cmpq $0x11, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(testb_value_memory, "testb %b[value], %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(testb_0x41_memory, "testb $0x41, %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(testw_value_memory, "testw %w[value], %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(testw_0x41_memory, "testw $0x41, %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(testl_value_memory, "testl %k[value], %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(testl_0x41_memory, "testl $0x41, %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(testq_value_memory, "testq %q[value], %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(testq_0x41_memory, "testq $0x41, %[memory]", FLAGS_LOGIC, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movb_memory_value, "movb %[memory], %b[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movw_memory_value, "movw %[memory], %w[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movl_memory_value, "movl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movq_memory_value, "movq %[memory], %q[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movb_memory_ah, "movb %[memory], %%ah", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movb_ah_memory, "movb %%ah, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movb_0x91_memory, "movb $0x91, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movw_0x9192_memory, "movw $0x9192, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movl_0x91929394_memory, "movl $0x91929394, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movq_minus_5_memory, "movq $-5, %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movzbl_memory_value, "movzbl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movzwl_memory_value, "movzwl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movzbw_memory_value, "movzbw %[memory], %w[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movsbw_memory_value, "movsbw %[memory], %w[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movsbl_memory_value, "movsbl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movsbq_memory_value, "movsbq %[memory], %q[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movswl_memory_value, "movswl %[memory], %k[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movswq_memory_value, "movswq %[memory], %q[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movslq_memory_value, "movslq %[memory], %q[value]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movntil_value_memory, "movntil %k[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)
INSTRUCTION(movntiq_value_memory, "movntiq %q[value], %[memory]", FLAGS_ALL, ASM_VALUE, ASM_VALUE)

static const char string_data[] = "forty bytes of something to be copied to";

STRING(rep_stosb, "rep stosb", at + 8, NULL, 0)
STRING(rep_stosb_backward, "std; rep stosb; cld", at + 48, NULL, 0)
STRING(rep_movsb_from, "rep movsb", answer, at + 8, 5)
STRING(rep_movsb_from_backward, "std; rep movsb; cld", answer + 4, at + 48, 5)
STRING(rep_movsb_to, "rep movsb", at + 8, string_data, 0)
STRING(rep_movsb_within, "rep movsb", at + 16, at + 8, 0)
STRING(movsb_from, "movsb", answer, at + 8, 1)
STRING(stosb_once, "stosb", at + 8, NULL, 0)
STRING(rep_stosw, "rep stosw", at + 8, NULL, 0)
STRING(rep_stosw_backward, "std; rep stosw; cld", at + 48, NULL, 0)
STRING(rep_movsw_from, "rep movsw", answer, at + 8, 10)
STRING(rep_movsw_from_backward, "std; rep movsw; cld", answer + 8, at + 48, 10)
STRING(rep_movsw_to, "rep movsw", at + 8, string_data, 0)
STRING(rep_movsw_within, "rep movsw", at + 16, at + 8, 0)
STRING(movsw_from, "movsw", answer, at + 8, 2)
STRING(stosw_once, "stosw", at + 8, NULL, 0)
STRING(rep_stosl, "rep stosl", at + 8, NULL, 0)
STRING(rep_stosl_backward, "std; rep stosl; cld", at + 48, NULL, 0)
STRING(rep_movsl_from, "rep movsl", answer, at + 8, 20)
STRING(rep_movsl_from_backward, "std; rep movsl; cld", answer + 16, at + 48, 20)
STRING(rep_movsl_to, "rep movsl", at + 8, string_data, 0)
STRING(rep_movsl_within, "rep movsl", at + 16, at + 8, 0)
STRING(movsl_from, "movsl", answer, at + 8, 4)
STRING(stosl_once, "stosl", at + 8, NULL, 0)
STRING(rep_stosq, "rep stosq", at + 8, NULL, 0)
STRING(rep_stosq_backward, "std; rep stosq; cld", at + 48, NULL, 0)
STRING(rep_movsq_from, "rep movsq", answer, at + 8, 40)
STRING(rep_movsq_from_backward, "std; rep movsq; cld", answer + 32, at + 48, 40)
STRING(rep_movsq_to, "rep movsq", at + 8, string_data, 0)
STRING(rep_movsq_within, "rep movsq", at + 16, at + 8, 0)
STRING(movsq_from, "movsq", answer, at + 8, 8)
STRING(stosq_once, "stosq", at + 8, NULL, 0)

const struct accessor accessors_asm[] = {
	{ "lock addb register, memory", do_lock_addb_value_memory },
	{ "lock addw register, memory", do_lock_addw_value_memory },
	{ "lock addl register, memory", do_lock_addl_value_memory },
	{ "lock addq register, memory", do_lock_addq_value_memory },
	{ "lock orb register, memory", do_lock_orb_value_memory },
	{ "lock orl register, memory", do_lock_orl_value_memory },
	{ "lock andw register, memory", do_lock_andw_value_memory },
	{ "lock andl register, memory", do_lock_andl_value_memory },
	{ "lock xorl register, memory", do_lock_xorl_value_memory },
	{ "lock xorq register, memory", do_lock_xorq_value_memory },
	{ "lock subw register, memory", do_lock_subw_value_memory },
	{ "lock subq register, memory", do_lock_subq_value_memory },
	{ "lock adcl register, memory", do_lock_adcl_value_memory },
	{ "lock adcq register, memory", do_lock_adcq_value_memory },
	{ "lock sbbb register, memory", do_lock_sbbb_value_memory },
	{ "lock sbbl register, memory", do_lock_sbbl_value_memory },
	{ "lock addb $1, memory", do_lock_addb_1_memory },
	{ "lock addq $-1, memory", do_lock_addq_minus_1_memory },
	{ "lock subl $305419896, memory", do_lock_subl_305419896_memory },
	{ "lock adcw $32767, memory", do_lock_adcw_32767_memory },
	{ "lock orl $128, memory", do_lock_orl_128_memory },
	{ "lock andw $32767, memory", do_lock_andw_32767_memory },
	{ "lock xorb $85, memory", do_lock_xorb_85_memory },
	{ "lock andq $-256, memory", do_lock_andq_minus_256_memory },
	{ "lock incb memory", do_lock_incb_memory },
	{ "lock incq memory", do_lock_incq_memory },
	{ "lock decl memory", do_lock_decl_memory },
	{ "lock decw memory", do_lock_decw_memory },
	{ "lock negl memory", do_lock_negl_memory },
	{ "lock negq memory", do_lock_negq_memory },
	{ "lock notb memory", do_lock_notb_memory },
	{ "lock notl memory", do_lock_notl_memory },
	{ "xchgb register, memory", do_xchgb_value_memory },
	{ "xchgw register, memory", do_xchgw_value_memory },
	{ "xchgl register, memory", do_xchgl_value_memory },
	{ "xchgq register, memory", do_xchgq_value_memory },
	{ "lock xaddb register, memory", do_lock_xaddb_value_memory },
	{ "lock xaddw register, memory", do_lock_xaddw_value_memory },
	{ "lock xaddl register, memory", do_lock_xaddl_value_memory },
	{ "lock xaddq register, memory", do_lock_xaddq_value_memory },
	{ "lock cmpxchgb register, memory", do_lock_cmpxchgb_value_memory },
	{ "lock cmpxchgw register, memory", do_lock_cmpxchgw_value_memory },
	{ "lock cmpxchgl register, memory", do_lock_cmpxchgl_value_memory },
	{ "lock cmpxchgq register, memory", do_lock_cmpxchgq_value_memory },
	{ "lock cmpxchgb register, memory of what is there", do_lock_cmpxchgb_value_memory_equal },
	{ "lock cmpxchgw register, memory of what is there", do_lock_cmpxchgw_value_memory_equal },
	{ "lock cmpxchgl register, memory of what is there", do_lock_cmpxchgl_value_memory_equal },
	{ "lock cmpxchgq register, memory of what is there", do_lock_cmpxchgq_value_memory_equal },
	{ "lock btsw $7, memory", do_lock_btsw_7_memory },
	{ "lock btsl $7, memory", do_lock_btsl_7_memory },
	{ "lock btrq $7, memory", do_lock_btrq_7_memory },
	{ "lock btcl $7, memory", do_lock_btcl_7_memory },
	{ "lock btsl register, memory", do_lock_btsl_value_memory },
	{ "lock btrw register, memory", do_lock_btrw_value_memory },
	{ "lock btcq register, memory", do_lock_btcq_value_memory },
	{ "btl $30, memory", do_btl_30_memory },
	{ "btq register, memory", do_btq_value_memory },
	{ "addl register, memory", do_addl_value_memory },
	{ "subb register, memory", do_subb_value_memory },
	{ "orw register, memory", do_orw_value_memory },
	{ "incl memory", do_incl_memory },
	{ "notq memory", do_notq_memory },
	{ "cmpxchgl register, memory", do_cmpxchgl_value_memory },
	{ "xaddw register, memory", do_xaddw_value_memory },
	{ "btsl $3, memory", do_btsl_3_memory },
	{ "addb memory, register", do_addb_memory_value },
	{ "addl memory, register", do_addl_memory_value },
	{ "addq memory, register", do_addq_memory_value },
	{ "subb memory, register", do_subb_memory_value },
	{ "subl memory, register", do_subl_memory_value },
	{ "subq memory, register", do_subq_memory_value },
	{ "adcb memory, register", do_adcb_memory_value },
	{ "adcl memory, register", do_adcl_memory_value },
	{ "adcq memory, register", do_adcq_memory_value },
	{ "sbbb memory, register", do_sbbb_memory_value },
	{ "sbbl memory, register", do_sbbl_memory_value },
	{ "sbbq memory, register", do_sbbq_memory_value },
	{ "orb memory, register", do_orb_memory_value },
	{ "orw memory, register", do_orw_memory_value },
	{ "orl memory, register", do_orl_memory_value },
	{ "andb memory, register", do_andb_memory_value },
	{ "andw memory, register", do_andw_memory_value },
	{ "andl memory, register", do_andl_memory_value },
	{ "xorb memory, register", do_xorb_memory_value },
	{ "xorw memory, register", do_xorw_memory_value },
	{ "xorl memory, register", do_xorl_memory_value },
	{ "cmpb memory, register", do_cmpb_memory_value },
	{ "cmpb register, memory", do_cmpb_value_memory },
	{ "cmpb $0x11, memory", do_cmpb_0x11_memory },
	{ "cmpw memory, register", do_cmpw_memory_value },
	{ "cmpw register, memory", do_cmpw_value_memory },
	{ "cmpw $0x11, memory", do_cmpw_0x11_memory },
	{ "cmpl memory, register", do_cmpl_memory_value },
	{ "cmpl register, memory", do_cmpl_value_memory },
	{ "cmpl $0x11, memory", do_cmpl_0x11_memory },
	{ "cmpq memory, register", do_cmpq_memory_value },
	{ "cmpq register, memory", do_cmpq_value_memory },
	{ "cmpq $0x11, memory", do_cmpq_0x11_memory },
	{ "testb register, memory", do_testb_value_memory },
	{ "testb $0x41, memory", do_testb_0x41_memory },
	{ "testw register, memory", do_testw_value_memory },
	{ "testw $0x41, memory", do_testw_0x41_memory },
	{ "testl register, memory", do_testl_value_memory },
	{ "testl $0x41, memory", do_testl_0x41_memory },
	{ "testq register, memory", do_testq_value_memory },
	{ "testq $0x41, memory", do_testq_0x41_memory },
	{ "movb memory, register", do_movb_memory_value },
	{ "movw memory, register", do_movw_memory_value },
	{ "movl memory, register", do_movl_memory_value },
	{ "movq memory, register", do_movq_memory_value },
	{ "movb memory, ah", do_movb_memory_ah },
	{ "movb ah, memory", do_movb_ah_memory },
	{ "movb $0x91, memory", do_movb_0x91_memory },
	{ "movw $0x9192, memory", do_movw_0x9192_memory },
	{ "movl $0x91929394, memory", do_movl_0x91929394_memory },
	{ "movq $-5, memory", do_movq_minus_5_memory },
	{ "movzbl memory, register", do_movzbl_memory_value },
	{ "movzwl memory, register", do_movzwl_memory_value },
	{ "movzbw memory, register", do_movzbw_memory_value },
	{ "movsbw memory, register", do_movsbw_memory_value },
	{ "movsbl memory, register", do_movsbl_memory_value },
	{ "movsbq memory, register", do_movsbq_memory_value },
	{ "movswl memory, register", do_movswl_memory_value },
	{ "movswq memory, register", do_movswq_memory_value },
	{ "movslq memory, register", do_movslq_memory_value },
	{ "movntil register, memory", do_movntil_value_memory },
	{ "movntiq register, memory", do_movntiq_value_memory },
	{ "rep stosb", do_rep_stosb },
	{ "rep stosb backward", do_rep_stosb_backward },
	{ "rep movsb from", do_rep_movsb_from },
	{ "rep movsb from backward", do_rep_movsb_from_backward },
	{ "rep movsb to", do_rep_movsb_to },
	{ "rep movsb within", do_rep_movsb_within },
	{ "movsb from", do_movsb_from },
	{ "stosb", do_stosb_once },
	{ "rep stosw", do_rep_stosw },
	{ "rep stosw backward", do_rep_stosw_backward },
	{ "rep movsw from", do_rep_movsw_from },
	{ "rep movsw from backward", do_rep_movsw_from_backward },
	{ "rep movsw to", do_rep_movsw_to },
	{ "rep movsw within", do_rep_movsw_within },
	{ "movsw from", do_movsw_from },
	{ "stosw", do_stosw_once },
	{ "rep stosl", do_rep_stosl },
	{ "rep stosl backward", do_rep_stosl_backward },
	{ "rep movsl from", do_rep_movsl_from },
	{ "rep movsl from backward", do_rep_movsl_from_backward },
	{ "rep movsl to", do_rep_movsl_to },
	{ "rep movsl within", do_rep_movsl_within },
	{ "movsl from", do_movsl_from },
	{ "stosl", do_stosl_once },
	{ "rep stosq", do_rep_stosq },
	{ "rep stosq backward", do_rep_stosq_backward },
	{ "rep movsq from", do_rep_movsq_from },
	{ "rep movsq from backward", do_rep_movsq_from_backward },
	{ "rep movsq to", do_rep_movsq_to },
	{ "rep movsq within", do_rep_movsq_within },
	{ "movsq from", do_movsq_from },
	{ "stosq", do_stosq_once },
};

const unsigned int accessors_asm_count = ARRAY_SIZE(accessors_asm);
