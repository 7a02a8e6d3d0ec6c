/* vittm diff: what differs between two runs or cells. */
#include "cli/command.h"

#include <string.h>

#include "base/error.h"
#include "cli/store.h"
#include "results/listing.h"
#include "results/rows.h"

static const struct option_spec options[] = {
    {.name = "images",
     .type = OPTION_FLAG,
     .doc = "compare two runs image by image, with McNemar's exact test"},
    OPTION_FORMAT,
    OPTION_DB,
    {0}};

/* For people: a text of a page, as that of uncommitted changes, would make every line as long. */
static void shorten(struct rows *r)
{
    enum { LONG = 160 };
    for (size_t i = 0; r != NULL && i < r->count; i++)
        for (size_t k = 1; k < r->columns; k++) {
            struct rows_cell *c = rows_cell(r, i, k);
            if (c->type == ROWS_TEXT && strlen(c->text) > LONG)
                rows_set_format(r, c, "%zu characters (vittm show RUN --env)", strlen(c->text));
        }
}

static int for_people(const struct args *a)
{
    static const char *const formats[] = {"table", "md", "latex"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(args_text(a, "format"), formats[i]) == 0)
            return 1;
    return 0;
}

static int run(const struct args *a, struct error *err)
{
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    struct rows *rows = args_flag(a, "images")
                            ? listing_images(s, a->operands[0], a->operands[1], err)
                            : listing_diff(s, a->operands[0], a->operands[1], err);
    if (for_people(a))
        shorten(rows);
    int rc = cli_print(a, rows, "no difference in configuration, environment or metrics", err);
    store_close(s);
    return rc;
}

const struct command command_diff = {
    .name = "diff",
    .group = "Results",
    .summary = "what differs between two runs or cells",
    .operands = "A B",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .details = "Metrics of a cell are means over its seeds. With --images: how many evaluation "
               "images both got right, only one, and neither, "
               "and the probability of such a split if the two were equally good. Both runs must "
               "have been evaluated on the same images.",
    .examples = "  vittm diff 3f2a 91bc\n"
                "  vittm diff 3f2a-s0 91bc-s0 --images",
    .run = run,
};
