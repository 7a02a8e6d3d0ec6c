/* vittm list: what can be put into an experiment. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cli/models.h"
#include "cli/registries.h"
#include "cli/schema.h"
#include "cli/store.h"
#include "plots/metric.h"

static const struct option_spec options[] = {
    {.name = "names", .doc = "names alone, one a line"}, OPTION_FORMAT, {0}};

static void add(struct rows *r, const char *name, const char *doc)
{
    struct rows_cell *cell = rows_append(r);
    rows_set_text(r, &cell[0], name);
    rows_set_text(r, &cell[1], doc);
}

static struct rows *two_columns(const char *first, const char *second)
{
    return rows_new(2, (const char *const[]){first, second});
}

/* ---- lists that are not plain registries ---- */

/* The first comment line of a model's file says what it is. */
static const char *model_doc(struct arena *a, const char *name)
{
    struct error ignored = {0};
    const char *path = models_find(a, name, &ignored);
    FILE *f = path != NULL ? fopen(path, "r") : NULL;
    char line[256] = "";
    if (f != NULL) {
        if (fgets(line, sizeof line, f) == NULL || line[0] != '#')
            line[0] = 0;
        fclose(f);
    }
    line[strcspn(line, "\n")] = 0;
    return arena_strdup(a, line + strspn(line, "# "));
}

static struct rows *list_models(struct error *err)
{
    struct arena arena = {0};
    const char *const *names = models_names(&arena, err);
    struct rows *r = names != NULL ? two_columns("model", "about") : NULL;
    for (int i = 0; r != NULL && names[i] != NULL; i++)
        add(r, names[i], model_doc(&arena, names[i]));
    arena_release(&arena);
    return r;
}

static struct rows *list_devices(struct error *err)
{
    (void)err;
    struct rows *r = rows_new(3, (const char *const[]){"device", "state", "about"});
    for (int i = 0; backend_at(i) != NULL; i++) {
        const struct backend *b = backend_at(i);
        struct backend_options o = {.threads = 1};
        struct error why = {0};
        char device[256] = "";
        int usable = backend_open(b, &o, device, sizeof device, &why) != NULL;
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], b->choice.name);
        rows_set_text(r, &cell[1], usable ? "usable" : "not usable");
        rows_set_text(r, &cell[2], usable ? device : why.msg);
    }
    return r;
}

static struct rows *list_metrics(struct error *err)
{
    (void)err;
    struct rows *r = two_columns("metric", "about");
    const char *name, *title;
    for (int i = 0; metric_at(i, &name, &title); i++)
        add(r, name, title);
    return r;
}

enum key_column { KEY, FALLBACK, TYPE, VALUES, ABOUT, KEY_COLUMNS };

static const char *type_name(enum config_type type)
{
    static const char *const names[] = {
        [CONFIG_BOOL] = "true or false", [CONFIG_INT] = "integer", [CONFIG_FLOAT] = "number",
        [CONFIG_STRING] = "text",        [CONFIG_CHOICE] = "name", [CONFIG_INTS] = "integers",
        [CONFIG_FLOATS] = "numbers"};
    return names[type];
}

/* The names of a choice, the range of a number; NULL where there is neither. */
static const char *values_of(struct arena *a, const struct config_key *k)
{
    struct strbuf s = STRBUF_INIT;
    for (int i = 0; k->type == CONFIG_CHOICE && k->choice(i) != NULL; i++)
        strbuf_addf(&s, "%s%s", i > 0 ? ", " : "", k->choice(i)->name);
    if (k->min < k->max)
        strbuf_addf(&s, "%.15g to %.15g", k->min, k->max);
    const char *text = s.len > 0 ? arena_strdup(a, s.text) : NULL;
    strbuf_release(&s);
    return text;
}

/* A key once, however many members declare it. */
static void add_key(struct rows *r, const struct config_key *k)
{
    const char *fallback = k->fallback != NULL ? k->fallback : "(must be set)";
    for (size_t i = 0; i < r->count; i++) {
        struct rows_cell *cell = rows_cell(r, i, 0);
        if (strcmp(cell[0].text, k->name) != 0)
            continue;
        if (strcmp(cell[FALLBACK].text, fallback) != 0)
            rows_set_text(r, &cell[FALLBACK], "(depends)");
        return;
    }
    struct rows_cell *cell = rows_append(r);
    rows_set_text(r, &cell[KEY], k->name);
    rows_set_text(r, &cell[FALLBACK], fallback);
    rows_set_text(r, &cell[TYPE], type_name(k->type));
    rows_set_text(r, &cell[VALUES], values_of(&r->arena, k));
    rows_set_text(r, &cell[ABOUT], k->doc);
}

