/* Typed configuration. Each layer declares its keys in tables; a registry member (a read-write
 * head, a dataset, …) declares the keys that only it reads. A configuration is a set of assignments
 * to dotted keys ("model.dim") that is resolved once: types and ranges checked, defaults filled in,
 * and every key judged
 *
 *   active    it will be read, because its table is a root table or its owner was chosen, or
 *   inactive  its owner was not chosen ("model.latent_dim" while model.rw_head is cross).
 *
 * Inactive keys are no part of a cell's identity; a key that is inactive in every cell of an
 * experiment is an error of the experiment. Unknown keys are errors with the nearest known name. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct error;
struct strbuf;
struct config_key;

/* One value of a key of type CONFIG_CHOICE. It is the first member of every registry's struct, so
 * that a registry member names, documents and configures itself in one place. */
struct config_choice {
    const char *name;
    const char *doc; /* one line */
    /* Read only where this member is chosen; ends with a NULL name; or NULL. */
    const struct config_key *keys;
};

enum config_type {
    CONFIG_BOOL,  /* true, false */
    CONFIG_INT,   /* decimal, or an exact integer written as 1e6; 2_000 is refused */
    CONFIG_FLOAT, /* YAML 1.2 core: 1e-3, .5, 3; nan and inf are refused */
    CONFIG_STRING,
    CONFIG_CHOICE, /* the name of a registry member */
    CONFIG_INTS,   /* [3, 3]; a single number is a list of one */
    CONFIG_FLOATS
};

enum config_flags {
    CONFIG_UNHASHED = 1, /* cannot change a number (a path, a note): no part of the identity */
    CONFIG_REQUIRED = 2, /* has no default: must be set where active */
    /* A string that names a file, or is empty: its part of the identity is the SHA-256 of what is
     * in the file, wherever that lies. A file that cannot be read is an error of the value. */
    CONFIG_CONTENT = 4
};

struct config_key {
    const char *name; /* full dotted name, "model.dim"; NULL ends a table */
    enum config_type type;
    const char *fallback; /* default, as text; NULL only with CONFIG_REQUIRED; "" is empty */
    double min, max;      /* inclusive bounds of numbers and of list elements; both 0: unbounded */
    const struct config_choice *(*choice)(int i); /* CONFIG_CHOICE: member i, NULL past the last */
    unsigned flags;
    const char *doc; /* one line, with the unit */
};

/* Where an assignment was written, for messages: a file position, or line 0 and file "command line"
 * or "default". config_set copies the file's name. */
struct config_origin {
    const char *file;
    int line, column;
};

struct config;

/* tables: NULL-terminated list of root tables, which must outlive the configuration. One key may be
 * declared by several members (model.latent_dim by three read-write heads), with one type; where
 * two of them are active at once their defaults must agree. A table that breaks this, or a default
 * that its own key refuses, is a bug and aborts. A configuration and its copies share parsed
 * values: use them from one thread at a time (readers alone may run at once). */
struct config *config_new(const struct config_key *const *tables);
struct config *config_copy(const struct config *c);
void config_free(struct config *c);

/* Assigns text to a key; later assignments win. Unknown keys (looked up in the root tables and in
 * the keys of every member of every choice) are refused: "file:14:3: unknown key model.rwhead (did
 * you mean model.rw_head?)". List values are written "[a, b]" or "a,b". */
int config_set(struct config *c, const char *key, const char *text, struct config_origin origin,
               struct error *err);

/* Takes an assignment back: the key has its default again. Unassigned and unknown keys are left
 * alone. */
void config_unset(struct config *c, const char *key);

/* Parses, checks and completes everything assigned so far. May be called again after more
 * config_set. */
int config_resolve(struct config *c, struct error *err);

/* Readers, after config_resolve. Asking for a key that is inactive or of another type is a bug of
 * ours. */
int config_bool(const struct config *c, const char *key);
int64_t config_int(const struct config *c, const char *key);
double config_float(const struct config *c, const char *key);
const char *config_string(const struct config *c,
                          const char *key); /* also of a choice: the member's name */
const struct config_choice *config_choice(const struct config *c, const char *key);
/* Returns the number of elements; *values is owned by c. */
int config_ints(const struct config *c, const char *key, const int64_t **values);
int config_floats(const struct config *c, const char *key, const double **values);

/* A list of two numbers, the smaller first: into out, or an error that names the key. */
int config_range(const struct config *c, const char *key, double out[2], struct error *err);

int config_is_active(const struct config *c, const char *key);
/* Canonical value of an active key of any type, strings without quotes; NULL where it is inactive
 * or unknown. Lives as long as any copy of c. */
const char *config_text(const struct config *c, const char *key);
int config_is_set(const struct config *c, const char *key); /* assigned, not defaulted */
/* Declaration, or NULL: the active one after config_resolve, else the first. */
const struct config_key *config_find(const struct config *c, const char *key);
/* The i-th of all declared names, sorted; NULL past the last. */
const char *config_name(const struct config *c, int i);
/* config_text of the i-th of them. */
const char *config_text_at(const struct config *c, int i);
/* The declared name nearest to a mistyped one, or NULL. A bare last part ("epochs") finds its key.
 */
const char *config_suggest(const struct config *c, const char *key);
/* Adds who reads a key, "model.rw_head latent, latent_cross, linear"; nothing for a key of a root
 * table. */
void config_owners(const struct config *c, const char *key, struct strbuf *out);

/* "file:14:3", or the file alone where there is no line. Returns text. */
char *config_origin_text(struct config_origin origin, char *text, size_t size);

/* Fails with "file:line:column: key VALUE: message": for checks that need more than a range.
 * Returns -1. */
int config_error(const struct config *c, struct error *err, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The identity text: active, hashed keys whose value differs from the default, sorted, one "key:
 * value" a line, values in canonical form (shortest number that reads back, lists as [a, b],
 * strings quoted where YAML needs it). A key that a later version adds leaves old identities
 * unchanged. */
void config_identity(const struct config *c, struct strbuf *out);
/* Every active key in the same form: what a run stores as its full configuration; YAML. */
void config_dump(const struct config *c, struct strbuf *out);

/* A canonical value as people write it in a label or a table: "[8]" is "8", "[3, 6, 9]" is "3,6,9".
 * Anything but a list of numbers is text itself; else the answer lies in the arena. */
const char *config_plain(struct arena *a, const char *text);

/* Walks all keys that are active or were assigned, in sorted order. Returns 0 past the last. */
struct config_item {
    const struct config_key *key;
    const char *text; /* canonical value, strings without quotes; as assigned where inactive */
    int active, assigned;
    struct config_origin origin;
};
int config_item(const struct config *c, int i, struct config_item *item);

/* The known name nearest to a mistyped one, or NULL; candidate(i) ends with NULL. For keys,
 * commands, names. */
const char *config_nearest(const char *name, const char *(*candidate)(const void *ctx, int i),
                           const void *ctx);

/* The same for names of several parts (model.dim, val/loss): where no whole one is near, those
 * whose last part is. Returns how many, 0 for none. */
enum { CONFIG_NEAR = 3 };
int config_near(const char *name, const char *(*candidate)(const void *ctx, int i), const void *ctx,
                const char *near[CONFIG_NEAR]);

/* Adds them: " (did you mean train/loss or val/loss?)", or nothing. */
void config_hint(struct strbuf *out, const char *name,
                 const char *(*candidate)(const void *ctx, int i), const void *ctx);

#endif
