/* YAML trees from libyaml's events. Recursion is bounded by MAX_DEPTH, memory by MAX_NODES. */
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

enum { MAX_BYTES = 1 << 20, MAX_DEPTH = 64, MAX_ALIASES = 1000, MAX_NODES = 100000 };

struct anchor {
    const char *name;
    struct yaml_node *node; /* NULL while the anchored node itself is still being read */
    struct anchor *next;
};

struct loader {
    yaml_parser_t parser;
    struct arena *arena;
    const char *file, *text;
    size_t size;
    struct anchor *anchors;
    int n_nodes, n_aliases;
    const struct yaml_node *duplicate,
        *first; /* the topmost key set twice, and where it was set first */
    struct error *err;
};

static int fail_at(struct loader *l, size_t line, size_t column, const char *what)
{
    return error_set(l->err, "%s:%zu:%zu: %s", l->file, line + 1, column + 1, what);
}

static int fail(struct loader *l, yaml_mark_t mark, const char *what)
{
    return fail_at(l, mark.line, mark.column, what);
}

/* The reader (bad UTF-8, control characters) gives an offset only. */
static int fail_reader(struct loader *l)
{
    size_t line = 0, start = 0, end = l->parser.problem_offset;
    if (end > l->size)
        end = l->size;
    for (size_t i = 0; i < end; i++)
        if (l->text[i] == '\n') {
            line++;
            start = i + 1;
        }
    return error_set(l->err, "%s:%zu:%zu: %s (save the file as UTF-8 text)", l->file, line + 1,
                     end - start + 1, l->parser.problem);
}

static int fail_parser(struct loader *l)
{
    const yaml_parser_t *p = &l->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return error_env(l->err, "%s: out of memory", l->file);
    if (p->error == YAML_READER_ERROR)
        return fail_reader(l);
    if (p->context)
        return error_set(l->err, "%s:%zu:%zu: %s (%s at line %zu)", l->file,
                         p->problem_mark.line + 1, p->problem_mark.column + 1, p->problem,
                         p->context, p->context_mark.line + 1);
    return fail(l, p->problem_mark, p->problem);
}

static int next_event(struct loader *l, yaml_event_t *e)
{
    return yaml_parser_parse(&l->parser, e) ? 0 : fail_parser(l);
}

static struct yaml_node *new_node(struct loader *l, enum yaml_kind kind, yaml_mark_t mark)
{
    if (++l->n_nodes > MAX_NODES) {
        error_set(l->err,
                  "%s:%zu:%zu: more than %d values after expanding aliases (split the file)",
                  l->file, mark.line + 1, mark.column + 1, MAX_NODES);
        return NULL;
    }
    struct yaml_node *n = ARENA_NEW(l->arena, struct yaml_node);
    n->kind = kind;
    n->file = l->file;
    n->line = (int)mark.line + 1;
    n->column = (int)mark.column + 1;
    return n;
}

/* A copy keeps the positions of the anchored text: that is where a wrong value has to be mended. */
static struct yaml_node *copy_node(struct loader *l, const struct yaml_node *from, yaml_mark_t mark)
{
    struct yaml_node *to = new_node(l, from->kind, mark), **link;
    if (!to)
        return NULL;
    *to = *from;
    to->next = to->child = NULL;
    link = &to->child;
    for (const struct yaml_node *c = from->child; c; c = c->next) {
        *link = copy_node(l, c, mark);
        if (!*link)
            return NULL;
        link = &(*link)->next;
    }
    return to;
}

static int expand_alias(struct loader *l, const yaml_event_t *e, struct yaml_node **out)
{
    const char *name = (const char *)e->data.alias.anchor;
    if (++l->n_aliases > MAX_ALIASES)
        return fail(l, e->start_mark, "more than 1000 aliases (write the values out)");
    for (struct anchor *a = l->anchors; a; a = a->next)
        if (!strcmp(a->name, name)) {
            if (!a->node)
                return fail(l, e->start_mark, "an alias inside the value that it stands for");
            *out = copy_node(l, a->node, e->start_mark);
            return *out ? 0 : -1;
        }
    return error_set(l->err, "%s:%zu:%zu: alias *%s has no anchor &%s before it", l->file,
                     e->start_mark.line + 1, e->start_mark.column + 1, name, name);
}

