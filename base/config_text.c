/* Configurations as text: the identity, the dump, the walk, and who reads a key. */
#include "base/config_internal.h"

#include <ctype.h>
#include <string.h>

#include "base/number.h"
#include "base/strbuf.h"

/* Would YAML read it as something else than this string? Kept narrow: when in doubt, quotes. */
static int is_plain(const char *text)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no",
                                        "on",   "off",   "y",    "n"};
    if (!isalpha((unsigned char)text[0]) && !strchr("_/.", text[0]))
        return 0;
    for (const char *s = text; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_/.+-@", *s))
            return 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i]))
            return 0;
    double number;
    return number_float(text, &number) && strcasecmp(text, ".inf") && strcasecmp(text, ".nan");
}

static void add_quoted(struct strbuf *out, const char *text)
{
    strbuf_addc(out, '"');
    for (const char *s = text; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            strbuf_addf(out, "\\%c", c);
        else if (c == '\n')
            strbuf_adds(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            strbuf_addf(out, "\\x%02x", c);
        else
            strbuf_addc(out, (char)c);
    }
    strbuf_addc(out, '"');
}

static void add_line(struct strbuf *out, const struct config_key *key, const char *text)
{
    strbuf_adds(out, key->name);
    strbuf_adds(out, ": ");
    if (key->type == CONFIG_STRING && (!*text || !is_plain(text)))
        add_quoted(out, text);
    else
        strbuf_adds(out, text);
    strbuf_addc(out, '\n');
}

void config_identity(const struct config *c, struct strbuf *out)
{
    for (int i = 0; i < c->schema->n_slots; i++) {
        const struct config_value *v = c->states[i].value;
        if (!v || v->entry->key->flags & CONFIG_UNHASHED)
            continue;
        const struct config_value *fallback = v->entry->fallback;
        if (v == fallback || (fallback && !strcmp(fallback->text, v->text)))
            continue;
        add_line(out, v->entry->key, v->identity ? v->identity : v->text);
    }
}

void config_dump(const struct config *c, struct strbuf *out)
{
    for (int i = 0; i < c->schema->n_slots; i++)
        if (c->states[i].value)
            add_line(out, c->states[i].value->entry->key, c->states[i].value->text);
}

const char *config_plain(struct arena *a, const char *text)
{
    size_t n = strlen(text);
    if (n < 3 || text[0] != '[' || text[n - 1] != ']' ||
        strspn(text + 1, "0123456789+-.e, ") != n - 2)
        return text;
    char *plain = arena_strndup(a, text + 1, n - 2), *to = plain;
    for (const char *from = plain; *from; from++)
        if (*from != ' ')
            *to++ = *from;
    *to = 0;
    return plain;
}

int config_item(const struct config *c, int i, struct config_item *item)
{
    for (int slot = 0; slot < c->schema->n_slots; slot++) {
        const struct config_state *st = &c->states[slot];
        if ((!st->value && !st->assigned) || i-- > 0)
            continue;
        item->active = st->value != NULL;
        item->assigned = st->assigned != NULL;
        item->key =
            item->active ? st->value->entry->key : c->schema->slots[slot].declarations->entry->key;
        item->text = item->active ? st->value->text : st->assigned->text;
        item->origin =
            item->assigned ? st->assigned->origin : (struct config_origin){"default", 0, 0};
        return 1;
    }
    return 0;
}

/* Declarations of one owner come in registry order, but owners may alternate: one pass an owner. */
void config_owners(const struct config *c, const char *key, struct strbuf *out)
{
    int slot = config_schema_find(c->schema, key);
    if (slot < 0)
        return;
    const struct config_declaration *first = c->schema->slots[slot].declarations, *d, *e;
    for (d = first; d; d = d->next) {
        for (e = first; e != d && e->owner != d->owner; e = e->next)
            ;
        if (e != d || d->owner < 0)
            continue;
        strbuf_addf(out, "%s%s", out->len ? "; " : "", c->schema->slots[d->owner].name);
        for (const char *comma = ""; e; e = e->next)
            if (e->owner == d->owner) {
                strbuf_addf(out, "%s %s", comma, e->choice->name);
                comma = ",";
            }
    }
}
