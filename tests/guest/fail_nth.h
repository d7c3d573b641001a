/* SPDX-License-Identifier: MIT */
/*
 * What fail_nth.c has fail, and fail_nth_calls.c says how to call.
 */
#ifndef FAIL_NTH_H
#define FAIL_NTH_H

#include <stdbool.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

/**
 * struct call - what is swept
 * @name: how it is called
 * @errors: what it may fail with
 * @call: returns 0 or -errno
 * @before: makes what each single call of it needs, if anything
 * @undo: of a call that succeeded
 * @after: of @before
 * @once: it cannot be done twice
 * @verify: of a call that succeeded although something in it failed
 */
struct call {
	const char *name;
	int errors[5];
	int (*call)(void);
	void (*before)(void);
	void (*undo)(void);
	void (*after)(void);
	bool once;
	void (*verify)(void);
};

/**
 * struct calls - those that need the same, in their order
 * @calls: ended by one without a name
 * @before: makes it, if anything
 */
struct calls {
	const struct call *calls;
	void (*before)(void);
};

extern const struct calls all_calls[];
extern const unsigned int all_calls_count;

/* Of the last of them. */
void calls_end(void);

/* Ends the program with 1 and says why. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* 0, or -errno; the second of them dies. */
int write_file(const char *path, const char *text);
void must_write(const char *path, const char *text);

#endif
