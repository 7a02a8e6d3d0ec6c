#include "data/scene.h"

#include <string.h>

#include "base/rng.h"
#include "data/dataset.h"
#include "data/photometric.h"
#include "data/resize_taps.h"

#define TRIES 10 /* windows, until one has classes enough */

void scene_scratch_release(struct scene_scratch *s)
{
    image_release(&s->image);
    image_release(&s->mask);
    image_release(&s->window);
    image_release(&s->labels);
}

static struct image_view plane(const struct image *im, int channels)
{
    return (struct image_view){
        im->rgb, im->width, im->height, channels, 1, (ptrdiff_t)im->width * channels, channels};
}

static struct image_view window_of(const struct image_view *v, int top, int left, int size)
{
    struct image_view w = *v;
    w.data += top * v->step_y + left * v->step_x;
    w.height = v->height - top < size ? v->height - top : size;
    w.width = v->width - left < size ? v->width - left : size;
    return w;
}

int scene_is_mixed(const struct image_view *labels, double max_share)
{
    int64_t count[256] = {0}, sum = 0, most = 0;
    int present = 0;
    for (int y = 0; y < labels->height; y++)
        for (int x = 0; x < labels->width; x++)
            count[labels->data[y * labels->step_y + x * labels->step_x]]++;
    for (int k = 0; k < 256; k++) {
        if (k == DATASET_IGNORE || !count[k])
            continue;
        present++;
        sum += count[k];
        most = count[k] > most ? count[k] : most;
    }
    return present > 1 && (double)most / (double)sum < max_share;
}

static int any_offset(struct rng *r, int side, int size)
{
    return side > size ? (int)rng_below(r, side - size + 1) : 0;
}

static void resize_both(const struct scene_options *o, const struct image_view *image,
                        const struct image_view *mask, struct rng *r, struct scene_scratch *s)
{
    double ratio = rng_range(r, o->ratio[0], o->ratio[1]);
    int long_side = (int)(o->long_side * ratio), short_side = (int)(o->short_side * ratio);
    int height, width;
    resize_fit(image->height, image->width, long_side < 1 ? 1 : long_side,
               short_side < 1 ? 1 : short_side, &height, &width);
    image_resize_buffer(&s->image, width, height);
    resize_linear(image, width, height, s->image.rgb);
    if (!mask)
        return;
    image_resize_buffer(&s->mask, width, height);
    resize_nearest(mask, width, height, s->mask.rgb);
}

static void copy_window(const struct image_view *from, int mirrored, struct image *to)
{
    image_resize_buffer(to, from->width, from->height);
    unsigned char *out = to->rgb;
    for (int y = 0; y < from->height; y++)
        for (int x = 0; x < from->width; x++)
            for (int c = 0; c < from->channels; c++) {
                int at = mirrored ? from->width - 1 - x : x;
                *out++ = from->data[y * from->step_y + at * from->step_x + c * from->step_c];
            }
}

struct scene_window scene_cut(const struct scene_options *o, const struct image_view *image,
                              const struct image_view *mask, int size, struct rng *r,
                              struct scene_scratch *s)
{
    int top = 0, left = 0;
    resize_both(o, image, mask, r, s);
    struct image_view pixels = plane(&s->image, image->channels), labels = plane(&s->mask, 1);
    for (int i = 0; i <= TRIES; i++) {
        top = any_offset(r, pixels.height, size);
        left = any_offset(r, pixels.width, size);
        if (!mask || o->max_share >= 1)
            break;
        struct image_view w = window_of(&labels, top, left, size);
        if (scene_is_mixed(&w, o->max_share))
            break;
    }
    int mirrored = o->flip && rng_below(r, 2);
    struct image_view cut = window_of(&pixels, top, left, size);
    copy_window(&cut, mirrored, &s->window);
    if (o->photometric && cut.channels == 3)
        photometric_distort(s->window.rgb, (size_t)cut.width * (size_t)cut.height, r);
    if (mask) {
        struct image_view l = window_of(&labels, top, left, size);
        copy_window(&l, mirrored, &s->labels);
    }
    return (struct scene_window){cut.width, cut.height, cut.channels};
}