static struct anchor *add_anchor(struct loader *l, const yaml_char_t *name)
{
    if (!name)
        return NULL;
    struct anchor *a = ARENA_NEW(l->arena, struct anchor);
    a->name = arena_strdup(l->arena, (const char *)name);
    a->next = l->anchors;
    l->anchors = a;
    return a;
}

static int read_scalar(struct loader *l, const yaml_event_t *e, struct yaml_node *n)
{
    size_t length = e->data.scalar.length;
    const char *text = (const char *)e->data.scalar.value;
    if (memchr(text, 0, length))
        return fail(l, e->start_mark, "a zero byte in a string (remove \\0)");
    n->text = arena_strndup(l->arena, text, length);
    n->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return 0;
}

static int read_key(struct loader *l, const yaml_event_t *e, const char **key)
{
    if (e->type != YAML_SCALAR_EVENT)
        return fail(l, e->start_mark, "a key must be a plain word, not a list, map or alias");
    if (e->data.scalar.tag)
        return fail(l, e->start_mark, "tags (!…) are not used here (remove the tag)");
    size_t length = e->data.scalar.length;
    const char *text = (const char *)e->data.scalar.value;
    if (!length)
        return fail(l, e->start_mark, "a key is missing before the colon");
    if (memchr(text, 0, length))
        return fail(l, e->start_mark, "a zero byte in a key (remove \\0)");
    if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !strcmp(text, "<<"))
        return fail(l, e->start_mark,
                    "merge keys (<<) are not used here (use base: in an experiment)");
    *key = arena_strndup(l->arena, text, length);
    return 0;
}

static int by_key(const void *a, const void *b)
{
    const struct yaml_node *x = *(struct yaml_node *const *)a, *y = *(struct yaml_node *const *)b;
    int order = strcmp(x->key, y->key);
    if (order)
        return order;
    if (x->key_line != y->key_line)
        return x->key_line < y->key_line ? -1 : 1;
    return x->key_column < y->key_column ? -1 : x->key_column > y->key_column;
}

/* Sorting keeps a map of 100,000 keys cheap. Inner maps end first, so the topmost duplicate of the
 * file is known, and reported, at its end. */
static void note_duplicates(struct loader *l, const struct yaml_node *map)
{
    size_t n = 0;
    const struct yaml_node **all = mem_alloc(sizeof *all * (size_t)map->n_children);
    for (const struct yaml_node *c = map->child; c; c = c->next)
        all[n++] = c;
    qsort(all, n, sizeof *all, by_key);
    for (size_t i = 1; i < n; i++)
        if (!strcmp(all[i - 1]->key, all[i]->key) &&
            (!l->duplicate || all[i]->key_line < l->duplicate->key_line)) {
            l->first = all[i - 1];
            l->duplicate = all[i];
        }
    free(all);
}

static int fail_duplicate(struct loader *l)
{
    const struct yaml_node *d = l->duplicate;
    return error_set(l->err, "%s:%d:%d: duplicate key %s (first set on line %d; remove one)",
                     l->file, d->key_line, d->key_column, d->key, l->first->key_line);
}

static int read_node(struct loader *l, const yaml_event_t *e, int depth, struct yaml_node **out);

/* The children of a list or map, up to its end event. */
static int read_children(struct loader *l, struct yaml_node *parent, int depth)
{
    struct yaml_node **link = &parent->child;
    int map = parent->kind == YAML_MAP;
    for (;;) {
        yaml_event_t e;
        yaml_mark_t at;
        const char *key = NULL;
        if (next_event(l, &e))
            return -1;
        if (e.type == (map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT)) {
            yaml_event_delete(&e);
            if (map)
                note_duplicates(l, parent);
            return 0;
        }
        at = e.start_mark;
        if (map) {
            int rc = read_key(l, &e, &key);
            yaml_event_delete(&e);
            if (rc || next_event(l, &e))
                return -1;
        }
        int rc = read_node(l, &e, depth, link);
        yaml_event_delete(&e);
        if (rc)
            return -1;
        (*link)->key = key;
        (*link)->key_line = map ? (int)at.line + 1 : 0;
        (*link)->key_column = map ? (int)at.column + 1 : 0;
        link = &(*link)->next;
        parent->n_children++;
    }
}

