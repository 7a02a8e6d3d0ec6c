/* ToMe (Bolya et al. 2023; the authors' code): between attention and MLP every block merges the r
 * pairs of tokens with the most similar keys into their size-weighted means.
 *
 * As in the authors' code the patched block drops layer scale: on models that have it (DeiT III)
 * ToMe computes another function than the model it was put on, and the gains are never read. */
#include "model/reducer.h"

#include <stdio.h>
#include <string.h>

enum r_kind { KIND_AUTO, KIND_CONSTANT, KIND_INFLECT, KIND_LIST };

static const struct config_choice kinds[] = {
    {.name = "auto", .doc = "one number: constant; several: list"},
    {.name = "constant", .doc = "r in every block"},
    {.name = "inflect",
     .doc = "[r, inflection]: from r (1 - inflection) linearly to r (1 + inflection); -1 decreases "
            "to 0"},
    {.name = "list", .doc = "one number for each block, then 0"},
};

static const struct config_choice *kind_choice(int i)
{
    return i >= 0 && i < (int)(sizeof kinds / sizeof *kinds) ? &kinds[i] : NULL;
}

static const struct config_key keys[] = {
    {.name = "model.reduce.r",
     .type = CONFIG_FLOATS,
     .fallback = "8",
     .min = -1,
     .max = 1e6,
     .doc = "tokens that a block merges: a number, or a schedule"},
    {.name = "model.reduce.r_kind",
     .type = CONFIG_CHOICE,
     .fallback = "auto",
     .choice = kind_choice,
     .doc = "what the numbers of model.reduce.r are"},
    REDUCE_KEYS,
    {0},
};

/* ---- the schedule ---------------------------------------------------------------------------- */

/* What the configuration says, before it is cut to the tokens at hand. */
static int64_t scheduled(const struct config *c, int64_t layer, int64_t depth)
{
    const double *r;
    int n = config_floats(c, "model.reduce.r", &r);
    if (config_choice(c, "model.reduce.r_kind") == &kinds[KIND_INFLECT]) {
        int64_t low = (int64_t)(r[0] * (1 - r[1]));
        double step = depth > 1 ? (2 * r[0] - 2 * (double)low) / (double)(depth - 1) : 0;
        return (int64_t)((double)low + step * (double)layer);
    }
    if (n == 1 && config_choice(c, "model.reduce.r_kind") != &kinds[KIND_LIST])
        return (int64_t)r[0];
    return layer < n ? (int64_t)r[layer] : 0;
}

static int whole(double r)
{
    return r >= 0 && r == (double)(int64_t)r;
}

/* The numbers must be what their kind says. */
static int check_numbers(struct builder *b, int64_t depth)
{
    const double *r;
    int n = config_floats(b->c, "model.reduce.r", &r);
    const struct config_choice *kind = config_choice(b->c, "model.reduce.r_kind");
    int inflects = kind == &kinds[KIND_INFLECT];
    int64_t most = inflects ? 2 : kind == &kinds[KIND_CONSTANT] ? 1 : depth;
    if (n < 1 || n > most || (inflects && n != 2)) {
        graph_refuse(b->g, "model.reduce.r has %d numbers, but model.reduce.r_kind %s takes %s%lld",
                     n, kind->name, most == 1 || inflects ? "" : "at most one a block, ",
                     (long long)most);
        return -1;
    }
    for (int i = 0; i < (inflects ? 1 : n); i++)
        if (!whole(r[i])) {
            graph_refuse(b->g, "model.reduce.r %g is no number of tokens (0, 1, 2, …)", r[i]);
            return -1;
        }
    if (inflects && !(r[1] >= -1 && r[1] <= 1)) {
        graph_refuse(b->g, "model.reduce.r: the inflection %g is not between -1 and 1", r[1]);
        return -1;
    }
    return 0;
}

/* Later blocks may ask for more than half of what is left: upstream's code merges half then. More
 * than half of all tokens is never possible. */
