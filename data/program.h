/* Running other programs, by argument vector and without a shell. argv[0] is looked up in PATH;
 * stdin is empty. */
#ifndef DATA_PROGRAM_H
#define DATA_PROGRAM_H

#include <stdio.h>
#include <sys/types.h>

struct error;

/* Runs a program with its stdout sent to stderr, and waits. Returns its exit code (128 + n for
 * signal n), or -1 where it cannot be started. */
int program_run(const char *const argv[], struct error *err);

/* Starts a program whose stdout is read from out. Ends with program_close, which returns like
 * program_run. */
struct program_pipe {
    FILE *out;
    pid_t pid;
    const char *name;
};
int program_open(struct program_pipe *p, const char *const argv[], struct error *err);
int program_close(struct program_pipe *p, struct error *err);

/* Whether PATH has it. */
int program_exists(const char *name);

#endif
