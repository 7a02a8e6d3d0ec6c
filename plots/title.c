/* What a cell is called in figures and in the report. */
#include "plots/data.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "plots/metric.h"
#include "results/rows.h"

/* The length of value where text begins with it, up to a separator; else -1. */
static int begins_with(const char *text, const char *value)
{
    size_t n = value != NULL ? strlen(value) : 0;
    int whole = n > 0 && strncmp(text, value, n) == 0 && strchr("/,", text[n]) != NULL;
    return whole ? (int)n : -1; /* strchr finds the end too */
}

static int longer(int a, int b)
{
    return a > b ? a : b;
}

/* How many characters of text are one of the cell's values, up to a separator; -1: none. Earlier
 * versions wrote lists into labels as they are stored. */
static int value_length(struct plot_data *d, const struct plot_cell *c, const char *text)
{
    const struct rows *r = d->source.runs;
    int longest = *text == '-' ? 1 : -1; /* a key that the cell does not read */
    for (size_t i = 0; i < r->columns; i++) {
        if (!data_is_key(r->names[i]))
            continue;
        longest = longer(longest, begins_with(text, data_cell_key(d, c, r->names[i])));
        longest = longer(longest, begins_with(text, data_cell_value(d, c, r->names[i])));
    }
    return longest;
}

/* Whether the label is but the cell's values, as the runner joins them: "linear/add", "64,2". */
static int is_made_of_values(struct plot_data *d, const struct plot_cell *c)
{
    for (const char *s = c->label;; s++) {
        s += strspn(s, " ");
        int n = value_length(d, c, s);
        if (n < 0 || s[n] == 0)
            return n >= 0;
        s += n;
    }
}

static int is_place(const char *key)
{
    return strcmp(key, "experiment") == 0 || strcmp(key, "device") == 0;
}

/* Words speak for themselves; "2", "true" and "4,8" do not. */
static int needs_key(const struct plot_factor *f, const char *level)
{
    return f->numeric || level[strspn(level, "0123456789+-.e,")] == 0 ||
           strcmp(level, "true") == 0 || strcmp(level, "false") == 0;
}

void data_level_title(const struct plot_data *d, int factor, int level, char *text, size_t size)
{
    const struct plot_factor *f = &d->factors[factor];
    char key[64], words[128];
    metric_level_title(f->levels[level], words, sizeof words);
    metric_key_title(f->key, key, sizeof key);
    if (strcmp(f->levels[level], "none") == 0)
        snprintf(text, size, "no %s", key);
    else if (needs_key(f, f->levels[level]))
        snprintf(text, size, "%s %s", key, words);
    else
        snprintf(text, size, "%s", words);
}

static void add_levels(struct plot_data *d, const struct plot_cell *c, int places, struct strbuf *s)
{
    char level[192];
    for (int f = 0; f < d->n_factors; f++) {
        if (c->levels[f] < 0 || (places && !is_place(d->factors[f].key)))
            continue;
        data_level_title(d, f, c->levels[f], level, sizeof level);
        strbuf_addf(s, "%s%s", s->len > 0 ? " · " : "", level);
    }
}

/* What an import calls a cell that has no label. */
static int is_id(const struct plot_cell *c)
{
    return strlen(c->label) >= 8 && strncmp(c->id, c->label, strlen(c->label)) == 0;
}

int data_is_labelled(struct plot_data *d, const struct plot_cell *c)
{
    return c->label[0] != 0 && !is_id(c) && !is_made_of_values(d, c);
}

const char *data_cell_title(struct plot_data *d, const struct plot_cell *c)
{
    struct strbuf s = STRBUF_INIT;
    int labelled = data_is_labelled(d, c);
    add_levels(d, c, labelled, &s);
    if (labelled)
        strbuf_addf(&s, "%s%s", s.len > 0 ? " · " : "", c->label);
    const char *title = s.len > 0 ? arena_strdup(&d->arena, s.text) : c->label;
    strbuf_release(&s);
    return title;
}
