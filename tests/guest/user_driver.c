// SPDX-License-Identifier: MIT
/*
 * A driver in user space: maps a file and does to the mapping what it is told, a
 * command a line on standard input; an answer a line on standard output: "ok" with
 * what was read, "errno" with a number, or the name of the signal that it got.
 *
 *	map PATH OFFSET BYTES PROTECTION private|shared
 *	read WIDTH OFFSET		of 1, 2, 4, 8, or 16 by an SSE move
 *	write WIDTH OFFSET VALUE	16: VALUE in both halves
 *	in OFFSET BYTES			rep movsb to memory; answers the bytes' sum
 *	out OFFSET BYTES		rep movsb of 0, 1, 2, ...
 *	move FROM TO BYTES		rep movsb within the mapping
 *	add OFFSET VALUE		lock xadd of 4 bytes; answers what was there
 *	multiply OFFSET VALUE		answers 4 bytes times VALUE, by one instruction
 *	probed OFFSET			a load of 4 bytes, by an instruction that has a
 *					uprobe; answers them, and above how often it
 *					was hit
 *	shift OFFSET			4 bytes to the left, by one instruction
 *	undefined OFFSET		a store that is undefined, though an emulated CPU
 *					may do it
 *	hold COUNT			so many debug registers, until it ends
 *	call OFFSET			jumps there
 *	syscall NAME OFFSET		with a pointer to it; answers what it copied
 *	protect OFFSET BYTES PROTECTION
 *	unmap OFFSET BYTES
 *	remap BYTES			to another place
 *	fork WIDTH OFFSET		has a child read it
 *	start WIDTH OFFSET		has a thread read it
 *	join				answers what that one read
 *	step OFFSET			has the CPU trap behind each of three loads, of
 *					memory, of that, of memory; answers which did
 *	churn TIMES			maps and unmaps other memory
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static uint8_t *mapping;
static uint64_t mapped;
static sigjmp_buf escape;
static int ends[2];

static void caught(int number)
{
	siglongjmp(escape, number);
}

extern const char step_first[], step_second[], step_third[];
static uint64_t stepped;

/* What traps is behind it: bit n for the load of that number. */
static void step(int number, siginfo_t *info, void *context)
{
	const char *const behind[] = { step_first, step_second, step_third };
	int n;

	for (n = 0; n < 3; n++) {
		if (info->si_addr == behind[n] && info->si_code == TRAP_TRACE)
			stepped += UINT64_C(1) << (8 * n);
	}
}

__attribute__((noinline)) static uint64_t do_step(const uint8_t *at)
{
	struct sigaction action = { .sa_sigaction = step, .sa_flags = SA_SIGINFO };
	static uint32_t memory;

	stepped = 0;
	sigaction(SIGTRAP, &action, NULL);
	asm volatile("pushfq; orl $0x100, (%%rsp); popfq\n\t"
		     "movl %1, %%eax\nstep_first:\n\t"
		     "movl %0, %%eax\nstep_second:\n\t"
		     "movl %1, %%eax\nstep_third:\n\t"
		     "pushfq; andl $~0x100, (%%rsp); popfq"
		     : : "m"(*(const uint32_t *)at), "m"(memory) : "rax", "memory", "cc");
	return stepped;
}

/* Bits that a load has to clear are set before. */
static uint64_t load(unsigned int width, const uint8_t *at)
{
	uint64_t value = ~UINT64_C(0);

	switch (width) {
	case 1:
		asm volatile("movzbl %1, %k0" : "+r"(value) : "m"(*at));
		break;
	case 2:
		asm volatile("movzwl %1, %k0" : "+r"(value) : "m"(*(const uint16_t *)at));
		break;
	case 4:
		asm volatile("movl %1, %k0" : "+r"(value) : "m"(*(const uint32_t *)at));
		break;
	case 8:
		asm volatile("movq %1, %0" : "=r"(value) : "m"(*(const uint64_t *)at));
		break;
	default:
		asm volatile("movdqu %1, %%xmm5\n\tmovq %%xmm5, %0\n\tpsrldq $8, %%xmm5\n\t"
			     "movq %%xmm5, %%rax\n\txorq %%rax, %0"
			     : "=r"(value) : "m"(*(const uint8_t (*)[16])at) : "xmm5", "rax");
	}
	return value;
}

static void store(unsigned int width, uint8_t *at, uint64_t value)
{
	switch (width) {
	case 1:
		asm volatile("movb %b1, %0" : "=m"(*at) : "q"(value));
		break;
	case 2:
		asm volatile("movw %w1, %0" : "=m"(*(uint16_t *)at) : "r"(value));
		break;
	case 4:
		asm volatile("movl %k1, %0" : "=m"(*(uint32_t *)at) : "r"(value));
		break;
	case 8:
		asm volatile("movq %1, %0" : "=m"(*(uint64_t *)at) : "r"(value));
		break;
	default:
		asm volatile("movq %1, %%xmm6\n\tpunpcklqdq %%xmm6, %%xmm6\n\tmovdqu %%xmm6, %0"
			     : "=m"(*(uint8_t (*)[16])at) : "r"(value) : "xmm6");
	}
}

