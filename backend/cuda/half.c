/* Producers that can write bf16, and readers that can read it. */
#include "backend/cuda/half.h"

#include <string.h>

/* Bit i: output i may be written, input i may be read, as bf16. */
static const struct rule {
    const char *op;
    unsigned writes, reads;
    int reads_from_end; /* k: the k-th input from the end too; 0: none */
} rules[] = {
    {"layer_norm", 1, 0, 0}, {"add_layer_norm", 2, 0, 0}, {"gelu", 1, 0, 0},
    {"attention", 1, 0, 0},  {"linear", 0, 1, 0},         {"linear_add", 0, 2, 0},
    {"matmul", 0, 3, 0},     {"attention_grad", 0, 0, 3},
};

static const struct rule *rule_of(const struct op *op)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!strcmp(rules[i].op, op->name))
            return &rules[i];
    return NULL;
}

static int reads(const struct node *n, int input)
{
    const struct rule *r = rule_of(n->op);
    return r &&
           ((r->reads >> input & 1) || (r->reads_from_end && input == n->n_in - r->reads_from_end));
}

static int is_output(const struct graph *g, const struct tensor *t)
{
    for (int i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] == t)
            return 1;
    return 0;
}

/* Whether everybody who reads t, also under another shape, can read bf16. */
static int all_read(const struct graph *g, const struct tensor *t)
{
    if (is_output(g, t))
        return 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            if (n->in[k] != t)
                continue;
            if (n->op->flags & OP_ALIAS ? !all_read(g, n->out[0]) : !reads(n, k))
                return 0;
        }
    }
    return 1;
}

static void mark(const struct graph *g, unsigned char *half, const struct tensor *t)
{
    half[t->id] = 1;
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op->flags & OP_ALIAS && g->nodes[i]->in[0] == t)
            mark(g, half, g->nodes[i]->out[0]);
}

/* Written on top of an input, shorter values would overtake those that are still to be read. */
static int in_place(const struct plan *p, const struct node *n, int output)
{
    const struct placement *out = &p->places[n->out[output]->id];
    for (int i = 0; i < n->n_in; i++) {
        const struct placement *in = &p->places[n->in[i]->id];
        if (in->block == out->block && in->offset == out->offset)
            return 1;
    }
    return 0;
}

const unsigned char *half_tensors(const struct plan *p, struct arena *a)
{
    unsigned char *half = arena_alloc(a, (size_t)p->graph->n_tensors + 1);
    for (int i = 0; i < p->n_steps; i++) {
        const struct node *n = p->steps[i].node;
        const struct rule *r = rule_of(n->op);
        for (int k = 0; r && k < n->n_out; k++)
            if (r->writes >> k & 1 && !in_place(p, n, k) && all_read(p->graph, n->out[k]))
                mark(p->graph, half, n->out[k]);
    }
    return half;
}
