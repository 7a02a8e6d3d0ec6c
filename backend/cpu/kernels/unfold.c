/* unfold and fold. The grid is an image (B,C,H,W) or tokens (B,H*W,C): two strides tell them apart.
 */
#include "backend/cpu/kernels/kernel.h"

struct layout {
    int64_t channel, pixel, sample,
        row; /* strides in the grid; elements of a sample; values in a row */
};

static struct layout layout_of(const struct unfold_attr *a)
{
    int64_t pixels = a->height * a->width;
    return (struct layout){.channel = a->tokens ? 1 : pixels,
                           .pixel = a->tokens ? a->channels : 1,
                           .sample = a->channels * pixels,
                           .row = a->channels * a->kernel * a->kernel};
}

/* Calls for every value of window w: its place in the row, its pixel in the grid, or -1 in the
 * padding. */
static int64_t pixel_of(const struct unfold_attr *a, int64_t w, int64_t ky, int64_t kx)
{
    int64_t y = w / a->out_width * a->stride - a->pad + ky;
    int64_t x = w % a->out_width * a->stride - a->pad + kx;
    return y < 0 || x < 0 || y >= a->height || x >= a->width ? -1 : y * a->width + x;
}

void KERNEL(unfold)(const struct kernel_call *c)
{
    const struct unfold_attr *a = c->node->attr;
    struct layout l = layout_of(a);
    int64_t windows = a->out_height * a->out_width, area = a->kernel * a->kernel;
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, c->node->out[0]->shape.dim[0] * windows)
    {
        const real *from = x + i / windows * l.sample;
        real *to = y + i * l.row;
        for (int64_t k = 0; k < area; k++) {
            int64_t at = pixel_of(a, i % windows, k / a->kernel, k % a->kernel);
            for (int64_t ch = 0; ch < a->channels; ch++)
                to[ch * area + k] = at < 0 ? 0 : from[ch * l.channel + at * l.pixel];
        }
    }
}

void KERNEL(fold)(const struct kernel_call *c)
{
    const struct unfold_attr *a = c->node->attr;
    struct layout l = layout_of(a);
    int64_t windows = a->out_height * a->out_width, area = a->kernel * a->kernel;
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, b, c->node->out[0]->shape.dim[0])
    {
        real *to = y + b * l.sample;
        memset(to, 0, sizeof(real) * (size_t)l.sample);
        for (int64_t w = 0; w < windows; w++)
            for (int64_t k = 0; k < area; k++) {
                int64_t at = pixel_of(a, w, k / a->kernel, k % a->kernel);
                const real *from = x + (b * windows + w) * l.row + k;
                for (int64_t ch = 0; at >= 0 && ch < a->channels; ch++)
                    to[ch * l.channel + at * l.pixel] += from[ch * area];
            }
    }
}
