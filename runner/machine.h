/* This machine and the processes on it, as far as a runner needs them: which cores may be used,
 * whether a process that holds a run still lives, how much room a file system has. */
#ifndef RUNNER_MACHINE_H
#define RUNNER_MACHINE_H

#include <sched.h>

/* A process, told apart from a later one with the same number: by the boot it runs in and the tick
 * it started at. No wall clock is involved, so clock steps do not matter. */
struct machine_process {
    char host[65];
    char boot[37]; /* /proc/sys/kernel/random/boot_id */
    long pid;
    unsigned long long start; /* clock ticks after boot */
};

void machine_self(struct machine_process *p);

enum machine_life {
    MACHINE_DEAD, /* certainly gone */
    MACHINE_ALIVE,
    MACHINE_UNKNOWN /* on another host: cannot be told from here */
};
enum machine_life machine_life(const struct machine_process *p);

/* Its parent's number, -1 if it is gone. */
long machine_parent(long pid);

/* The cores this process may use, in ascending order. Returns how many. */
int machine_cores(int *cores, int max);

/* Takes a core for this process among all vittm runners of the machine, until the descriptor that
 * is returned is closed or the process ends; -1 if another runner has it. */
int machine_take_core(int core);

/* Bytes free for this user on the file system of path, -1 if that cannot be told. */
long long machine_free_bytes(const char *path);
/* Bytes of memory that can be had without swapping (MemAvailable), -1 if that cannot be told. */
long long machine_free_memory(void);

#endif
