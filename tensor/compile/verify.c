/* plan_verify: an independent check of the memory plan, by running it symbolically. Every byte of
 * the arena remembers which tensor was written there last; a step may read a tensor only while all
 * its bytes are its own (or of the storage it shares). Quadratic in nothing: bytes are kept as a
 * list of owned ranges. */
#include "base/memory.h"
#include "tensor/compile/plan.h"

#include <stdlib.h>
#include <string.h>

struct range {
    size_t begin, end;
    int owner; /* identity of the value: id of the tensor that a non-alias op wrote */
};

struct ownership {
    struct range *r;
    size_t n, cap;
};

static void push(struct ownership *o, size_t begin, size_t end, int owner)
{
    if (begin >= end)
        return;
    o->r = mem_grow(o->r, o->n, &o->cap, sizeof *o->r);
    o->r[o->n++] = (struct range){begin, end, owner};
}

/* The bytes begin..end now belong to owner (-1: garbage). */
static void take(struct ownership *o, size_t begin, size_t end, int owner)
{
    size_t n = o->n;
    for (size_t i = 0; i < n; i++) {
        struct range r = o->r[i];
        if (r.end <= begin || r.begin >= end)
            continue;
        o->r[i].end = o->r[i].begin; /* empty */
        push(o, r.begin, r.begin < begin ? begin : r.begin, r.owner);
        push(o, end < r.end ? end : r.end, r.end, r.owner);
    }
    size_t kept = 0;
    for (size_t i = 0; i < o->n; i++)
        if (o->r[i].begin < o->r[i].end)
            o->r[kept++] = o->r[i];
    o->n = kept;
    push(o, begin, end, owner);
}

static int owns(const struct ownership *o, size_t begin, size_t end, int owner)
{
    size_t found = 0;
    for (size_t i = 0; i < o->n; i++) {
        const struct range *r = &o->r[i];
        if (r->owner == owner && r->begin < end && r->end > begin)
            found += (r->end < end ? r->end : end) - (r->begin > begin ? r->begin : begin);
    }
    return found == end - begin;
}

/* Bytes of the values of a tensor as the plan stores it. */
static size_t stored_bytes(const struct plan *p, const struct tensor *t)
{
    return (size_t)shape_count(t->shape) *
           (p->places[t->id].half ? 2 : tensor_type_size(t->type, p->value_size));
}

static const struct tensor *value_of(const struct tensor *t)
{
    while (t->producer && (t->producer->op->flags & OP_ALIAS))
        t = t->producer->in[0];
    return t;
}

/* The row of gradients is written through the parameters' gradients; what is between them is read
 * too, and nobody may have written there. */
static int check_gradients(const struct plan *p, const struct ownership *o, int step,
                           struct error *err)
{
    size_t unit = PLAN_ALIGN * p->value_size, offset = 0;
    for (int i = 0; i < p->n_trained; i++) {
        size_t end = offset + stored_bytes(p, p->grads[i]), next = (end + unit - 1) / unit * unit;
        int id = value_of(p->grads[i])->id;
        if (p->places[p->grads[i]->id].offset != offset || !owns(o, offset, end, id))
            return error_set(err, "step %d: the gradient of %s is not in its place", step,
                             p->params[i]->name);
        for (size_t k = 0; k < o->n; k++)
            if (o->r[k].begin < next && o->r[k].end > end)
                return error_set(err, "step %d: the zeros behind the gradient of %s are gone", step,
                                 p->params[i]->name);
        offset = next;
    }
    return 0;
}

static int check_read(const struct plan *p, const struct ownership *blocks, int step,
                      const struct tensor *t, struct error *err)
{
    const struct tensor *v = value_of(t);
    if (v->kind == TENSOR_FLAT && v->output == FLAT_GRADS)
        return check_gradients(p, &blocks[PLAN_ARENA], step, err);
    if (v->kind != TENSOR_NODE)
        return 0;
    struct placement at = p->places[t->id];
    if (at.block == PLAN_NONE)
        return error_set(err, "step %d (%s) reads the %s of %s, which has no place", step,
                         p->steps[step].node->op->name, t->name, t->producer->scope);
    if (!owns(&blocks[at.block], at.offset, at.offset + stored_bytes(p, t), v->id))
        return error_set(err,
                         "step %d (%s) reads the %s of %s after another result took its memory",
                         step, p->steps[step].node->op->name, t->name, t->producer->scope);
    return 0;
}

/* A copy in bf16 belongs to the tensor with this number, which no tensor has. */
static int copy_of(const struct tensor *v)
{
    return -2 - v->id;
}

/* Input k where the step reads bf16 beside values in full: the step that makes the copy reads the
 * values, later ones the copy alone. Parameters' copies are there from the start. */
