/* Reading and printing decimal numbers. */
#include "base/number.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_digits(const char *s, int *n)
{
    for (*n = 0; isdigit((unsigned char)*s); s++)
        ++*n;
    return s;
}

/* [-+]? ( [0-9]+ ( \. [0-9]* )? | \. [0-9]+ ) ( [eE] [-+]? [0-9]+ )?  *whole: no point, no
 * exponent. */
static int is_number(const char *s, int *whole)
{
    int before, after = 0, exponent;
    if (*s == '-' || *s == '+')
        s++;
    s = skip_digits(s, &before);
    *whole = 1;
    if (*s == '.') {
        s = skip_digits(s + 1, &after);
        *whole = 0;
    }
    if (before + after == 0)
        return 0;
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '-' || *s == '+')
            s++;
        s = skip_digits(s, &exponent);
        if (exponent == 0)
            return 0;
        *whole = 0;
    }
    return *s == 0;
}

int number_float(const char *text, double *value)
{
    int whole;
    if (!is_number(text, &whole))
        return -1;
    *value = strtod(text, NULL);
    return isfinite(*value) ? 0 : -1;
}

int number_int(const char *text, int64_t *value)
{
    int whole;
    if (!is_number(text, &whole))
        return -1;
    if (whole) {
        errno = 0;
        *value = strtoll(text, NULL, 10);
        return errno ? -1 : 0;
    }
    double d = strtod(text, NULL);
    if (!(fabs(d) <= 9007199254740992.0) || d != floor(d))
        return -1;
    *value = (int64_t)d;
    return 0;
}

/* digits "2512" and exponent -3 of the leading digit: "0.002512". The bounds are those of Python's
 * repr. */
static void lay_out(char *out, size_t size, const char *digits, int n, int exponent)
{
    static const char zeros[] = "0000000000000000";
    if (exponent < -4 || exponent >= 16)
        snprintf(out, size, "%c%s%.*se%d", digits[0], n > 1 ? "." : "", n - 1, digits + 1,
                 exponent);
    else if (exponent < 0)
        snprintf(out, size, "0.%.*s%.*s", -exponent - 1, zeros, n, digits);
    else if (n <= exponent + 1)
        snprintf(out, size, "%.*s%.*s", n, digits, exponent + 1 - n, zeros);
    else
        snprintf(out, size, "%.*s.%.*s", exponent + 1, digits, n - exponent - 1,
                 digits + exponent + 1);
}

/* The digits of a whole number, without printf: listings have hundreds of thousands of them. */
char *number_whole(int64_t value, char text[32])
{
    char digits[24];
    int n = 0;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char *out = text;
    do
        digits[n++] = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *out++ = '-';
    while (n)
        *out++ = digits[--n];
    *out = 0;
    return text;
}

/* "-2.512e-03" with the fewest digits that read back. A decimal of up to 15 digits is the only one
 * that a double prints as at 15, so shorter ones are that without its zeros; subnormal ones have
 * fewer digits. */
static void shortest(double value, char *e, size_t size)
{
    for (int precision = fabs(value) < DBL_MIN ? 0 : 14; precision < 17; precision++) {
        snprintf(e, size, "%.*e", precision, value);
        if (strtod(e, NULL) == value)
            return;
    }
}

char *number_format(double value, char text[32])
{
    char e[40], digits[20];
    int n = 0;
    if (fabs(value) < 1e15 && value == floor(value))
        return number_whole((int64_t)value, text);
    shortest(value, e, sizeof e);
    const char *s = e;
    char *out = text;
    if (*s == '-')
        *out++ = *s++;
    for (; *s && *s != 'e'; s++)
        if (isdigit((unsigned char)*s) && n < 18)
            digits[n++] = *s;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    lay_out(out, 31, digits, n, *s ? (int)strtol(s + 1, NULL, 10) : 0);
    return text;
}

/* Six digits of a value from 1e-4 to below 1e6, and the exponent of the first; 0 where the product
 * is too near the middle between two to tell. */
static int64_t six_digits(double value, int *exponent)
{
    static const double powers[] = {1e-4, 1e-3, 1e-2, 1e-1, 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    static const double scales[] = {1e9, 1e8, 1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1};
    int i = 0;
    while (value >= powers[i + 1])
        i++;
    double scaled = value * scales[i], whole = floor(scaled), rest = scaled - whole;
    int64_t digits = (int64_t)whole + (rest > 0.5);
    *exponent = i - 4;
    return fabs(rest - 0.5) < 1e-6 || digits > 999999 ? 0 : digits;
}

static char *put(char *out, const char *text, int n)
{
    memcpy(out, text, (size_t)n);
    return out + n;
}

/* Listings print hundreds of thousands, and printf takes most of their time. */
char *number_short(double value, char text[32])
{
    double size = fabs(value);
    int exponent = 0, n = 6;
    int64_t left = size >= 1e-4 && size < 1e6 ? six_digits(size, &exponent) : 0;
    if (!left) {
        snprintf(text, 32, "%.6g", value);
        return text;
    }
    char digits[6], *out = text;
    for (int i = 5; i >= 0; i--, left /= 10)
        digits[i] = (char)('0' + left % 10);
    while (n > 1 && n > exponent + 1 && digits[n - 1] == '0')
        n--;
    if (value < 0)
        *out++ = '-';
    int before = exponent < 0 ? 0 : exponent + 1;
    out = put(out, exponent < 0 ? "0" : digits, exponent < 0 ? 1 : before);
    if (n > before)
        *out++ = '.';
    out = put(out, "000", exponent < 0 ? -exponent - 1 : 0);
    out = put(out, digits + before, n - before);
    *out = 0;
    return text;
}
