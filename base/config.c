/* Assigning, resolving and reading. See config_schema.c for what is declared, config_value.c for
 * types. */
#include "base/config.h"
#include "base/config_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

static size_t config_bytes(const struct config_schema *s)
{
    return sizeof(struct config) + (size_t)s->n_slots * sizeof(struct config_state);
}

struct config *config_new(const struct config_key *const *tables)
{
    struct config_schema *s = config_schema_new(tables);
    struct config *c = mem_zalloc(1, config_bytes(s));
    c->schema = s;
    return c;
}

struct config *config_copy(const struct config *c)
{
    size_t bytes = config_bytes(c->schema);
    struct config *copy = memcpy(mem_alloc(bytes), c, bytes);
    copy->schema->references++;
    return copy;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    config_schema_free(c->schema);
    free(c);
}

char *config_origin_text(struct config_origin origin, char *text, size_t size)
{
    const char *file = origin.file ? origin.file : "default";
    if (origin.line > 0)
        snprintf(text, size, "%s:%d:%d", file, origin.line, origin.column);
    else
        snprintf(text, size, "%s", file);
    return text;
}

static struct config_origin state_origin(const struct config_state *st)
{
    return st->assigned ? st->assigned->origin : (struct config_origin){"default", 0, 0};
}

int config_set(struct config *c, const char *key, const char *text, struct config_origin origin,
               struct error *err)
{
    int slot = config_schema_find(c->schema, key);
    if (slot < 0) {
        char where[500];
        const char *near = config_suggest(c, key);
        config_origin_text(origin, where, sizeof where);
        if (near)
            return error_set(err, "%s: unknown key %s (did you mean %s?)", where, key, near);
        return error_set(err, "%s: unknown key %s", where, key);
    }
    struct config_assigned *a = ARENA_NEW(&c->schema->arena, struct config_assigned);
    a->text = config_schema_intern(c->schema, text);
    a->origin = origin;
    if (origin.file)
        a->origin.file = config_schema_intern(c->schema, origin.file);
    c->states[slot].assigned = a;
    c->resolved = 0;
    return 0;
}

void config_unset(struct config *c, const char *key)
{
    int slot = config_schema_find(c->schema, key);
    if (slot < 0)
        return;
    c->states[slot].assigned = NULL;
    c->resolved = 0;
}

static int value_failed(const struct config *c, int slot, struct error *err)
{
    char where[500];
    config_origin_text(state_origin(&c->states[slot]), where, sizeof where);
    return error_prefix(err, "%s: %s", where, c->schema->slots[slot].name);
}

/* Two active rows of one name: harmless where they say the same. */
static void check_agreement(const struct config_entry *a, const struct config_entry *b)
{
    if ((a->fallback == NULL) != (b->fallback == NULL) ||
        (a->fallback && strcmp(a->fallback->text, b->fallback->text)))
        BUG("key %s is active twice with different defaults", a->key->name);
}

static int activate(struct config *c, const struct config_table *t, struct error *err)
{
    for (int i = 0; i < t->n; i++) {
        const struct config_entry *e = &t->entries[i];
        struct config_state *st = &c->states[e->slot];
        if (st->value) {
            check_agreement(st->value->entry, e);
            continue;
        }
        if (!st->assigned && !e->fallback)
            return error_set(err, "%s is not set and has no default: %s", e->key->name,
                             e->key->doc);
        st->value =
            st->assigned ? config_schema_value(c->schema, e, st->assigned->text, err) : e->fallback;
        if (!st->value)
            return value_failed(c, e->slot, err);
        if (e->n_members && e->members[st->value->integer].table &&
            activate(c, e->members[st->value->integer].table, err))
            return -1;
    }
    return 0;
}

/* An inactive assignment must at least suit one of the rows that declare it. */
static int check_inactive(struct config *c, int slot, struct error *err)
{
    const struct config_state *st = &c->states[slot];
    const struct config_declaration *d = c->schema->slots[slot].declarations;
    for (; d; d = d->next)
        if (config_schema_value(c->schema, d->entry, st->assigned->text, err))
            return 0;
    return value_failed(c, slot, err);
}

