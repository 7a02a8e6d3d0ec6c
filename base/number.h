/* Numbers as people write them in configurations: YAML 1.2 core decimal notation, nothing else (no
 * hex, octal, underscores, inf or nan), and the one canonical way to print them. Independent of the
 * locale. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

/* Returns 0 and *value, or -1 where text as a whole is not such a number or does not fit.
 * An integer may be written with a point or exponent as long as its value is exactly one:
 * 1e6, 2.5e3. */
int number_int(const char *text, int64_t *value);
int number_float(const char *text, double *value);

char *number_whole(int64_t value, char text[32]);

/* The shortest text that reads back to the same double: 0.001, 3, 1e-5, 2.5e20. Negative zero is 0.
 * Writes at most 31 characters and a zero byte into text and returns it. value must be finite. */
char *number_format(double value, char text[32]);

/* As printf's "%.6g" writes it, for people; value must be finite. */
char *number_short(double value, char text[32]);

#endif