static void move(void *to, const void *from, uint64_t bytes)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static uint64_t move_in(uint64_t offset, uint64_t bytes)
{
	uint8_t *memory = malloc(bytes);
	uint64_t n, sum = 0;

	move(memory, mapping + offset, bytes);
	for (n = 0; n < bytes; n++)
		sum += memory[n];
	free(memory);
	return sum;
}

static void move_out(uint64_t offset, uint64_t bytes)
{
	uint8_t *memory = malloc(bytes);
	uint64_t n;

	for (n = 0; n < bytes; n++)
		memory[n] = n;
	move(mapping + offset, memory, bytes);
	free(memory);
}

static uint64_t multiply(const uint8_t *at, uint32_t value)
{
	asm volatile("imull %1, %0" : "+r"(value) : "m"(*(const uint32_t *)at) : "cc");
	return value;
}

static void shift(uint8_t *at)
{
	asm volatile("shll $1, %0" : "+m"(*(uint32_t *)at) : : "cc");
}

/* Where in its file an address of this program is. */
static uint64_t in_file(const void *address)
{
	uint64_t at = (uintptr_t)address, start, end, offset, found = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64,
			   &start, &end, &offset) == 3 &&
		    start <= at && at < end)
			found = at - start + offset;
	}
	if (maps)
		fclose(maps);
	return found;
}

/* The type that perf has for uprobes, or 0. */
static unsigned int uprobe_type(void)
{
	FILE *file = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	unsigned int type = 0;

	if (file && fscanf(file, "%u", &type) != 1)
		type = 0;
	if (file)
		fclose(file);
	return type;
}

extern const char probed_load[];

__attribute__((noinline)) static uint32_t load_probed(const uint8_t *at)
{
	uint32_t value;

	asm volatile("probed_load: movl %1, %0" : "=r"(value) : "m"(*(const uint32_t *)at));
	return value;
}

static long do_probed(const uint8_t *at, uint64_t *answer)
{
	struct perf_event_attr attributes = {
		.type = uprobe_type(),
		.size = sizeof(attributes),
		.config1 = (uintptr_t)"/proc/self/exe",
		.config2 = in_file(probed_load),
	};
	uint64_t hits;
	long probe;

	if (!attributes.type)
		return -ENODEV;
	probe = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (probe < 0)
		return -errno;
	*answer = load_probed(at);
	if (read(probe, &hits, sizeof(hits)) != sizeof(hits))
		return -EIO;
	close(probe);
	*answer += hits << 32;
	return 0;
}

/* Of all CPUs, for where this process runs. */
static long hold(uint64_t count)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attributes),
		.bp_type = HW_BREAKPOINT_W,
		.bp_len = HW_BREAKPOINT_LEN_4,
		.sample_period = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.pinned = 1,
	};

	while (count--) {
		attributes.bp_addr = (uintptr_t)&attributes.bp_addr;
		if (syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC) < 0)
			return -errno;
	}
	return 0;
}

/* MOV with 1 in ModRM.reg, which is to be 0. */
static void undefined(uint8_t *at)
{
	asm volatile(".byte 0xc7, 0x08, 1, 0, 0, 0" : : "a"(at) : "memory");
}

static long do_map(char **words)
{
	int shared = !strcmp(words[4], "shared");
	int protection = atoi(words[3]);
	int file = open(words[0], (protection & PROT_WRITE || !shared ? O_RDWR : O_RDONLY) |
				  O_CLOEXEC);
	void *at;

	if (file < 0)
		return -errno;
	mapped = strtoull(words[2], NULL, 0);
	at = mmap(NULL, mapped, protection, shared ? MAP_SHARED : MAP_PRIVATE, file,
		  strtoull(words[1], NULL, 0));
	if (at == MAP_FAILED) {
		close(file);
		return -errno;
	}
	close(file);
	mapping = at;
	return 0;
}

/* Each copies 8 bytes from or to the pointer; what was written can be read again. */
static long do_syscall(const char *name, uint8_t *at, uint64_t *answer)
{
	struct iovec here = { answer, 8 }, there = { at, 8 };
	uint64_t other = 0x1122334455667788;
	long ret;
	int file;

	if (!strcmp(name, "write")) {
		ret = write(ends[1], at, 8);
		if (ret == 8 && read(ends[0], answer, 8) != 8)
			return -EIO;
	} else if (!strcmp(name, "read")) {
		if (write(ends[1], &other, 8) != 8)
			return -EIO;
		ret = read(ends[0], at, 8);
		if (ret < 0) {
			ret = -errno;
			/* The pipe is to be empty again. */
			return read(ends[0], answer, 8) == 8 ? ret : -EIO;
		}
	} else if (!strcmp(name, "vmread")) {
		ret = process_vm_readv(getpid(), &here, 1, &there, 1, 0);
	} else if (!strcmp(name, "vmwrite")) {
		ret = process_vm_writev(getpid(), &here, 1, &there, 1, 0);
	} else if (!strcmp(name, "splice")) {
		ret = vmsplice(ends[1], &there, 1, 0);
	} else {
		file = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		if (!strcmp(name, "memread"))
			ret = pread(file, answer, 8, (off_t)(uintptr_t)at);
		else
			ret = pwrite(file, &other, 8, (off_t)(uintptr_t)at);
		if (ret < 0)
			ret = -errno;
		close(file);
		return ret;
	}
	return ret < 0 ? -errno : ret;
}

