#include "train/views.h"

#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "data/mix.h"
#include "model/objective.h"
#include "train/network.h"

#include <stdlib.h>

int views_check(const struct config *c, const struct dataset *d, struct error *err)
{
    struct mix mix;
    if (!config_is_active(c, "model.second.view"))
        return 0;
    const struct view *v = (const struct view *)config_choice(c, "model.second.view");
    if (!v->derive)
        return config_error(c, err, "model.second.view",
                            "no data set supplies %s: such a model can be counted and timed, not "
                            "trained",
                            v->choice.name);
    if (!v->needs_mask)
        return 0;
    if (!dataset_has_masks(d))
        return config_error(c, err, "model.second.view",
                            "%s is made of segmentation masks, which %s does not have",
                            v->choice.name, dataset_name(d));
    if (mix_init(&mix, c, err))
        return -1;
    if (mix_has_targets(&mix)) /* erasing is no matter: it hides the image alone */
        return config_error(c, err, "model.second.view",
                            "%s is made of segmentation masks, which are not mixed as images are "
                            "(set data.mix.mixup_alpha and data.mix.cutmix_alpha to 0)",
                            v->choice.name);
    return 0;
}

int views_derive(const struct config *c)
{
    return config_is_active(c, "model.second.view");
}

int views_give_bytes(const struct config *c, const struct dataset *d, int train)
{
    const struct objective *objective =
        (const struct objective *)config_choice(c, "train.objective");
    return !objective->dense && !views_derive(c) && preprocess_gives_bytes(&d->preprocess, train);
}

void views_write_levels(struct network *n, const struct dataset *d, int train)
{
    if (n->levels)
        network_write(n, n->levels, preprocess_table(&d->preprocess, train));
}

int views_side(const struct network *n)
{
    int64_t side = n->image->shape.dim[3], other = n->second ? n->second->shape.dim[3] : 0;
    return (int)(side > other ? side : other);
}

int64_t views_count(const struct network *n)
{
    int64_t side = views_side(n);
    return n->batch * n->image->shape.dim[1] * side * side;
}

int views_need_masks(const struct network *n)
{
    return n->second && n->view->needs_mask;
}

/* images (B,channels,side,side) into an input of the same channels and its own side. */
static void write_shrunk(struct network *n, const struct tensor *input, const float *images,
                         int side)
{
    int channels = (int)input->shape.dim[1], to = (int)input->shape.dim[3];
    if (to == side) {
        network_write(n, input, images);
        return;
    }
    float *small = mem_alloc(sizeof *small * (size_t)shape_count(input->shape));
    view_shrink(images, (int)n->batch * channels, side, to, small);
    network_write(n, input, small);
    free(small);
}

static void write_second(struct network *n, const float *images, const uint8_t *masks, int side)
{
    int64_t pixels = (int64_t)side * side, channels = n->image->shape.dim[1],
            own = n->second->shape.dim[1];
    float *seen = mem_alloc(sizeof *seen * (size_t)(n->batch * own * pixels));
    for (int64_t i = 0; i < n->batch; i++)
        n->view->derive(images + i * channels * pixels, masks ? masks + i * pixels : NULL,
                        (int)channels, side, seen + i * own * pixels);
    write_shrunk(n, n->second, seen, side);
    free(seen);
}

void views_write(struct network *n, const float *images, const uint8_t *masks)
{
    int side = views_side(n);
    write_shrunk(n, n->image, images, side);
    if (n->second)
        write_second(n, images, masks, side);
}

void views_write_batch(struct network *n, const struct batch *b)
{
    ASSERT((b->bytes != NULL) == (n->levels != NULL));
    if (b->bytes)
        network_write(n, n->image, b->bytes);
    else
        views_write(n, b->images, b->masks);
}
