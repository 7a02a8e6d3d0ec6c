/* Error messages: formatting only, no state but the program name. */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set(struct error *err, int code, const char *fmt, va_list ap)
{
    if (err) {
        char text[sizeof err->msg]; /* the arguments may point into err->msg */
        vsnprintf(text, sizeof text, fmt, ap);
        memcpy(err->msg, text, sizeof text);
        err->code = code;
    }
    return -1;
}

int error_set(struct error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set(err, EXIT_USAGE, fmt, ap);
    va_end(ap);
    return -1;
}

int error_env(struct error *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set(err, EXIT_ENVIRONMENT, fmt, ap);
    va_end(ap);
    return -1;
}

int error_code(struct error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set(err, code, fmt, ap);
    va_end(ap);
    return -1;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
    if (err) {
        char text[2 * sizeof err->msg];
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(text, sizeof err->msg, fmt, ap);
        va_end(ap);
        if (n < 0 || n >= (int)sizeof err->msg)
            n = (int)sizeof err->msg - 1;
        snprintf(text + n, sizeof text - (size_t)n, ": %s", err->msg);
        memcpy(err->msg, text, sizeof err->msg);
        err->msg[sizeof err->msg - 1] = 0;
    }
    return -1;
}

void warn(const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "vittm: warning: %s\n", text);
}

void bug_at(const char *file, int line, const char *fmt, ...)
{
    char text[1000];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "vittm: bug at %s:%d: %s\n", file, line, text);
    abort();
}