static int read_collection(struct loader *l, enum yaml_kind kind, const yaml_event_t *e,
                           const yaml_char_t *anchor, int depth, struct yaml_node **out)
{
    if (depth >= MAX_DEPTH)
        return fail(l, e->start_mark, "nested deeper than 64 levels (flatten the file)");
    struct anchor *a = add_anchor(l, anchor);
    *out = new_node(l, kind, e->start_mark);
    if (!*out || read_children(l, *out, depth + 1))
        return -1;
    if (a)
        a->node = *out;
    return 0;
}

static int read_node(struct loader *l, const yaml_event_t *e, int depth, struct yaml_node **out)
{
    struct anchor *a;
    const yaml_char_t *tag = e->type == YAML_SCALAR_EVENT           ? e->data.scalar.tag
                             : e->type == YAML_SEQUENCE_START_EVENT ? e->data.sequence_start.tag
                             : e->type == YAML_MAPPING_START_EVENT  ? e->data.mapping_start.tag
                                                                    : NULL;
    if (tag)
        return fail(l, e->start_mark, "tags (!…) are not used here (remove the tag)");
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return expand_alias(l, e, out);
    case YAML_SEQUENCE_START_EVENT:
        return read_collection(l, YAML_LIST, e, e->data.sequence_start.anchor, depth, out);
    case YAML_MAPPING_START_EVENT:
        return read_collection(l, YAML_MAP, e, e->data.mapping_start.anchor, depth, out);
    case YAML_SCALAR_EVENT:
        a = add_anchor(l, e->data.scalar.anchor);
        *out = new_node(l, YAML_SCALAR, e->start_mark);
        if (a)
            a->node = *out;
        return *out ? read_scalar(l, e, *out) : -1;
    default:
        BUG("libyaml event %d in a node", (int)e->type);
    }
}

/* stream start, document start, one node, document end, stream end. */
static int read_document(struct loader *l, struct yaml_node **root)
{
    yaml_event_t e;
    *root = NULL;
    for (;;) {
        if (next_event(l, &e))
            return -1;
        yaml_event_type_t type = e.type;
        int rc = 0;
        if (type == YAML_DOCUMENT_START_EVENT && *root)
            rc = fail(l, e.start_mark, "a second document (keep one document a file)");
        else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                 type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT)
            rc = read_node(l, &e, 0, root);
        yaml_event_delete(&e);
        if (rc)
            return -1;
        if (type == YAML_STREAM_END_EVENT)
            break;
    }
    if (l->duplicate)
        return fail_duplicate(l);
    return *root ? 0 : error_set(l->err, "%s: the file is empty", l->file);
}

/* libyaml lets tabs pass between tokens; as indentation they look like what they are not. */
static int check_tabs(struct loader *l)
{
    size_t line = 0, start = 0;
    int indent = 1;
    for (size_t i = 0; i < l->size; i++) {
        char c = l->text[i];
        if (c == '\t' && indent)
            return fail_at(l, line, i - start, "tab used for indentation (use spaces)");
        if (c == '\n') {
            line++;
            start = i + 1;
        }
        indent = c == '\n' || (indent && c == ' ');
    }
    return 0;
}

int yaml_parse(struct arena *a, const char *name, const char *text, size_t size,
               struct yaml_node **root, struct error *err)
{
    size_t mark = size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0; /* some editors' */
    struct loader l = {.arena = a, .text = text + mark, .size = size - mark, .err = err};
    l.file = arena_strdup(a, name);
    *root = NULL;
    if (size > MAX_BYTES)
        return error_set(err, "%s: %zu bytes, more than 1 MiB (split the file)", name, size);
    if (check_tabs(&l))
        return -1;
    if (!yaml_parser_initialize(&l.parser))
        return error_env(err, "%s: out of memory", name);
    yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&l.parser, (const unsigned char *)l.text, l.size);
    int rc = read_document(&l, root);
    yaml_parser_delete(&l.parser);
    return rc;
}

int yaml_load(struct arena *a, const char *path, struct yaml_node **root, struct error *err)
{
    char *text;
    size_t size;
    if (file_read(path, MAX_BYTES, &text, &size, err))
        return -1;
    int rc = yaml_parse(a, path, text, size, root, err);
    free(text);
    return rc;
}

struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
    for (struct yaml_node *c = map->kind == YAML_MAP ? map->child : NULL; c; c = c->next)
        if (!strcmp(c->key, key))
            return c;
    return NULL;
}
