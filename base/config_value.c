/* From text to typed value and back to canonical text. */
#include "base/config_internal.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"

/* Bounds beyond what anyone would type stand for "none". */
static int is_open(double bound)
{
    return fabs(bound) >= 1e15;
}

static int check_range(const struct config_key *k, double value, const char *text,
                       struct error *err)
{
    char lo[32], hi[32];
    if ((k->min == 0 && k->max == 0) || (value >= k->min && value <= k->max))
        return 0;
    if (is_open(k->max))
        return error_set(err, "%s is too small (at least %s)", text, number_format(k->min, lo));
    if (is_open(k->min))
        return error_set(err, "%s is too large (at most %s)", text, number_format(k->max, hi));
    return error_set(err, "%s is out of range (%s to %s)", text, number_format(k->min, lo),
                     number_format(k->max, hi));
}

static int parse_int(const struct config_key *k, const char *text, int64_t *value,
                     struct error *err)
{
    if (number_int(text, value))
        return error_set(err, "%s is not an integer", *text ? text : "an empty value");
    return check_range(k, (double)*value, text, err);
}

static int parse_float(const struct config_key *k, const char *text, double *value,
                       struct error *err)
{
    if (number_float(text, value))
        return error_set(err, "%s is not a number", *text ? text : "an empty value");
    return check_range(k, *value, text, err);
}

static int value_int(struct arena *a, const struct config_entry *e, const char *text,
                     struct config_value *v, struct error *err)
{
    if (parse_int(e->key, text, &v->integer, err))
        return -1;
    v->number = (double)v->integer;
    v->text = arena_printf(a, "%lld", (long long)v->integer);
    return 0;
}

static int value_float(struct arena *a, const struct config_entry *e, const char *text,
                       struct config_value *v, struct error *err)
{
    char canonical[32];
    if (parse_float(e->key, text, &v->number, err))
        return -1;
    v->text = arena_strdup(a, number_format(v->number, canonical));
    return 0;
}

static int value_bool(struct arena *a, const struct config_entry *e, const char *text,
                      struct config_value *v, struct error *err)
{
    (void)a;
    (void)e;
    v->integer = !strcmp(text, "true");
    v->text = v->integer ? "true" : "false";
    if (v->integer || !strcmp(text, "false"))
        return 0;
    return error_set(err, "%s is not true or false", *text ? text : "an empty value");
}

static int value_string(struct arena *a, const struct config_entry *e, const char *text,
                        struct config_value *v, struct error *err)
{
    char digest[65];
    v->text = arena_strdup(a, text);
    if (!(e->key->flags & CONFIG_CONTENT) || !*text)
        return 0;
    if (file_sha256(text, digest, err))
        return -1;
    v->identity = arena_printf(a, "sha256-%s", digest);
    return 0;
}

static const char *member_name(const void *ctx, int i)
{
    const struct config_entry *e = ctx;
    return i < e->n_members ? e->members[i].choice->name : NULL;
}

static int no_member(const struct config_entry *e, const char *text, struct error *err)
{
    struct strbuf all = STRBUF_INIT;
    const char *near = config_nearest(text, member_name, e);
    for (int i = 0; i < e->n_members; i++)
        strbuf_addf(&all, "%s%s", i ? ", " : "", e->members[i].choice->name);
    if (near)
        error_set(err, "unknown value %s (did you mean %s? known: %s)", text, near, all.text);
    else
        error_set(err, "unknown value %s (known: %s)", *text ? text : "\"\"", all.text);
    strbuf_release(&all);
    return -1;
}

static int value_choice(struct arena *a, const struct config_entry *e, const char *text,
                        struct config_value *v, struct error *err)
{
    (void)a;
    for (int i = 0; i < e->n_members; i++)
        if (!strcmp(e->members[i].choice->name, text)) {
            v->integer = i;
            v->choice = e->members[i].choice;
            v->text = v->choice->name;
            return 0;
        }
    return no_member(e, text, err);
}

/* Cuts "[a, b]" or "a,b" into elements, in place; returns their number, or -1. */
static int split_list(char *text, char **elements, int max, struct error *err)
{
    int n = 0;
    size_t length = strlen(text);
    if (text[0] == '[') {
        if (text[length - 1] != ']')
            return error_set(err, "%s: the closing ] is missing", text);
        text[length - 1] = 0;
        text++;
    }
    for (char *s = text; s;) {
        char *comma = strchr(s, ',');
        if (comma)
            *comma = 0;
        while (isspace((unsigned char)*s))
            s++;
        char *end = s + strlen(s);
        while (end > s && isspace((unsigned char)end[-1]))
            *--end = 0;
        if (n == max)
            return error_set(err, "a list of more than %d elements", max);
        elements[n++] = s;
        s = comma ? comma + 1 : NULL;
    }
    return n == 1 && !*elements[0] ? 0 : n;
}

enum { MAX_LIST = 1024 };

static int value_list(struct arena *a, const struct config_entry *e, const char *text,
                      struct config_value *v, struct error *err)
{
    char *copy = mem_strdup(text), *elements[MAX_LIST], number[32];
    struct strbuf canonical = STRBUF_INIT;
    int rc = -1, n = split_list(copy, elements, MAX_LIST, err);
    if (n < 0)
        goto done;
    int64_t *ints = ARENA_ARRAY(a, int64_t, n);
    double *floats = ARENA_ARRAY(a, double, n);
    strbuf_addc(&canonical, '[');
    for (int i = 0; i < n; i++) {
        strbuf_adds(&canonical, i ? ", " : "");
        if (e->key->type == CONFIG_INTS) {
            if (parse_int(e->key, elements[i], &ints[i], err))
                goto done;
            strbuf_addf(&canonical, "%lld", (long long)ints[i]);
        } else {
            if (parse_float(e->key, elements[i], &floats[i], err))
                goto done;
            strbuf_adds(&canonical, number_format(floats[i], number));
        }
    }
    strbuf_addc(&canonical, ']');
    v->n = n;
    v->ints = ints;
    v->floats = floats;
    v->text = arena_strdup(a, canonical.text);
    rc = 0;
done:
    strbuf_release(&canonical);
    free(copy);
    return rc;
}

const struct config_value *config_parse(struct arena *a, const struct config_entry *entry,
                                        const char *text, struct error *err)
{
    static int (*const parse[])(struct arena *, const struct config_entry *, const char *,
                                struct config_value *, struct error *) = {
        [CONFIG_BOOL] = value_bool,     [CONFIG_INT] = value_int,
        [CONFIG_FLOAT] = value_float,   [CONFIG_STRING] = value_string,
        [CONFIG_CHOICE] = value_choice, [CONFIG_INTS] = value_list,
        [CONFIG_FLOATS] = value_list};
    struct config_value *v = ARENA_NEW(a, struct config_value);
    v->entry = entry;
    return parse[entry->key->type](a, entry, text, v, err) ? NULL : v;
}
