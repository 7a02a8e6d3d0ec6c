#include "cli/cells.h"

#include "cli/command.h"
#include "cli/models.h"
#include "cli/schema.h"

int cells_load(struct cells *s, const struct args *a, const char *operand, struct error *err)
{
    *s = (struct cells){.arena = {0}};
    struct experiment_source source = {cli_schema(), models_roots(&s->arena)};
    if (experiment_load(&s->experiment, &source, operand, a->overrides, a->n_overrides, err)) {
        arena_release(&s->arena);
        return -1;
    }
    if (experiment_expand(&s->experiment, NULL, 0, err)) {
        cells_release(s);
        return -1;
    }
    return 0;
}

void cells_release(struct cells *s)
{
    experiment_release(&s->experiment);
    arena_release(&s->arena);
}

const char *cells_name(const struct cells *s, const struct cell *c)
{
    if (s->experiment.n_cells == 1)
        return s->experiment.name;
    return c->label && c->label[0] ? c->label : c->id;
}
