/* YAML documents as trees with positions, on libyaml's event parser.
 *
 * Scalars stay text: the type of a value is the type its key declares (base/config.h), so "1e-3" is
 * a number where a number is expected and "no" is a string where a string is. Bounded and strict:
 * at most 1 MiB, depth 64, 1,000 aliases and 100,000 nodes after expansion; duplicate keys, tags,
 * merge keys, several documents, tabs and non-scalar keys are errors. Every error reads
 * "file:line:column: what (what to do)". */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stddef.h>

struct arena;
struct error;

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

/* A node lives in the arena it was loaded into. Children of a list or map are chained by next in
 * document order; in a map each child's key is set. */
struct yaml_node {
    enum yaml_kind kind;
    const char *text; /* scalar: its value; else NULL */
    int quoted;       /* scalar was written in quotes: never null or a number by style */
    const char *file;
    int line, column; /* 1-based */
    const char *key;  /* inside a map */
    int key_line, key_column;
    struct yaml_node *child, *next;
    int n_children;
};

int yaml_load(struct arena *a, const char *path, struct yaml_node **root, struct error *err);
int yaml_parse(struct arena *a, const char *name, const char *text, size_t size,
               struct yaml_node **root, struct error *err);
/* The child of a map, or NULL. */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

#endif
