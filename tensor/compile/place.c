/* Placing: an address for every tensor.
 *
 * Tensors that share memory (a reshape and its source, an op done in place) form one storage, which
 * lives from the step that writes it first to the step that reads it last. Storages of the arena
 * are placed largest first at the lowest offset that is free during their life (shelves.h).
 * Parameters, inputs, constants, state and results have fixed places in the static block. A copy in
 * bf16 (store.c) is a storage of its own.
 *
 * The gradients of the parameters are one row at the start of the arena. Each holds its place from
 * the step that writes it to the end, so that what the forward pass kept for later gradients may
 * lie there until then: a training step's memory is not that of activations and gradients, but
 * little more than the larger of the two. */
#include "base/memory.h"
#include "tensor/compile/pass.h"
#include "tensor/compile/shelves.h"

#include <stdlib.h>

struct storage {
    int first, last; /* steps; first is -1 for leaves */
    size_t bytes, offset;
    enum plan_block block;
    int fixed; /* offset is decided */
    int into;  /* the storage that took this one over, or -1 */
};

struct placer {
    struct plan *p;
    const struct graph *g;
    int *root;                /* tensor id -> storage index; -1: dead tensor */
    int *copy;                /* tensor id -> index of its copy's storage; -1: none */
    const struct step **step; /* node id -> its step; NULL: an alias */
    struct storage *s;
    int n;
    size_t static_bytes;
};

static size_t aligned(const struct plan *p, size_t bytes)
{
    size_t unit = PLAN_ALIGN * p->value_size;
    return (bytes + unit - 1) / unit * unit;
}

static size_t reserve_static(struct placer *pl, size_t bytes)
{
    size_t offset = pl->static_bytes;
    pl->static_bytes += aligned(pl->p, bytes);
    return offset;
}

static int new_storage(struct placer *pl, const struct tensor *t, int step)
{
    struct storage *s = &pl->s[pl->n];
    *s = (struct storage){.first = step,
                          .last = step,
                          .bytes = plan_bytes(pl->p, t),
                          .block = PLAN_ARENA,
                          .into = -1};
    pl->root[t->id] = pl->n;
    return pl->n++;
}

static int storage_of(const struct placer *pl, const struct tensor *t)
{
    int i = pl->root[t->id];
    while (pl->s[i].into >= 0)
        i = pl->s[i].into;
    return i;
}

static void fix_in(struct placer *pl, const struct tensor *t, enum plan_block block, size_t offset)
{
    struct storage *s = &pl->s[storage_of(pl, t)];
    s->block = block;
    s->offset = offset;
    s->fixed = 1;
}

static void fix(struct placer *pl, const struct tensor *t, size_t offset)
{
    fix_in(pl, t, PLAN_STATIC, offset);
}

/* ---- the static block ------------------------------------------------------------------------ */

static void place_params(struct placer *pl)
{
    struct plan *p = pl->p;
    p->params_offset = pl->static_bytes;
    for (int i = 0; i < p->n_params; i++) {
        new_storage(pl, p->params[i], -1);
        fix(pl, p->params[i], reserve_static(pl, plan_bytes(p, p->params[i])));
    }
    if (p->stores_half) {
        p->copy_count = (int64_t)((pl->static_bytes - p->params_offset) / p->value_size);
        p->copy_offset = reserve_static(pl, 2 * (size_t)p->copy_count);
    }
}

static void place_leaves(struct placer *pl)
{
    for (int i = 0; i < pl->g->n_tensors; i++) {
        const struct tensor *t = pl->g->tensors[i];
        if (t->kind == TENSOR_NODE || t->kind == TENSOR_PARAM)
            continue;
        new_storage(pl, t, -1);
        if (t->kind == TENSOR_FLAT && t->output == FLAT_GRADS)
            fix_in(pl, t, PLAN_ARENA, pl->p->grads_offset);
        else if (t->kind == TENSOR_FLAT)
            fix(pl, t, pl->p->params_offset);
        else
            fix(pl, t, reserve_static(pl, plan_bytes(pl->p, t)));
    }
}