static long do_fork(unsigned int width, const uint8_t *at, uint64_t *answer)
{
	int status;
	pid_t child = fork();

	if (!child) {
		*answer = load(width, at);
		_exit(write(ends[1], answer, 8) != 8);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -errno;
	if (status)
		return WIFSIGNALED(status) ? -WTERMSIG(status) - 1000 : -EIO;
	return read(ends[0], answer, 8) == 8 ? 0 : -EIO;
}

static pthread_t thread;
static uint64_t thread_width, thread_offset, thread_value;

static void *thread_load(void *unused)
{
	thread_value = load(thread_width, mapping + thread_offset);
	return NULL;
}

static long do_churn(uint64_t times)
{
	while (times--) {
		uint8_t *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED)
			return -errno;
		*at = 1;
		if (munmap(at, 4096))
			return -errno;
	}
	return 0;
}

/* 0 or -errno. */
static long obey(char **words, uint64_t *answer)
{
	const char *name = words[0];
	uint64_t n[4];
	void *at;
	long ret;
	int i;

	for (i = 0; i < 4; i++)
		n[i] = words[i + 1] ? strtoull(words[i + 1], NULL, 0) : 0;
	*answer = 0;
	if (!strcmp(name, "map"))
		return do_map(words + 1);
	if (!strcmp(name, "read")) {
		*answer = load(n[0], mapping + n[1]);
	} else if (!strcmp(name, "write")) {
		store(n[0], mapping + n[1], n[2]);
	} else if (!strcmp(name, "in")) {
		*answer = move_in(n[0], n[1]);
	} else if (!strcmp(name, "out")) {
		move_out(n[0], n[1]);
	} else if (!strcmp(name, "move")) {
		move(mapping + n[1], mapping + n[0], n[2]);
	} else if (!strcmp(name, "add")) {
		*answer = __atomic_fetch_add((uint32_t *)(mapping + n[0]), (uint32_t)n[1],
					     __ATOMIC_SEQ_CST);
	} else if (!strcmp(name, "multiply")) {
		*answer = multiply(mapping + n[0], n[1]);
	} else if (!strcmp(name, "shift")) {
		shift(mapping + n[0]);
	} else if (!strcmp(name, "probed")) {
		return do_probed(mapping + n[0], answer);
	} else if (!strcmp(name, "undefined")) {
		undefined(mapping + n[0]);
	} else if (!strcmp(name, "hold")) {
		return hold(n[0]);
	} else if (!strcmp(name, "call")) {
		((void (*)(void))(mapping + n[0]))();
	} else if (!strcmp(name, "syscall")) {
		return do_syscall(words[1], mapping + n[1], answer);
	} else if (!strcmp(name, "protect")) {
		return mprotect(mapping + n[0], n[1], (int)n[2]) ? -errno : 0;
	} else if (!strcmp(name, "unmap")) {
		return munmap(mapping + n[0], n[1]) ? -errno : 0;
	} else if (!strcmp(name, "remap")) {
		at = mmap(NULL, n[0], PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		at = mremap(mapping, mapped, n[0], MREMAP_MAYMOVE | MREMAP_FIXED, at);
		if (at == MAP_FAILED)
			return -errno;
		mapping = at;
	} else if (!strcmp(name, "fork")) {
		return do_fork(n[0], mapping + n[1], answer);
	} else if (!strcmp(name, "start")) {
		thread_width = n[0];
		thread_offset = n[1];
		return -pthread_create(&thread, NULL, thread_load, NULL);
	} else if (!strcmp(name, "join")) {
		ret = -pthread_join(thread, NULL);
		*answer = thread_value;
		return ret;
	} else if (!strcmp(name, "step")) {
		*answer = do_step(mapping + n[0]);
	} else if (!strcmp(name, "churn")) {
		return do_churn(n[0]);
	} else {
		return -ENOSYS;
	}
	return 0;
}

int main(void)
{
	char line[256], *words[8];
	uint64_t answer;
	long ret;
	int n, number;

	if (pipe2(ends, O_CLOEXEC))
		return 1;
	signal(SIGBUS, caught);
	signal(SIGSEGV, caught);
	signal(SIGILL, caught);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		memset(words, 0, sizeof(words));
		for (n = 0; n < 7; n++) {
			words[n] = strtok(n ? NULL : line, " \n");
			if (!words[n])
				break;
		}
		if (!words[0])
			continue;
		number = sigsetjmp(escape, 1);
		if (number) {
			puts(number == SIGBUS ? "SIGBUS" : number == SIGSEGV ? "SIGSEGV" : "SIGILL");
			continue;
		}
		ret = obey(words, &answer);
		if (ret < 0)
			printf("errno %ld\n", -ret);
		else
			printf("ok %#llx\n", (unsigned long long)answer);
	}
	return 0;
}