static int check_copy(const struct plan *p, struct ownership *blocks, int step, int k,
                      struct error *err)
{
    const struct step *st = &p->steps[step];
    const struct tensor *t = st->node->in[k], *v = value_of(t);
    struct placement at = p->places[t->id];
    size_t end = at.copy_offset + plan_copy_bytes(t);
    if (at.copy_block == PLAN_NONE ||
        end > (at.copy_block == PLAN_ARENA ? p->arena_bytes : p->static_bytes))
        return error_set(err, "step %d reads a copy of %s, which has no place", step, t->name);
    if (v->kind == TENSOR_PARAM)
        return 0;
    if (plan_bit(st->rounds, k)) {
        if (check_read(p, blocks, step, t, err))
            return -1;
        take(&blocks[at.copy_block], at.copy_offset, end, copy_of(v));
    }
    if (!owns(&blocks[at.copy_block], at.copy_offset, end, copy_of(v)))
        return error_set(err, "step %d (%s) reads a copy of %s that was not made or is gone", step,
                         st->node->op->name, t->name);
    return 0;
}

static int reads_copy(const struct plan *p, const struct step *st, int k)
{
    return plan_bit(st->half_in, k) && !p->places[st->node->in[k]->id].half;
}

/* Whether input k of a step shares a byte with [begin, end) of a block. */
static int meets_input(const struct plan *p, const struct step *st, int k, enum plan_block block,
                       size_t begin, size_t end)
{
    const struct tensor *t = st->node->in[k];
    struct placement in = p->places[t->id];
    if (reads_copy(p, st, k) && in.copy_block == block && in.copy_offset < end &&
        begin < in.copy_offset + plan_copy_bytes(t))
        return 1;
    int reads_values = !reads_copy(p, st, k) || plan_bit(st->rounds, k);
    return reads_values && in.block == block && in.offset < end &&
           begin < in.offset + stored_bytes(p, t);
}

/* The copy of result k, where the step writes it too. */
static int check_double(const struct plan *p, struct ownership *blocks, int step, int k,
                        struct error *err)
{
    const struct step *st = &p->steps[step];
    const struct tensor *t = st->node->out[k];
    struct placement at = p->places[t->id];
    size_t end = at.copy_offset + plan_copy_bytes(t);
    if (!plan_bit(st->doubles, k))
        return 0;
    if (at.copy_block != PLAN_ARENA || end > p->arena_bytes)
        return error_set(err, "step %d writes a copy of %s outside its block", step, t->name);
    for (int j = 0; j < st->node->n_in; j++)
        if (meets_input(p, st, j, at.copy_block, at.copy_offset, end))
            return error_set(err, "step %d (%s) writes a copy of %s over its own input %s", step,
                             st->node->op->name, t->name, st->node->in[j]->name);
    take(&blocks[at.copy_block], at.copy_offset, end, copy_of(t));
    return 0;
}

static int check_step(const struct plan *p, struct ownership *blocks, int i, struct error *err)
{
    const struct step *st = &p->steps[i];
    const struct node *n = st->node;
    take(&blocks[PLAN_ARENA], st->scratch_offset, st->scratch_offset + st->scratch_bytes, -1);
    for (int k = 0; k < n->n_in; k++)
        if (reads_copy(p, st, k) ? check_copy(p, blocks, i, k, err)
                                 : check_read(p, blocks, i, n->in[k], err))
            return -1;
    for (int k = 0; k < n->n_out; k++) {
        struct placement at = p->places[n->out[k]->id];
        size_t end = at.offset + stored_bytes(p, n->out[k]);
        size_t limit = at.block == PLAN_ARENA ? p->arena_bytes : p->static_bytes;
        if (at.block == PLAN_NONE || end > limit)
            return error_set(err, "step %d (%s of %s) writes outside its block", i, n->op->name,
                             n->scope);
        for (int j = 0; j < n->n_in; j++)
            if (!(k == 0 && op_overwrites(n->op, j)) &&
                meets_input(p, st, j, at.block, at.offset, end))
                return error_set(err, "step %d (%s of %s) writes over its own input %s", i,
                                 n->op->name, n->scope, n->in[j]->name);
        take(&blocks[at.block], at.offset, end, n->out[k]->id);
    }
    for (int k = 0; k < n->n_out; k++)
        if (check_double(p, blocks, i, k, err))
            return -1;
    for (int k = 0; k < n->n_out; k++)
        if (!owns(&blocks[p->places[n->out[k]->id].block], p->places[n->out[k]->id].offset,
                  p->places[n->out[k]->id].offset + stored_bytes(p, n->out[k]), n->out[k]->id))
            return error_set(err, "step %d: two results of %s overlap", i, n->op->name);
    return 0;
}

int plan_verify(const struct plan *p, struct error *err)
{
    struct ownership blocks[3] = {{0}};
    int rc = 0;
    for (int i = 0; i < p->n_steps && !rc; i++)
        rc = check_step(p, blocks, i, err);
    if (!rc)
        rc = check_gradients(p, &blocks[PLAN_ARENA], p->n_steps, err);
    for (int i = 0; i < p->graph->n_outputs && !rc; i++) {
        const struct tensor *t = p->graph->outputs[i], *v = value_of(t);
        struct placement at = p->places[t->id];
        if (v->kind == TENSOR_NODE &&
            !owns(&blocks[at.block], at.offset, at.offset + stored_bytes(p, t), v->id))
            rc = error_set(err, "result %s is overwritten before the end",
                           p->graph->output_names[i]);
    }
    for (int i = 0; i < 3; i++)
        free(blocks[i].r);
    return rc;
}
