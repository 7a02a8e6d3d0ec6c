/* What an import says of every tensor: in a line, or a line a kind. */
#include "train/weights_import.h"

#include "base/strbuf.h"

#include <string.h>

static const char *const state_names[WEIGHTS_STATES] = {"used", "reshaped", "replaced", "missing",
                                                        "ignored"};

const char *weights_state_name(enum weights_state state)
{
    return state_names[state];
}

void weights_report_release(struct weights_report *r)
{
    arena_release(&r->arena);
    *r = (struct weights_report){0};
}

void weights_report_summary(const struct weights_report *r, struct strbuf *out)
{
    const char *comma = "";
    for (int i = 0; i < WEIGHTS_STATES; i++) {
        if (!r->counts[i])
            continue;
        strbuf_addf(out, "%s%d %s", comma, r->counts[i], state_names[i]);
        comma = ", ";
    }
}

/* "read_head.11.q.weight" -> "read_head.*.q.weight" */
static const char *without_numbers(struct arena *a, const char *name)
{
    char *text = arena_strdup(a, name), *end = text;
    for (const char *s = name; *s;) {
        size_t digits = strspn(s, "0123456789");
        int whole = digits && (s == name || s[-1] == '.') && (s[digits] == '.' || !s[digits]);
        size_t take = whole ? digits : strcspn(s, ".") + 1;
        if (whole)
            *end++ = '*';
        for (size_t i = 0; !whole && i < take && s[i]; i++)
            *end++ = s[i];
        s += strnlen(s, take);
        if (whole && *s)
            *end++ = *s++;
    }
    *end = 0;
    return text;
}

static int is_same(const struct weights_row *a, const struct weights_row *b)
{
    return a->state == b->state && !strcmp(a->why, b->why);
}

void weights_report_text(const struct weights_report *r, struct strbuf *out)
{
    struct arena a = {0};
    const char **names = ARENA_ARRAY(&a, const char *, r->n + 1);
    for (int i = 0; i < r->n; i++)
        names[i] =
            without_numbers(&a, r->rows[i].parameter ? r->rows[i].parameter : r->rows[i].tensor);
    for (int i = 0; i < r->n; i++) {
        int first = r->rows[i].state != WEIGHTS_USED, count = 0;
        for (int k = 0; first && k < r->n; k++) {
            if (strcmp(names[i], names[k]) || !is_same(&r->rows[i], &r->rows[k]))
                continue;
            first = k >= i;
            count++;
        }
        if (!first)
            continue;
        strbuf_addf(out, "%-8s  %s", state_names[r->rows[i].state], names[i]);
        if (count > 1)
            strbuf_addf(out, " (%d)", count);
        strbuf_addf(out, ": %s\n", r->rows[i].why);
    }
    arena_release(&a);
}
