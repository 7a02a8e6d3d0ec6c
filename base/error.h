/* Errors with a complete, human message. The four kinds:
 *
 *   a bug of ours             BUG("...") aborts with file and line
 *   bad input, environment    the function returns -1 (or NULL) and fills the caller's struct error
 *   a warning                 warn("...") prints one line and goes on
 *   the end of a command      the cli prints error.msg and exits with error.code
 *
 * A message names the thing (file:line, key, tensor path), what is wrong and what to do. No
 * trailing newline or full stop. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

/* The program's exit codes. They are the only values of struct error.code. */
enum exit_code {
    EXIT_FINE = 0,
    EXIT_FAILED = 1,       /* something ran and failed: a cell, a test, a golden file */
    EXIT_USAGE = 2,        /* usage or configuration error */
    EXIT_ENVIRONMENT = 3,  /* data, device, program or permission is missing */
    EXIT_INTERRUPTED = 75, /* stopped in an orderly way: run the same command again to resume */
    EXIT_CTRL_C = 130
};

struct error {
    int code;       /* enum exit_code; 0 while no error is set */
    char msg[1000]; /* one line */
};

/* Fills err (which may be NULL) and returns -1. error_set means EXIT_USAGE, the commonest;
 * error_env means EXIT_ENVIRONMENT; error_code takes any code. The last error set wins. */
int error_set(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int error_env(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int error_code(struct error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the message already in err and returns -1. */
int error_prefix(struct error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One line on stderr, "vittm: warning: ...". */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void bug_at(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/* An internal invariant does not hold: abort with file and line. */
#define BUG(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
#define ASSERT(cond)                                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            BUG("assertion failed: %s", #cond);                                                    \
    } while (0)

#endif
