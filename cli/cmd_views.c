/* vittm views: the documented views and their columns. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "cli/store.h"
#include "results/views.h"

static const struct option_spec options[] = {OPTION_FORMAT, OPTION_DB, {0}};

static const char *view_name(int i)
{
    const struct view_doc *v = view_doc(i);
    return v != NULL ? v->name : NULL;
}

/* For people: whole texts, wrapped. */
static int print_human(struct rows *r)
{
    struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < r->count; i++) {
        const struct rows_cell *cell = rows_cell(r, i, 0);
        help_columns(&out, cell[0].text, cell[1].text, 17);
    }
    strbuf_adds(&out, "\n`vittm views VIEW` lists its columns.\n");
    fputs(out.text, stdout);
    strbuf_release(&out);
    rows_free(r);
    return EXIT_FINE;
}

static int run(const struct args *a, struct error *err)
{
    if (a->n_operands == 0 && strcmp(args_text(a, "format"), "table") == 0)
        return print_human(views_list(err));
    if (a->n_operands == 0)
        return cli_print(a, views_list(err), NULL, err);
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    int rc = cli_print(a, views_columns(s, a->operands[0], err), NULL, err);
    store_close(s);
    return rc;
}

const struct command command_views = {
    .name = "views",
    .group = "Results",
    .summary = "the documented views, or the columns of one",
    .operands = "[VIEW]",
    .max_operands = 1,
    .operand_kind = OPERAND_WORD,
    .word = view_name,
    .options = options,
    .run = run,
};