static void begin(struct builder *b, struct reduction *r)
{
    int64_t most = op_tome_amount(r->first_tokens, INT64_MAX, r->class_token, 0);
    if (check_numbers(b, r->depth))
        return;
    for (int64_t i = 0; i < r->depth; i++)
        if (scheduled(b->c, i, r->depth) > most) {
            graph_refuse(
                b->g,
                "model.reduce.r asks block %lld to merge %lld of %lld tokens: at most %lld "
                "(half of those that are not protected) can be merged",
                (long long)i, (long long)scheduled(b->c, i, r->depth), (long long)r->first_tokens,
                (long long)most);
            return;
        }
}

/* ---- the block ------------------------------------------------------------------------------- */

/* Mean over the heads of this block's keys: qkv (B,N,3C) -> (B,N,D). */
static struct tensor *key_metric(struct builder *b, struct tensor *qkv, int heads)
{
    struct shape s = qkv->shape;
    int64_t dim = s.dim[2] / 3;
    struct tensor *k = op_slice(b->g, qkv, 2, dim, dim); /* (B,N,C) */
    k = op_reshape(b->g, k, SHAPE(s.dim[0], s.dim[1], heads, dim / heads));
    return op_sum(b->g, k, 2, 1, 0, 1.0 / heads);
}

static int64_t amount_of(struct builder *b, const struct reduction *r, int64_t layer,
                         const struct tensor *x)
{
    return op_tome_amount(x->shape.dim[1], scheduled(b->c, layer, r->depth), r->class_token, 0);
}

static struct tensor *merge_pairs(struct builder *b, struct reduction *r, struct tensor *x,
                                  struct tensor *metric, int64_t amount)
{
    int64_t left = x->shape.dim[1] - amount;
    struct match m = op_tome_match(b->g, metric, amount, r->class_token, 0);
    if (r->sizes)
        x = op_mul(b->g, x, reduction_along(b, r->sizes, 3, 1));
    x = op_scatter_rows(b->g, x, m.assign, 1, left); /* (B,left,C): sums */
    reduction_note(b, r, m.assign, left);
    return op_div(b->g, x, reduction_along(b, r->sizes, 3, 1));
}

static void unread_gain(struct builder *b, const char *name, int64_t dim, double value)
{
    const char *old = nn_enter(b, name);
    nn_unused_param(b, "gamma", SHAPE(dim), (struct init){INIT_VALUE, value});
    nn_pop(b, old);
}

static struct tensor *block(struct builder *b, struct reduction *r, int64_t layer, const char *name,
                            struct tensor *x, const struct block_options *options)
{
    struct block_options o = *options;
    const char *old = nn_enter(b, name);
    if (o.layer_scale > 0) {
        unread_gain(b, "ls1", shape_last(x->shape), o.layer_scale);
        unread_gain(b, "ls2", shape_last(x->shape), o.layer_scale);
        o.layer_scale = 0;
    }
    struct tensor *qkv;
    struct tensor *y = nn_layer_norm(b, "norm1", x, o.eps > 0 ? o.eps : NN_EPS_TIMM);
    y = reduction_attention(b, r, y, &o, &qkv);
    x = nn_residual(b, "ls1", "drop_path1", x, y, &o);
    int64_t amount = amount_of(b, r, layer, x);
    if (amount > 0 && !graph_failed(b->g, NULL))
        x = merge_pairs(b, r, x, key_metric(b, qkv, o.heads), amount);
    x = reduction_mlp(b, x, &o);
    nn_pop(b, old);
    return x;
}

/* The authors' ablation has the tokens as the metric too (their table 1a). */
static struct tensor *merge(struct builder *b, struct reduction *r, int64_t layer, struct tensor *x)
{
    int64_t amount = amount_of(b, r, layer, x);
    return amount > 0 ? merge_pairs(b, r, x, x, amount) : x;
}

static void outputs(struct builder *b, struct reduction *r)
{
    if (!r->sizes)
        return;
    struct shape s = r->sizes->shape;
    graph_output(b->g, "output/token_sizes",
                 op_reshape(b->g, r->sizes, SHAPE(s.dim[0], s.dim[1], 1)));
    graph_output(b->g, "output/token_source", r->source);
}

const struct reducer reducer_tome = {
    .choice = {.name = "tome",
               .doc = "merges the tokens with the most similar keys in every block",
               .keys = keys},
    .paper = "Bolya et al. 2023",
    .begin = begin,
    .block = block,
    .merge = merge,
    .outputs = outputs,
};
