/* Semantic segmentation (Strudel et al. 2021): the class of every pixel. */
#ifndef MODEL_SEGMENT_H
#define MODEL_SEGMENT_H

#include "nn/nn.h"

/* Label of pixels that count for nothing. */
#define SEGMENT_IGNORE 255

/* The results of a segmenting model; tensors are found by name once the graph is compiled.
 *   "target"        input int32 (B,H,W): 0 .. classes-1 or SEGMENT_IGNORE; only with a loss
 *   SEGMENT_SCORES  result (B,H,W,classes): logits of every pixel, the classes innermost
 * With token outputs also "output/logits" (B,classes,H,W), "output/masks" (B,classes,rows,cols) and
 * "output/decoder_input" (B,N,C). */
#define SEGMENT_SCORES "output/pixel_logits"
struct segment {
    int64_t height, width, classes;
};

/* masks (B,rows,cols,K) -> (B,H,W,K): bilinear to the pixels that the grid covers, padding
 * included, of which those of the image are kept. */
struct tensor *segment_upsample(struct graph *g, struct tensor *masks, struct grid covered,
                                struct grid image);

/* train.segment.absent. */
int segment_absent_is_zero(const struct config *c);

#endif