/* Gradients stand in the flat order of their parameters; results have a place of their own. */
static void pin_results(struct placer *pl)
{
    struct plan *p = pl->p;
    size_t offset = p->grads_offset; /* 0 */
    for (int i = 0; i < p->n_trained; i++) {
        fix_in(pl, p->grads[i], PLAN_ARENA, offset);
        offset += aligned(p, plan_bytes(p, p->grads[i]));
    }
    for (int i = 0; i < pl->g->n_outputs; i++) {
        const struct tensor *t = pl->g->outputs[i];
        if (!pl->s[storage_of(pl, t)].fixed)
            fix(pl, t, reserve_static(pl, plan_bytes(p, t)));
    }
}

/* ---- liveness -------------------------------------------------------------------------------- */

/* Whether input k of a node is read as a copy that exists already. */
static int reads_copy(const struct placer *pl, const struct node *n, int k)
{
    const struct step *st = pl->step[n->id];
    return st && plan_bit(st->half_in, k) && !plan_bit(st->rounds, k) &&
           !pl->p->places[plan_memory_of(n->in[k])->id].half;
}

static void make_storages(struct placer *pl)
{
    for (int i = 0; i < pl->g->n_nodes; i++) {
        const struct node *n = pl->g->nodes[i];
        for (int k = 0; k < n->n_in; k++) {
            struct storage *s = &pl->s[pl->root[n->in[k]->id]];
            if (s->last < i && !(pl->p->stores_half && reads_copy(pl, n, k)))
                s->last = i;
        }
        for (int k = 0; k < n->n_out; k++) {
            if (n->op->flags & OP_ALIAS)
                pl->root[n->out[k]->id] = pl->root[n->in[0]->id];
            else
                new_storage(pl, n->out[k], i);
        }
    }
}

/* Results of steps that nobody will look at. */
static void mark_unread(struct placer *pl)
{
    for (int i = 0; i < pl->p->n_steps; i++) {
        struct step *st = &pl->p->steps[i];
        for (int k = 0; k < st->node->n_out && k < 32; k++) {
            const struct storage *s = &pl->s[storage_of(pl, st->node->out[k])];
            if (!s->fixed && s->last == st->node->id)
                st->unread |= 1u << k;
        }
    }
}

/* May output 0 of n take the memory of input k? The storage must die here, and no other input may
 * show it in another arrangement, or be one that must not be overwritten. */
static int may_overwrite(const struct placer *pl, const struct node *n, int k)
{
    const struct storage *to = &pl->s[storage_of(pl, n->out[0])];
    const struct storage *from = &pl->s[storage_of(pl, n->in[k])];
    if (!op_overwrites(n->op, k) || n->in[k]->type != TENSOR_VALUE || from->block != PLAN_ARENA ||
        from->fixed || to->fixed || from->last != n->id || from->bytes != to->bytes ||
        shape_count(n->in[k]->shape) != shape_count(n->out[0]->shape))
        return 0;
    for (int i = 0; i < n->n_in; i++)
        if (storage_of(pl, n->in[i]) == storage_of(pl, n->in[k]) &&
            (!shape_equal(n->in[i]->shape, n->in[k]->shape) || !op_overwrites(n->op, i)))
            return 0;
    return 1;
}

static void merge(struct placer *pl, int from, int into)
{
    struct storage *a = &pl->s[into], *b = &pl->s[from];
    if (a->last < b->last)
        a->last = b->last;
    b->bytes = 0; /* gone */
    b->into = into;
}

static void share_in_place(struct placer *pl)
{
    for (int i = 0; i < pl->g->n_nodes; i++) {
        const struct node *n = pl->g->nodes[i];
        if (!(n->op->flags & OP_INPLACE) || n->n_out < 1)
            continue;
        for (int k = 0; k < n->n_in; k++)
            if (may_overwrite(pl, n, k)) {
                merge(pl, storage_of(pl, n->out[0]), storage_of(pl, n->in[k]));
                break;
            }
    }
}

/* ---- copies in bf16 -------------------------------------------------------------------------- */

static size_t param_copy(const struct placer *pl, const struct tensor *param)
{
    size_t offset = pl->s[storage_of(pl, param)].offset - pl->p->params_offset;
    return pl->p->copy_offset + offset / pl->p->value_size * 2;
}

