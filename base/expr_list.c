/* Lists of numbers as values: their text, in which brackets and blanks mean nothing. */
#include "base/expr_internal.h"

#include <string.h>

#include "base/number.h"

static const char around[] = "[], ";

/* The next number of a list, and behind it. Returns 0 at the end, -1 where there is no number. */
static int next_number(const char **text, double *number)
{
    char item[40];
    const char *start = *text + strspn(*text, around);
    size_t n = strcspn(start, around);
    if (n == 0)
        return 0;
    if (n >= sizeof item)
        return -1;
    memcpy(item, start, n);
    item[n] = 0;
    *text = start + n;
    return number_float(item, number) == 0 ? 1 : -1;
}

struct expr_value expr_list(const char *text)
{
    const char *rest = text;
    double number, first = 0;
    int n = 0, more;
    while ((more = next_number(&rest, &number)) > 0)
        first = n++ ? first : number;
    if (more < 0 || (n == 0 && strcmp(text, "[]") != 0))
        return (struct expr_value){EXPR_STRING, 0, text};
    return n == 1 ? (struct expr_value){EXPR_NUMBER, first, NULL}
                  : (struct expr_value){EXPR_LIST, 0, text};
}

int expr_lists_equal(const char *a, const char *b)
{
    for (;;) {
        double x, y;
        int more = next_number(&a, &x), as_well = next_number(&b, &y);
        if (more <= 0 || as_well <= 0)
            return more == 0 && as_well == 0;
        if (x != y)
            return 0;
    }
}
