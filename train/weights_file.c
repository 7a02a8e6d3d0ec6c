#include "train/weights_file.h"

#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

void weights_config_text(const struct config *c, struct strbuf *out)
{
    struct config *copy = config_copy(c);
    struct config_item item;
    struct error err = {0};
    for (int i = 0; config_item(c, i, &item); i++)
        if (item.key->flags & (CONFIG_UNHASHED | CONFIG_CONTENT))
            config_unset(copy, item.key->name);
    if (config_resolve(copy, &err))
        BUG("%s", err.msg);
    config_dump(copy, out);
    config_free(copy);
}

/* The second names of shared parameters. Returns how many entries there are now. */
static size_t add_second_names(const struct weights *w, struct safetensors_entry *entries)
{
    size_t n = (size_t)w->n;
    for (int i = 0; i < w->n; i++) {
        if (!w->tensors[i]->alias_name)
            continue;
        entries[n] = entries[i];
        entries[n++].name = w->tensors[i]->alias_name;
    }
    return n;
}

int weights_write(const struct weights *w, const char *path, const struct weights_about *about,
                  char digest[65], struct error *err)
{
    struct arena a = {0};
    struct strbuf text = STRBUF_INIT;
    struct safetensors_entry *entries = ARENA_ARRAY(&a, struct safetensors_entry, 2 * w->n + 1);
    struct safetensors_pair *pairs = ARENA_ARRAY(&a, struct safetensors_pair, about->n_pairs + 2);
    size_t n = (size_t)w->n, n_pairs = about->n_pairs;
    weights_config_text(about->config, &text);
    weights_entries(w, "", &a, entries);
    if (about->both_names)
        n = add_second_names(w, entries);
    if (n_pairs)
        memcpy(pairs, about->pairs, sizeof *pairs * n_pairs);
    pairs[n_pairs++] = (struct safetensors_pair){"format", WEIGHTS_FORMAT};
    pairs[n_pairs++] = (struct safetensors_pair){"config", text.text};
    int rc = safetensors_write(path, entries, n, pairs, n_pairs, digest, err);
    strbuf_release(&text);
    arena_release(&a);
    return rc;
}