static void new_copy(struct placer *pl, const struct tensor *t, int step)
{
    struct storage *s = &pl->s[pl->n];
    *s = (struct storage){
        .first = step, .last = step, .bytes = plan_copy_bytes(t), .block = PLAN_ARENA, .into = -1};
    if (t->kind == TENSOR_PARAM) {
        s->block = PLAN_STATIC;
        s->offset = param_copy(pl, t);
        s->fixed = 1;
    }
    pl->copy[t->id] = pl->n++;
}

/* A copy lives from the step that makes it to the last one that reads it. */
static void make_copies(struct placer *pl)
{
    const struct plan *p = pl->p;
    for (int i = 0; i < p->n_steps; i++) {
        const struct node *n = p->steps[i].node;
        for (int k = 0; k < n->n_in; k++) {
            const struct tensor *t = plan_memory_of(n->in[k]);
            if (!plan_bit(p->steps[i].half_in, k) || p->places[t->id].half)
                continue;
            if (pl->copy[t->id] < 0)
                new_copy(pl, t, n->id);
            pl->s[pl->copy[t->id]].last = n->id;
        }
        for (int k = 0; k < n->n_out; k++)
            if (plan_bit(p->steps[i].doubles, k))
                new_copy(pl, n->out[k], n->id);
    }
}

/* ---- the arena ------------------------------------------------------------------------------- */

struct candidate {
    size_t bytes;
    int storage;
};

/* By size, descending, equal ones in the order given: a radix sort, a digit of eight bits a turn.
 * spare: as long as c. Returns which of the two holds the result. */
static struct candidate *largest_first(struct candidate *c, struct candidate *spare, int n)
{
    size_t most = 0;
    for (int i = 0; i < n; i++)
        most |= c[i].bytes;
    for (int shift = 2; shift < 64 && most >> shift; shift += 8) { /* all are multiples of 4 */
        int start[257] = {0};
        for (int i = 0; i < n; i++)
            start[255 - (c[i].bytes >> shift & 255) + 1]++;
        for (int d = 0; d < 256; d++)
            start[d + 1] += start[d];
        for (int i = 0; i < n; i++)
            spare[start[255 - (c[i].bytes >> shift & 255)]++] = c[i];
        struct candidate *sorted = spare;
        spare = c;
        c = sorted;
    }
    return c;
}

/* The step in which most storages live. */
static int find_middle(const struct placer *pl, const struct candidate *c, int n)
{
    int steps = pl->g->n_nodes, middle = 0, most = 0, alive = 0;
    int *change = mem_zalloc((size_t)steps + 1, sizeof *change);
    for (int i = 0; i < n; i++) {
        change[pl->s[c[i].storage].first]++;
        change[pl->s[c[i].storage].last + 1]--;
    }
    for (int i = 0; i < steps; i++)
        if ((alive += change[i]) > most) {
            most = alive;
            middle = i;
        }
    free(change);
    return middle;
}

/* What needs a place, in the order of first steps: what equal sizes are sorted by. */
static int list_candidates(const struct placer *pl, struct candidate *c)
{
    int *start = mem_zalloc((size_t)pl->g->n_nodes + 2, sizeof *start), n = 0;
    for (int i = 0; i < pl->n; i++)
        if (!pl->s[i].fixed && pl->s[i].bytes) {
            start[pl->s[i].first + 1]++;
            n++;
        }
    for (int i = 0; i < pl->g->n_nodes; i++)
        start[i + 1] += start[i];
    for (int i = 0; i < pl->n; i++)
        if (!pl->s[i].fixed && pl->s[i].bytes)
            c[start[pl->s[i].first]++] = (struct candidate){pl->s[i].bytes, i};
    free(start);
    return n;
}

static void place_all(struct placer *pl, const struct candidate *c, int n, struct shelves *sh,
                      int no_reuse)
{
    struct plan *p = pl->p;
    size_t row = (size_t)p->flat_count * p->value_size;
    p->arena_bytes = row;
    for (int i = 0; i < n; i++) {
        struct storage *s = &pl->s[c[i].storage];
        size_t size = aligned(p, s->bytes);
        struct lifetime life = {s->first, s->last};
        s->offset = no_reuse ? p->arena_bytes : shelves_gap(sh, life, size, row);
        shelves_take(sh, life, s->offset, size);
        if (s->offset + size > p->arena_bytes)
            p->arena_bytes = s->offset + size;
    }
}

