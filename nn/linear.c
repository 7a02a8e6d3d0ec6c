/* Linear layers, layer norm and the MLP. */
#include "nn/nn.h"

#include <math.h>

struct tensor *nn_linear_init(struct builder *b, const char *name, struct tensor *x, int64_t out,
                              struct init weight)
{
    const char *old = nn_enter(b, name);
    struct tensor *w = nn_param(b, "weight", SHAPE(out, shape_last(x->shape)), weight);
    struct tensor *bias = nn_param(b, "bias", SHAPE(out), nn_zero);
    struct tensor *y = op_linear(b->g, x, w, bias); /* (…, out) */
    nn_pop(b, old);
    return y;
}

struct tensor *nn_linear_torch(struct builder *b, const char *name, struct tensor *x, int64_t out)
{
    int64_t in = shape_last(x->shape);
    struct init init = {INIT_UNIFORM, 1 / sqrt((double)in)};
    const char *old = nn_enter(b, name);
    struct tensor *y = op_linear(b->g, x, nn_param(b, "weight", SHAPE(out, in), init),
                                 nn_param(b, "bias", SHAPE(out), init));
    nn_pop(b, old);
    return y;
}

struct tensor *nn_linear(struct builder *b, const char *name, struct tensor *x, int64_t out)
{
    double fans = (double)(shape_last(x->shape) + out);
    struct init init = b->xavier ? (struct init){INIT_UNIFORM, sqrt(6 / fans)} : nn_normal_002;
    return nn_linear_init(b, name, x, out, init);
}

struct tensor *nn_linear_plain(struct builder *b, const char *name, struct tensor *x, int64_t out)
{
    const char *old = nn_enter(b, name);
    struct tensor *w = nn_param(b, "weight", SHAPE(out, shape_last(x->shape)), nn_normal_002);
    nn_pop(b, old);
    return op_linear(b->g, x, w, NULL);
}

void nn_unused_linear(struct builder *b, const char *name, int64_t in, int64_t out)
{
    const char *old = nn_enter(b, name);
    nn_unused_param(b, "weight", SHAPE(out, in), nn_normal_002);
    nn_unused_param(b, "bias", SHAPE(out), nn_zero);
    nn_pop(b, old);
}

struct tensor *nn_layer_norm(struct builder *b, const char *name, struct tensor *x, double eps)
{
    const char *old = nn_enter(b, name);
    struct shape width = SHAPE(shape_last(x->shape));
    struct tensor *gamma = nn_param(b, "weight", width, nn_one);
    struct tensor *beta = nn_param(b, "bias", width, nn_zero);
    struct tensor *y = op_layer_norm(b->g, x, gamma, beta, eps);
    nn_pop(b, old);
    return y;
}

int64_t nn_hidden(int64_t dim, double ratio)
{
    return (int64_t)((double)dim * ratio);
}

struct tensor *nn_mlp(struct builder *b, const char *name, struct tensor *x, int64_t hidden,
                      int64_t out)
{
    const char *old = nn_enter(b, name);
    struct tensor *h = op_gelu(b->g, nn_linear(b, "fc1", x, hidden)); /* (…, hidden) */
    struct tensor *y = nn_linear(b, "fc2", h, out);
    nn_pop(b, old);
    return y;
}
