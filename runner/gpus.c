#include "runner/gpus.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/number.h"

enum { MOST = 256 };

struct list {
    const char **names;
    int n;
    struct arena *arena;
};

static int add(struct list *l, const char *name, struct error *err)
{
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->names[i], name) == 0)
            return error_set(
                err, "GPU %s is named twice (--jobs says how many runs a GPU has at once)", name);
    if (l->n == MOST)
        return error_set(err, "more than %d GPUs", MOST);
    l->names[l->n++] = name;
    return 0;
}

static int read_number(const char *text, int64_t *value)
{
    if (text[strspn(text, "0123456789")] != 0 || number_int(text, value))
        return -1;
    return *value < 65536 ? 0 : -1;
}

/* "0-3"; anything else is one GPU's name. */
static int add_item(struct list *l, char *item, struct error *err)
{
    int64_t first, last;
    char *dash = strchr(item, '-');
    if (*item == 0)
        return error_set(err, "a GPU is missing between the commas (0-3, or 0,2)");
    if (dash == NULL || !isdigit((unsigned char)*item))
        return add(l, item, err);
    *dash = 0;
    if (read_number(item, &first) || read_number(dash + 1, &last) || first > last)
        return error_set(err, "%s-%s is no range of GPUs (0-3)", item, dash + 1);
    for (; first <= last; first++)
        if (add(l, arena_printf(l->arena, "%d", (int)first), err))
            return -1;
    return 0;
}

int gpus_parse(const char *text, struct arena *a, const char *const **gpus, struct error *err)
{
    struct list l = {ARENA_ARRAY(a, const char *, MOST), 0, a};
    char *item = arena_strdup(a, text);
    for (char *comma; item != NULL; item = comma) {
        comma = strchr(item, ',');
        if (comma != NULL)
            *comma++ = 0;
        if (add_item(&l, item, err))
            return -1;
    }
    *gpus = l.names;
    return l.n;
}