/* The keys of a table that begin with prefix, and those of every member that a key may choose. */
static void add_keys(struct rows *r, const struct config_key *table, const char *prefix)
{
    for (const struct config_key *k = table; k != NULL && k->name != NULL; k++) {
        if (strncmp(k->name, prefix, strlen(prefix)) == 0)
            add_key(r, k);
        for (int i = 0; k->type == CONFIG_CHOICE && k->choice(i) != NULL; i++)
            add_keys(r, k->choice(i)->keys, prefix);
    }
}

static struct rows *list_keys_of(const char *prefix)
{
    static const char *const names[KEY_COLUMNS] = {"key", "default", "type", "values", "about"};
    struct rows *r = rows_new(KEY_COLUMNS, names);
    for (const struct config_key *const *table = cli_schema(); *table != NULL; table++)
        add_keys(r, *table, prefix);
    return r;
}

/* Augmentations are switched on by keys of their own. */
static struct rows *list_augmentations(struct error *err)
{
    (void)err;
    return list_keys_of("data.augment.");
}

static struct rows *list_keys(struct error *err)
{
    (void)err;
    return list_keys_of("");
}

static const struct {
    const char *name;
    struct rows *(*list)(struct error *err);
} lists[] = {
    {"models", list_models},   {"devices", list_devices},
    {"metrics", list_metrics}, {"augmentations", list_augmentations},
    {"keys", list_keys},
};

enum { LISTS = sizeof lists / sizeof lists[0] };

/* ---- plain registries ---- */

static struct rows *list_registry(const struct registry *g)
{
    struct rows *r = two_columns("name", "about");
    for (int i = 0; g->choice(i) != NULL; i++)
        add(r, g->choice(i)->name, g->choice(i)->doc);
    if (g->key != NULL)
        r->caption = arena_printf(&r->arena, "values of %s", g->key);
    return r;
}

/* ---- the command ---- */

static const char *kind_name(int i)
{
    if (i < LISTS)
        return lists[i].name;
    const struct registry *g = registry_at(i - LISTS);
    return g != NULL ? g->name : NULL;
}

static const char *kind_at(const void *ctx, int i)
{
    (void)ctx;
    return kind_name(i);
}

static struct rows *build(const char *kind, struct error *err)
{
    for (int i = 0; i < LISTS; i++)
        if (strcmp(lists[i].name, kind) == 0)
            return lists[i].list(err);
    const struct registry *g = registry_find(kind);
    if (g != NULL)
        return list_registry(g);
    const char *near = config_nearest(kind, kind_at, NULL);
    if (near != NULL)
        error_set(err, "unknown list %s (did you mean %s?)", kind, near);
    else
        error_set(err, "unknown list %s (`vittm help list` names them)", kind);
    return NULL;
}

static int print_names(struct rows *r)
{
    if (r == NULL)
        return -1;
    for (size_t i = 0; i < r->count; i++)
        puts(rows_cell(r, i, 0)->text);
    rows_free(r);
    return EXIT_FINE;
}

/* What is known of one, for people: of a key the values that it may have and its default. */
static void describe(struct strbuf *out, const struct rows *r, const struct rows_cell *cell)
{
    strbuf_adds(out, cell[r->columns - 1].text);
    if (r->columns == KEY_COLUMNS && strcmp(cell[TYPE].text, "name") == 0)
        strbuf_addf(out, ": %s", cell[VALUES].text);
    const char *more = r->columns > 2 ? cell[1].text : "";
    int list = more[0] == '[';
    if (more[0] != 0)
        strbuf_addf(out, list ? " %s" : " [%s]", more);
}

/* For people: whole texts, wrapped. */
static int print_human(struct rows *r)
{
    if (r == NULL)
        return -1;
    struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < r->count; i++) {
        const struct rows_cell *cell = rows_cell(r, i, 0);
        struct strbuf right = STRBUF_INIT;
        describe(&right, r, cell);
        help_columns(&out, cell[0].text, right.text, 26);
        strbuf_release(&right);
    }
    if (r->caption != NULL)
        strbuf_addf(&out, "\n%s\n", r->caption);
    fputs(out.text, stdout);
    strbuf_release(&out);
    rows_free(r);
    return EXIT_FINE;
}

static int run(const struct args *a, struct error *err)
{
    struct rows *r = build(a->operands[0], err);
    if (!args_flag(a, "names") && strcmp(args_text(a, "format"), "table") == 0)
        return print_human(r);
    return args_flag(a, "names") ? print_names(r) : cli_print(a, r, "none", err);
}

const struct command command_list = {
    .name = "list",
    .group = "Parts",
    .summary = "what an experiment can be made of",
    .operands = "WHAT",
    .min_operands = 1,
    .max_operands = 1,
    .operand_kind = OPERAND_WORD,
    .word = kind_name,
    .options = options,
    .examples = "  vittm list heads\n  vittm list models --names",
    .run = run,
};
