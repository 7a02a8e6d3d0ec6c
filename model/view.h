/* A second input: what the memory sees where model.memory_input is second (the ViTTM paper leaves
 * other modalities in memory open). A view says what the second input is and how it follows from an
 * image, so that whatever data set, augmentation or mixing made the image, both inputs agree.
 *
 * To add one: model/view_NAME.c with a struct view view_NAME, and a line in views.def. */
#ifndef MODEL_VIEW_H
#define MODEL_VIEW_H

#include "base/config.h"

struct view {
    struct config_choice choice; /* name, doc and the keys that only this view reads */
    int needs_mask;              /* derive looks at the image's segmentation mask */
    int64_t (*channels)(const struct config *c);
    /* image (channels,side,side), normalised, and mask (side,side) of classes, 255 where there is
     * none, or NULL -> out (channels of the view,side,side). NULL: no data set can supply it, such
     * a model can be counted, planned and timed. */
    void (*derive)(const float *image, const uint8_t *mask, int channels, int side, float *out);
};

const struct view *view_at(int i); /* NULL past the last */
const struct config_choice *view_choice(int i);

/* Mean over blocks: in (channels,side,side) -> out (channels,to,to); to divides side. */
void view_shrink(const float *in, int channels, int side, int to, float *out);
/* Luminance (ITU-R BT.601) of three channels; of others their mean. */
void view_luminance(const float *image, int channels, int side, float *out);
int64_t view_one_channel(const struct config *c);

#endif
