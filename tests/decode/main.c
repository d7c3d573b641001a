// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "harness.h"

noreturn void fail(const u8 *bytes, unsigned int count, const char *format, ...)
{
	va_list arguments;
	unsigned int i;

	for (i = 0; i < count; i++)
		printf("%02x", bytes[i]);
	printf(": ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(1);
}

/* Pages at @address, or anywhere if that is 0; of @file, or private if that is -1. */
void *map_pages(u64 address, unsigned int pages, int protection, int file)
{
	int flags = (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) |
		    (address ? MAP_FIXED_NOREPLACE : 0);
	void *at = mmap((void *)address, pages * PAGE, protection, flags, file, 0);

	if (at == MAP_FAILED || (address && at != (void *)address)) {
		perror("mmap");
		exit(2);
	}
	return at;
}

/* One instruction a line, in hexadecimal, "-" for none; one line of answer each. */
static void decode(void)
{
	static const char *const operations[] = {
		[BARKEEP_OP_NONE] = "none", [BARKEEP_OP_LOAD] = "load",
		[BARKEEP_OP_STORE] = "store", [BARKEEP_OP_MOVS] = "movs",
		[BARKEEP_OP_STOS] = "stos", [BARKEEP_OP_COMPUTE] = "compute",
		[BARKEEP_OP_MODIFY] = "modify", [BARKEEP_OP_VECTOR_LOAD] = "vector load",
		[BARKEEP_OP_VECTOR_STORE] = "vector store",
	};
	char line[256];

	while (fgets(line, sizeof(line), stdin)) {
		struct barkeep_instruction insn;
		unsigned int count = 0, byte;
		u8 bytes[64];

		while (count < sizeof(bytes) && sscanf(line + 2 * count, "%2x", &byte) == 1)
			bytes[count++] = byte;
		if (barkeep_decode(bytes, count, &insn))
			printf("invalid\n");
		else
			printf("%u %s %u %u\n", insn.length, operations[insn.operation],
			       insn.width, insn.register_width);
	}
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	unsigned int amount = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;

	random_seed(argc > 2 ? strtoull(argv[2], NULL, 0) : 0);
	if (!strcmp(command, "decode")) {
		decode();
	} else if (!strcmp(command, "forms") && amount) {
		native_init();
		forms(amount);
	} else if (!strcmp(command, "fuzz") && amount) {
		fuzz(amount);
	} else if (!strcmp(command, "lengths") && amount) {
		native_init();
		lengths(amount);
	} else {
		fprintf(stderr, "usage: %s decode | forms SEED ROUNDS | fuzz SEED CASES | "
			"lengths SEED CASES\n", argv[0]);
		return 2;
	}
	return 0;
}
