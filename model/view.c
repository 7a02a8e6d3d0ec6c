/* The registry of views, and what they share. */
#include "model/view.h"

#define VIEW(name) extern const struct view view_##name;
#include "model/views.def"
#undef VIEW

static const struct view *const views[] = {
#define VIEW(name) &view_##name,
#include "model/views.def"
#undef VIEW
};

const struct view *view_at(int i)
{
    return i >= 0 && i < (int)(sizeof views / sizeof *views) ? views[i] : NULL;
}

const struct config_choice *view_choice(int i)
{
    return view_at(i) ? &view_at(i)->choice : NULL;
}

void view_shrink(const float *in, int channels, int side, int to, float *out)
{
    int times = side / to;
    float share = 1 / (float)(times * times);
    for (int c = 0; c < channels; c++, in += (ptrdiff_t)side * side)
        for (int y = 0; y < to; y++)
            for (int x = 0; x < to; x++) {
                const float *block = in + (ptrdiff_t)y * times * side + (ptrdiff_t)x * times;
                float sum = 0;
                for (int i = 0; i < times; i++)
                    for (int k = 0; k < times; k++)
                        sum += block[(ptrdiff_t)i * side + k];
                *out++ = sum * share;
            }
}

void view_luminance(const float *image, int channels, int side, float *out)
{
    static const float bt601[3] = {0.299f, 0.587f, 0.114f};
    ptrdiff_t pixels = (ptrdiff_t)side * side;
    for (ptrdiff_t i = 0; i < pixels; i++) {
        float sum = 0;
        for (int c = 0; c < channels; c++)
            sum += (channels == 3 ? bt601[c] : 1 / (float)channels) * image[c * pixels + i];
        out[i] = sum;
    }
}

int64_t view_one_channel(const struct config *c)
{
    (void)c;
    return 1;
}
