/* Running other programs. */
#ifndef DATA_PROGRAM_H
#define DATA_PROGRAM_H

struct error;

/* Runs argv[0], looked up in PATH, with stdin empty and stdout sent to stderr, and waits. Returns
 * its exit code (128 + n for signal n), or -1 where it cannot be started. */
int program_run(const char *const argv[], struct error *err);

/* Whether PATH has it. */
int program_exists(const char *name);

#endif
