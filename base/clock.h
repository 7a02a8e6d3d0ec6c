/* Time. Durations come from the monotonic clock, dates from the wall clock. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>

double clock_now(void);  /* seconds, monotonic, arbitrary origin */
double clock_cpu(void);  /* seconds of CPU time used by this process and its threads */
double clock_unix(void); /* seconds since 1970 */
/* "3.2 s", "4 min 05 s", "2 h 07 min": what progress lines print. Returns text. */
char *clock_format(double seconds, char *text, size_t size);
/* The same of a time that is expected, in whole minutes from ten on: "15 min". */
char *clock_format_expected(double seconds, char *text, size_t size);

#endif
