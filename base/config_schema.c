/* What the tables declare: names, who owns them, and the texts and values seen so far. */
#include "base/config_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/hash.h"

static const struct config_table *add_table(struct config_schema *s, const struct config_key *keys);

static void add_members(struct config_schema *s, struct config_entry *e)
{
    const struct config_choice *choice;
    if (!e->key->choice)
        BUG("key %s is a choice without members", e->key->name);
    while (e->key->choice(e->n_members))
        e->n_members++;
    e->members = ARENA_ARRAY(&s->arena, struct config_member, e->n_members);
    for (int i = 0; i < e->n_members; i++) {
        choice = e->key->choice(i);
        e->members[i].choice = choice;
        e->members[i].table = choice->keys ? add_table(s, choice->keys) : NULL;
    }
}

/* A table is registered before its members' tables, so a choice may name itself further down. */
static const struct config_table *add_table(struct config_schema *s, const struct config_key *keys)
{
    for (const struct config_table *t = s->tables; t; t = t->next)
        if (t->keys == keys)
            return t;
    struct config_table *t = ARENA_NEW(&s->arena, struct config_table);
    t->keys = keys;
    t->next = s->tables;
    s->tables = t;
    while (keys[t->n].name)
        t->n++;
    t->entries = ARENA_ARRAY(&s->arena, struct config_entry, t->n);
    for (int i = 0; i < t->n; i++) {
        t->entries[i].key = &keys[i];
        if (keys[i].type == CONFIG_CHOICE)
            add_members(s, &t->entries[i]);
    }
    return t;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct config_slot *)a)->name, ((const struct config_slot *)b)->name);
}

static void collect_slots(struct config_schema *s)
{
    int n = 0, kept = 0;
    for (const struct config_table *t = s->tables; t; t = t->next)
        n += t->n;
    s->slots = ARENA_ARRAY(&s->arena, struct config_slot, n);
    n = 0;
    for (const struct config_table *t = s->tables; t; t = t->next)
        for (int i = 0; i < t->n; i++)
            s->slots[n++].name = t->keys[i].name;
    qsort(s->slots, (size_t)n, sizeof *s->slots, by_name);
    for (int i = 0; i < n; i++)
        if (!kept || strcmp(s->slots[kept - 1].name, s->slots[i].name))
            s->slots[kept++] = s->slots[i];
    s->n_slots = kept;
}

static void index_slots(struct config_schema *s)
{
    for (s->index_size = 16; s->index_size < 4 * (size_t)s->n_slots;)
        s->index_size *= 2;
    s->index = ARENA_ARRAY(&s->arena, int, s->index_size);
    for (size_t i = 0; i < s->index_size; i++)
        s->index[i] = -1;
    for (int i = 0; i < s->n_slots; i++) {
        size_t at = hash_text(s->slots[i].name) & (s->index_size - 1);
        while (s->index[at] >= 0)
            at = (at + 1) & (s->index_size - 1);
        s->index[at] = i;
    }
}

int config_schema_find(const struct config_schema *s, const char *name)
{
    size_t at = hash_text(name) & (s->index_size - 1);
    for (; s->index[at] >= 0; at = (at + 1) & (s->index_size - 1))
        if (!strcmp(s->slots[s->index[at]].name, name))
            return s->index[at];
    return -1;
}

static void declare(struct config_schema *s, const struct config_table *t, int owner,
                    const struct config_choice *choice)
{
    for (int i = 0; i < t->n; i++) {
        const struct config_entry *e = &t->entries[i];
        struct config_declaration **link = &s->slots[e->slot].declarations, *d;
        for (; *link; link = &(*link)->next)
            if ((*link)->entry->key->type != e->key->type)
                BUG("key %s is declared with two types", e->key->name);
        d = ARENA_NEW(&s->arena, struct config_declaration);
        *d = (struct config_declaration){e, owner, choice, NULL};
        *link = d;
    }
}

/* Two tables may hold the same choice with the same members: one declaration is enough. */
static int is_declared(const struct config_schema *s, const struct config_table *t, int owner,
                       const struct config_choice *choice)
{
    if (!t->n)
        return 1;
    const struct config_declaration *d = s->slots[t->entries[0].slot].declarations;
    for (; d; d = d->next)
        if (d->owner == owner && d->choice == choice && d->entry == &t->entries[0])
            return 1;
    return 0;
}

