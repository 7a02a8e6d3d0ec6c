/* Storing: which tensors a device keeps in bf16, and which get a copy in bf16 beside their values.
 *
 * A node's rule (struct half_rule) says which results it can write and which inputs it can read so.
 * A tensor is stored in bf16 where its producer and everybody who reads it, under whatever shape,
 * can do that. A tensor stored in full whose readers need bf16, a weight or the gradient of a
 * residual stream, gets a copy: parameters in a segment of their own, which whoever writes them
 * keeps up to date, others from where they are made, if that kernel can, or are needed first, to
 * where they are needed last. */
#include "base/memory.h"
#include "tensor/compile/pass.h"

#include <stdlib.h>

/* What the readers of a tensor ask for, by id. */
struct wish {
    unsigned char full;    /* somebody cannot read bf16 */
    unsigned char exact;   /* somebody would see that it was rounded */
    unsigned char rounded; /* somebody needs bf16 */
};

struct storer {
    struct plan *p;
    const struct capability *backend;
    struct wish *wishes;
};

static unsigned bit(int k)
{
    return k < 32 ? 1u << k : 0;
}

static struct half_rule rule_of(const struct storer *s, const struct node *n)
{
    struct half_rule r = {0};
    s->backend->halves(n, &r);
    return r;
}

static void keep_in_full(struct storer *s, const struct tensor *t)
{
    s->wishes[t->id].full = s->wishes[t->id].exact = 1;
}

/* Results are read by the host, gradients by the update. */
static void keep_ends(struct storer *s, int half_ends)
{
    const struct graph *g = s->p->graph;
    for (int i = 0; i < g->n_outputs && !half_ends; i++)
        keep_in_full(s, g->outputs[i]);
    for (int i = 0; i < s->p->n_trained; i++)
        keep_in_full(s, s->p->grads[i]);
}

/* From the last node to the first: whoever passes a tensor on asks for what its readers ask. */
static void collect_wishes(struct storer *s)
{
    const struct graph *g = s->p->graph;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct node *n = g->nodes[i];
        const struct wish *of_result = n->n_out ? &s->wishes[n->out[0]->id] : NULL;
        if (n->op->flags & OP_ALIAS) {
            s->wishes[n->in[0]->id].full |= of_result->full;
            s->wishes[n->in[0]->id].exact |= of_result->exact;
            continue;
        }
        struct half_rule r = rule_of(s, n);
        for (int k = 0; k < n->n_in; k++) {
            struct wish *w = &s->wishes[n->in[k]->id];
            int follows = plan_bit(r.follows, k);
            w->full |= !plan_bit(r.reads, k);
            w->exact |= follows ? of_result->exact | of_result->full : !plan_bit(r.accepts, k);
        }
    }
}

static int all_half(const struct storer *s, const struct node *n, unsigned inputs)
{
    for (int k = 0; k < n->n_in; k++)
        if (plan_bit(inputs, k) && !s->p->places[n->in[k]->id].half)
            return 0;
    return inputs != 0;
}

static void decide(struct storer *s)
{
    const struct graph *g = s->p->graph;
    for (int i = 0; i < g->n_nodes; i++) {
        const struct node *n = g->nodes[i];
        if (n->op->flags & OP_ALIAS) {
            s->p->places[n->out[0]->id].half = s->p->places[n->in[0]->id].half;
            continue;
        }
        struct half_rule r = rule_of(s, n);
        for (int k = 0; k < n->n_out; k++) {
            const struct tensor *t = n->out[k];
            const struct wish *w = &s->wishes[t->id];
            int can = plan_bit(r.writes, k) || (plan_bit(r.quiet, k) && !w->exact) ||
                      (k == 0 && all_half(s, n, r.follows));
            s->p->places[t->id].half = can && !w->full && t->type == TENSOR_VALUE;
        }
    }
}

/* Tests: inputs as their readers allow. */
static void decide_leaves(struct storer *s)
{
    const struct graph *g = s->p->graph;
    for (int i = 0; i < g->n_tensors; i++) {
        const struct tensor *t = g->tensors[i];
        s->p->places[i].half =
            t->kind == TENSOR_INPUT && t->type == TENSOR_VALUE && !s->wishes[i].full;
    }
}

/* Inputs that a step needs in bf16. */
static unsigned needs_of(const struct storer *s, const struct node *n, const struct half_rule *r)
{
    return r->needs | (n->n_out && s->p->places[n->out[n->n_out - 1]->id].half ? r->as_result : 0);
}

static void request_copies(struct storer *s)
{
    const struct graph *g = s->p->graph;
    for (int i = 0; i < g->n_nodes; i++) {
        struct half_rule r = rule_of(s, g->nodes[i]);
        unsigned needs = needs_of(s, g->nodes[i], &r);
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            const struct tensor *t = plan_memory_of(g->nodes[i]->in[k]);
            if (plan_bit(needs, k) && !s->p->places[t->id].half)
                s->wishes[t->id].rounded = 1;
        }
    }
}

/* Every step's inputs that are read in bf16; those that read a copy are told by the placement. */
static void mark_steps(struct storer *s)
{
    for (int i = 0; i < s->p->n_steps; i++) {
        struct step *st = &s->p->steps[i];
        const struct node *n = st->node;
        struct half_rule r = rule_of(s, n);
        unsigned wants = needs_of(s, n, &r) | r.accepts;
        for (int k = 0; k < n->n_in; k++) {
            const struct tensor *t = plan_memory_of(n->in[k]);
            int half = s->p->places[t->id].half;
            if (half || (s->wishes[t->id].rounded && plan_bit(wants, k)))
                st->half_in |= bit(k);
        }
        for (int k = 0; k < n->n_out; k++)
            if (s->p->places[n->out[k]->id].half)
                st->half_out |= bit(k);
    }
}

static void mark_doubles(const struct storer *s, struct step *st, char *made)
{
    struct half_rule r = rule_of(s, st->node);
    for (int k = 0; k < st->node->n_out; k++) {
        const struct tensor *t = st->node->out[k];
        if (!plan_bit(r.doubles, k) || !s->wishes[t->id].rounded)
            continue;
        made[t->id] = 1;
        st->doubles |= bit(k);
    }
}

/* The step that makes a tensor makes its copy, or the step that meets it first, but for
 * parameters. */
static void mark_copies(struct storer *s)
{
    char *made = mem_zalloc((size_t)s->p->graph->n_tensors, 1);
    for (int i = 0; i < s->p->n_steps; i++) {
        struct step *st = &s->p->steps[i];
        mark_doubles(s, st, made);
        for (int k = 0; k < st->node->n_in; k++) {
            const struct tensor *t = plan_memory_of(st->node->in[k]);
            if (!plan_bit(st->half_in, k) || s->p->places[t->id].half || made[t->id] ||
                t->kind == TENSOR_PARAM)
                continue;
            made[t->id] = 1;
            st->rounds |= bit(k);
        }
    }
    free(made);
}

void pass_store(struct plan *p, const struct plan_options *options,
                const struct capability *backend)
{
    if (!backend->halves)
        return;
    struct storer s = {p, backend, mem_zalloc((size_t)p->graph->n_tensors + 1, sizeof *s.wishes)};
    keep_ends(&s, options->half_ends);
    collect_wishes(&s);
    if (options->half_ends)
        decide_leaves(&s);
    decide(&s);
    request_copies(&s);
    mark_steps(&s);
    mark_copies(&s);
    p->stores_half = 1;
    free(s.wishes);
}
