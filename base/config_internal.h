/* Shared by base/config*.c only. A schema is what the tables declare, built once by config_new and
 * shared by all copies; it also interns every text and parsed value, so that a configuration is a
 * small array of pointers and 10,000 of them are cheap to copy, resolve and keep. */
#ifndef BASE_CONFIG_INTERNAL_H
#define BASE_CONFIG_INTERNAL_H

#include "base/arena.h"
#include "base/config.h"

struct config_value {
    const struct config_entry *entry; /* the row that it is a value of */
    const char *text;                 /* canonical, without quotes */
    const char *identity;             /* what stands for it in the identity; NULL: text */
    int64_t integer;                  /* bool, int; the member's index of a choice */
    double number;
    const struct config_choice *choice;
    int n;
    const int64_t *ints;
    const double *floats;
};

struct config_table;

/* A choice's member and the keys that only it reads (NULL where it has none). */
struct config_member {
    const struct config_choice *choice;
    const struct config_table *table;
};

/* One row of one table. */
struct config_entry {
    const struct config_key *key;
    int slot;
    const struct config_value *fallback; /* NULL with CONFIG_REQUIRED */
    struct config_member *members;
    int n_members;
};

struct config_table {
    const struct config_key *keys;
    struct config_entry *entries;
    int n;
    struct config_table *next;
};

/* Why a key may be active: a root table (owner < 0), or slot owner holds choice. */
struct config_declaration {
    const struct config_entry *entry;
    int owner;
    const struct config_choice *choice;
    struct config_declaration *next;
};

/* A declared name. Slots are sorted by name. */
struct config_slot {
    const char *name;
    struct config_declaration *declarations;
};

struct config_text {
    uint64_t hash;
    const char *text;
};

struct config_parsed {
    const struct config_entry *entry;
    const char *text; /* interned */
    const struct config_value *value;
};

struct config_schema {
    struct arena arena;
    int references;
    struct config_table *tables;
    const struct config_table **roots;
    int n_roots;
    struct config_slot *slots;
    int n_slots;
    int *index; /* hash table of slots; -1 is empty */
    size_t index_size;
    struct config_text *texts;
    size_t n_texts, texts_size;
    struct config_parsed *parsed;
    size_t n_parsed, parsed_size;
};

/* What config_set was told; in the schema's arena, shared by all copies. */
struct config_assigned {
    const char *text; /* interned, as is the file's name */
    struct config_origin origin;
};

/* A key of one configuration: two pointers, as there are hundreds in each of 10,000 cells. */
struct config_state {
    const struct config_assigned *assigned; /* NULL where the default holds */
    const struct config_value *value;       /* active with it, through its row; NULL: inactive */
};

struct config {
    struct config_schema *schema;
    int resolved;
    struct config_state states[];
};

struct config_schema *config_schema_new(const struct config_key *const *tables);
void config_schema_free(struct config_schema *s);
int config_schema_find(const struct config_schema *s, const char *name); /* slot, or -1 */
const char *config_schema_intern(struct config_schema *s, const char *text);
/* text is interned. On an error err holds "TEXT is not an integer": the caller puts the key before
 * it. */
const struct config_value *config_schema_value(struct config_schema *s,
                                               const struct config_entry *entry, const char *text,
                                               struct error *err);

/* Parses text as entry's type into the arena; NULL and a message on an error. */
const struct config_value *config_parse(struct arena *a, const struct config_entry *entry,
                                        const char *text, struct error *err);

#endif