static void declare_all(struct config_schema *s)
{
    for (int i = 0; i < s->n_roots; i++)
        declare(s, s->roots[i], -1, NULL);
    for (const struct config_table *t = s->tables; t; t = t->next)
        for (int i = 0; i < t->n; i++)
            for (int m = 0; m < t->entries[i].n_members; m++) {
                const struct config_member *member = &t->entries[i].members[m];
                int slot = t->entries[i].slot;
                if (member->table && !is_declared(s, member->table, slot, member->choice))
                    declare(s, member->table, slot, member->choice);
            }
}

static void parse_fallbacks(struct config_schema *s)
{
    for (struct config_table *t = s->tables; t; t = t->next)
        for (int i = 0; i < t->n; i++) {
            struct config_entry *e = &t->entries[i];
            struct error err = {0};
            if (e->key->flags & CONFIG_REQUIRED)
                continue;
            if (!e->key->fallback)
                BUG("key %s has no default and is not CONFIG_REQUIRED", e->key->name);
            e->fallback =
                config_schema_value(s, e, config_schema_intern(s, e->key->fallback), &err);
            if (!e->fallback)
                BUG("default of key %s: %s", e->key->name, err.msg);
        }
}

struct config_schema *config_schema_new(const struct config_key *const *tables)
{
    struct config_schema *s = mem_zalloc(1, sizeof *s);
    s->references = 1;
    while (tables[s->n_roots])
        s->n_roots++;
    s->roots = ARENA_ARRAY(&s->arena, const struct config_table *, s->n_roots);
    for (int i = 0; i < s->n_roots; i++)
        s->roots[i] = add_table(s, tables[i]);
    collect_slots(s);
    index_slots(s);
    for (struct config_table *t = s->tables; t; t = t->next)
        for (int i = 0; i < t->n; i++)
            t->entries[i].slot = config_schema_find(s, t->keys[i].name);
    declare_all(s);
    parse_fallbacks(s);
    return s;
}

void config_schema_free(struct config_schema *s)
{
    if (--s->references)
        return;
    free(s->texts);
    free(s->parsed);
    arena_release(&s->arena);
    free(s);
}

static void grow_texts(struct config_schema *s)
{
    struct config_text *old = s->texts;
    size_t old_size = s->texts_size;
    s->texts_size = old_size ? 2 * old_size : 256;
    s->texts = mem_zalloc(s->texts_size, sizeof *s->texts);
    for (size_t i = 0; i < old_size; i++)
        if (old[i].text) {
            size_t at = old[i].hash & (s->texts_size - 1);
            while (s->texts[at].text)
                at = (at + 1) & (s->texts_size - 1);
            s->texts[at] = old[i];
        }
    free(old);
}

const char *config_schema_intern(struct config_schema *s, const char *text)
{
    uint64_t hash = hash_text(text);
    if (2 * s->n_texts >= s->texts_size)
        grow_texts(s);
    size_t at = hash & (s->texts_size - 1);
    for (; s->texts[at].text; at = (at + 1) & (s->texts_size - 1))
        if (s->texts[at].hash == hash && !strcmp(s->texts[at].text, text))
            return s->texts[at].text;
    s->texts[at] = (struct config_text){hash, arena_strdup(&s->arena, text)};
    s->n_texts++;
    return s->texts[at].text;
}

static size_t parsed_at(const struct config_schema *s, const struct config_entry *e,
                        const char *text)
{
    uint64_t h = ((uint64_t)(uintptr_t)e ^ ((uint64_t)(uintptr_t)text << 7)) * 0x9e3779b97f4a7c15u;
    size_t at = (h >> 32) & (s->parsed_size - 1);
    while (s->parsed[at].entry && (s->parsed[at].entry != e || s->parsed[at].text != text))
        at = (at + 1) & (s->parsed_size - 1);
    return at;
}

static void grow_parsed(struct config_schema *s)
{
    struct config_parsed *old = s->parsed;
    size_t old_size = s->parsed_size;
    s->parsed_size = old_size ? 2 * old_size : 256;
    s->parsed = mem_zalloc(s->parsed_size, sizeof *s->parsed);
    for (size_t i = 0; i < old_size; i++)
        if (old[i].entry)
            s->parsed[parsed_at(s, old[i].entry, old[i].text)] = old[i];
    free(old);
}

const struct config_value *config_schema_value(struct config_schema *s,
                                               const struct config_entry *entry, const char *text,
                                               struct error *err)
{
    if (2 * s->n_parsed >= s->parsed_size)
        grow_parsed(s);
    size_t at = parsed_at(s, entry, text);
    if (s->parsed[at].entry)
        return s->parsed[at].value;
    const struct config_value *v = config_parse(&s->arena, entry, text, err);
    if (v) {
        s->parsed[at] = (struct config_parsed){entry, text, v};
        s->n_parsed++;
    }
    return v;
}
