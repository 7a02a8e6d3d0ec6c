/* Clocks. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static double read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double clock_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double clock_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

double clock_unix(void)
{
    return read_clock(CLOCK_REALTIME);
}

char *clock_format(double seconds, char *text, size_t size)
{
    if (seconds < 0)
        seconds = 0;
    long s = (long)(seconds + 0.5);
    if (seconds < 10)
        snprintf(text, size, "%.1f s", seconds);
    else if (s < 60)
        snprintf(text, size, "%ld s", s);
    else if (s < 3600)
        snprintf(text, size, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(text, size, "%ld h %02ld min", s / 3600, s % 3600 / 60);
    return text;
}

char *clock_format_expected(double seconds, char *text, size_t size)
{
    long minutes = (long)(seconds / 60 + 0.5);
    if (minutes < 10 || minutes >= 60)
        return clock_format(seconds, text, size);
    snprintf(text, size, "%ld min", minutes);
    return text;
}