enum { PIECE = 65536 /* bytes of gradients that are taken from one step on */ };

/* The row of gradients, in pieces: each from the step that writes the first of it, or from the
 * start where there is padding, which must stay zero. */
static void take_gradients(const struct placer *pl, struct shelves *sh)
{
    const struct plan *p = pl->p;
    struct lifetime life = {.last = pl->g->n_nodes};
    size_t offset = 0, size = 0;
    for (int i = 0; i < p->n_trained; i++) {
        const struct storage *s = &pl->s[storage_of(pl, p->grads[i])];
        size_t bytes = aligned(p, s->bytes);
        int first = bytes == s->bytes ? s->first : -1;
        if (size >= PIECE && bytes >= PIECE) {
            shelves_take(sh, life, offset, size);
            offset += size;
            size = 0;
        }
        life.first = size && life.first < first ? life.first : first;
        size += bytes;
    }
    if (size)
        shelves_take(sh, life, offset, size);
}

static void place_arena(struct placer *pl, int no_reuse)
{
    struct candidate *pairs = mem_alloc(2 * ((size_t)pl->n + 1) * sizeof *pairs);
    int n = list_candidates(pl, pairs);
    struct shelves *sh = shelves_new(n + pl->p->n_trained, find_middle(pl, pairs, n));
    take_gradients(pl, sh);
    place_all(pl, largest_first(pairs, pairs + n, n), n, sh, no_reuse);
    shelves_free(sh);
    free(pairs);
}

static void place_tensor(const struct placer *pl, struct tensor *t)
{
    struct placement *to = &pl->p->places[t->id];
    const struct storage *s = &pl->s[storage_of(pl, t)];
    to->block = s->block;
    to->offset = s->offset;
    int copy = pl->p->stores_half ? pl->copy[plan_memory_of(t)->id] : -1;
    if (copy >= 0) {
        to->copy_block = pl->s[copy].block;
        to->copy_offset = pl->s[copy].offset;
    }
}

void pass_place(struct plan *p, const struct plan_options *options,
                const struct capability *backend)
{
    const struct graph *g = p->graph;
    size_t most = 2 * (size_t)g->n_tensors + (size_t)g->n_nodes;
    struct placer pl = {.p = p,
                        .g = g,
                        .root = mem_alloc(sizeof(int) * (size_t)g->n_tensors),
                        .copy = mem_alloc(sizeof(int) * (size_t)g->n_tensors),
                        .step = mem_zalloc((size_t)g->n_nodes + 1, sizeof *pl.step),
                        .s = mem_alloc(most * sizeof *pl.s)};
    for (int i = 0; i < p->n_steps; i++)
        pl.step[p->steps[i].node->id] = &p->steps[i];
    for (int i = 0; i < g->n_tensors; i++)
        pl.root[i] = pl.copy[i] = -1;
    place_params(&pl);
    place_leaves(&pl);
    make_storages(&pl);
    pin_results(&pl);
    mark_unread(&pl);
    if (!options->no_reuse)
        share_in_place(&pl);

    if (p->stores_half)
        make_copies(&pl);
    int scratch = pl.n; /* of step 0 */
    for (int i = 0; i < p->n_steps; i++) {
        const struct node *n = p->steps[i].node;
        p->steps[i].scratch_bytes = backend->scratch ? backend->scratch(backend->ctx, n) : 0;
        pl.s[pl.n++] = (struct storage){.first = n->id,
                                        .last = n->id,
                                        .bytes = p->steps[i].scratch_bytes,
                                        .block = PLAN_ARENA,
                                        .into = -1};
    }
    place_arena(&pl, options->no_reuse);
    for (int i = 0; i < p->n_steps; i++)
        p->steps[i].scratch_offset = pl.s[scratch + i].offset;

    for (int i = 0; i < g->n_tensors; i++)
        if (pl.root[i] >= 0)
            place_tensor(&pl, g->tensors[i]);
    p->static_bytes = pl.static_bytes;
    free(pl.copy);
    free(pl.step);
    free(pl.root);
    free(pl.s);
}
