/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the guest's init share; init.c says what it is. */
#ifndef _INIT_H
#define _INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_ENTRIES 512
/* At most so much payload is in a frame. */
#define CHUNK 16384

/* The job, as initramfs.ts wrote it: NUL-terminated key and value, in turn. */
struct job {
	char *args[MAX_ENTRIES];
	char *env[MAX_ENTRIES];
	char *load[MAX_ENTRIES];
	int nargs, nenv, nload;
	const char *cwd, *modules, *release, *module;
	bool tty, input;
	int rows, columns;
};

/* The command's ends of its streams and ours; -1 where there is none. */
struct streams {
	int in, out, err;
	int child_in, child_out, child_err;
	bool asked; /* for input that has not come yet */
};

/* init.c */
extern struct job job;

/* init_frames.c */
extern int port, kmsg;
void write_all(int fd, const void *data, size_t length);
void send_frame(char type, const void *data, uint32_t length);
void drain_kmsg(void);
_Noreturn void die(const char *format, ...);
_Noreturn void leave(void);
_Noreturn void power_off(void);

/* init_command.c: attend() returns the command's exit status */
void open_streams(struct streams *s);
pid_t start_command(struct streams *s);
uint32_t attend(struct streams *s, pid_t child, int children);
void drain(char type, int fd);

#endif
