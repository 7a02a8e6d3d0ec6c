#include "train/cost.h"

#include "model/model.h"

#include <ctype.h>
#include <string.h>

/* "blocks.0.attn.qkv" -> "blocks.0"; "head.weight" -> "head"; what no layer made belongs to the
 * streams. */
static const char *layer_of(struct arena *a, const char *path)
{
    size_t n = strcspn(path, ".");
    if (path[n] && isdigit((unsigned char)path[n + 1]))
        n += 1 + strcspn(path + n + 1, ".");
    return n ? arena_strndup(a, path, n) : "(streams)";
}

static struct cost_row *row(struct cost_table *t, const char *by, const char *name)
{
    for (int i = 0; i < t->n; i++)
        if (!strcmp(t->rows[i].by, by) && !strcmp(t->rows[i].name, name))
            return &t->rows[i];
    t->rows[t->n] = (struct cost_row){.by = by, .name = name, .params = strcmp(by, "op") ? 0 : -1};
    return &t->rows[t->n++];
}

static void add(struct cost_row *r, const struct node *n)
{
    struct op_cost c;
    op_cost(n, &c);
    r->calls++;
    r->cost.macs += c.macs;
    r->cost.macs_fvcore += c.macs_fvcore;
    r->cost.other_flops += c.other_flops;
    r->cost.bytes_read += c.bytes_read;
    r->cost.bytes_written += c.bytes_written;
}

static void add_nodes(struct cost_table *t, const struct graph *g, const char *by)
{
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = g->nodes[i];
        const char *name = !strcmp(by, "op")      ? n->op->name
                           : !strcmp(by, "layer") ? layer_of(&t->arena, n->scope)
                                                  : "all";
        if (!(n->op->flags & OP_ALIAS))
            add(row(t, by, name), n);
    }
}

static void add_params(struct cost_table *t, const struct graph *g)
{
    for (int i = 0; i < g->n_tensors; i++) {
        const struct tensor *p = g->tensors[i];
        if (p->kind != TENSOR_PARAM)
            continue;
        row(t, "total", "all")->params += shape_count(p->shape);
        row(t, "layer", layer_of(&t->arena, p->name))->params += shape_count(p->shape);
    }
}

int cost_table_init(struct cost_table *t, const struct config *c, struct error *err)
{
    struct model_io io;
    struct graph *g = model_build(c, &(struct model_options){.batch = 1}, &io, err);
    *t = (struct cost_table){0};
    if (!g)
        return -1;
    t->rows = ARENA_ARRAY(&t->arena, struct cost_row, 2 * g->n_nodes + g->n_tensors + 2);
    add_nodes(t, g, "total");
    add_nodes(t, g, "op");
    add_nodes(t, g, "layer");
    add_params(t, g);
    graph_free(g);
    return 0;
}

void cost_table_release(struct cost_table *t)
{
    arena_release(&t->arena);
    *t = (struct cost_table){0};
}