int config_resolve(struct config *c, struct error *err)
{
    int n = c->schema->n_slots;
    c->resolved = 0;
    for (int i = 0; i < n; i++)
        c->states[i].value = NULL;
    for (int i = 0; i < c->schema->n_roots; i++)
        if (activate(c, c->schema->roots[i], err))
            return -1;
    for (int i = 0; i < n; i++)
        if (c->states[i].assigned && !c->states[i].value && check_inactive(c, i, err))
            return -1;
    c->resolved = 1;
    return 0;
}

static const struct config_value *read_value(const struct config *c, const char *key,
                                             unsigned types)
{
    int slot = config_schema_find(c->schema, key);
    if (slot < 0)
        BUG("config key %s is not declared", key);
    const struct config_value *v = c->states[slot].value;
    if (!c->resolved)
        BUG("config key %s read before config_resolve", key);
    if (!v)
        BUG("config key %s read while inactive", key);
    if (!(types & 1u << v->entry->key->type))
        BUG("config key %s read as another type", key);
    return v;
}

int config_bool(const struct config *c, const char *key)
{
    return (int)read_value(c, key, 1u << CONFIG_BOOL)->integer;
}

int64_t config_int(const struct config *c, const char *key)
{
    return read_value(c, key, 1u << CONFIG_INT)->integer;
}

double config_float(const struct config *c, const char *key)
{
    return read_value(c, key, 1u << CONFIG_FLOAT)->number;
}

const char *config_string(const struct config *c, const char *key)
{
    return read_value(c, key, 1u << CONFIG_STRING | 1u << CONFIG_CHOICE)->text;
}

const struct config_choice *config_choice(const struct config *c, const char *key)
{
    return read_value(c, key, 1u << CONFIG_CHOICE)->choice;
}

int config_ints(const struct config *c, const char *key, const int64_t **values)
{
    const struct config_value *v = read_value(c, key, 1u << CONFIG_INTS);
    *values = v->ints;
    return v->n;
}

int config_floats(const struct config *c, const char *key, const double **values)
{
    const struct config_value *v = read_value(c, key, 1u << CONFIG_FLOATS);
    *values = v->floats;
    return v->n;
}

int config_range(const struct config *c, const char *key, double out[2], struct error *err)
{
    const double *v;
    if (config_floats(c, key, &v) != 2 || v[0] > v[1])
        return config_error(c, err, key, "needs two numbers, the smaller first");
    memcpy(out, v, 2 * sizeof *v);
    return 0;
}

int config_is_active(const struct config *c, const char *key)
{
    int slot = config_schema_find(c->schema, key);
    return slot >= 0 && c->states[slot].value != NULL;
}

const char *config_text_at(const struct config *c, int i)
{
    return c->resolved && c->states[i].value ? c->states[i].value->text : NULL;
}

const char *config_text(const struct config *c, const char *key)
{
    int slot = config_schema_find(c->schema, key);
    return slot >= 0 ? config_text_at(c, slot) : NULL;
}

int config_is_set(const struct config *c, const char *key)
{
    int slot = config_schema_find(c->schema, key);
    return slot >= 0 && c->states[slot].assigned != NULL;
}

const struct config_key *config_find(const struct config *c, const char *key)
{
    int slot = config_schema_find(c->schema, key);
    if (slot < 0)
        return NULL;
    const struct config_value *v = c->states[slot].value;
    return v ? v->entry->key : c->schema->slots[slot].declarations->entry->key;
}

const char *config_name(const struct config *c, int i)
{
    return i >= 0 && i < c->schema->n_slots ? c->schema->slots[i].name : NULL;
}

int config_error(const struct config *c, struct error *err, const char *key, const char *fmt, ...)
{
    char where[500], message[900];
    int slot = config_schema_find(c->schema, key);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    if (slot < 0)
        BUG("config_error about the undeclared key %s", key);
    const struct config_state *st = &c->states[slot];
    const char *text = st->value      ? st->value->text
                       : st->assigned ? st->assigned->text
                                      : "(not set)";
    config_origin_text(state_origin(st), where, sizeof where);
    return error_set(err, "%s: %s %s: %s", where, key, *text ? text : "\"\"", message);
}
