/* Masked autoencoding of both streams (He et al. 2022; the ViTTM authors' models/mae): each stream
 * keeps some of its patches, and a decoder of its own tells the pixels of the others. */
#ifndef MODEL_MAE_H
#define MODEL_MAE_H

#include "tensor/graph/graph.h"

enum { MAE_MEMORY, MAE_PROCESS, MAE_STREAMS };

/* One stream, a row-major grid of side x side patches. Tensors are found by name once the graph is
 * compiled. */
struct mae_stream {
    const char *name;          /* "memory", "process" */
    const char *kept, *hidden; /* inputs, int32 (B,n_kept) and (B,n_hidden): "mask/…" */
    const char *error;         /* result (B): an image's mean squared error */
    int64_t side, n_kept, n_hidden;
};

struct mae {
    struct mae_stream streams[MAE_STREAMS];
    int matched; /* the memory hides what lies under the hidden process patches */
};

/* The masks of one image, a function of (seed, epoch, sample): kept[s] and hidden[s] get the
 * patches of stream s in ascending order. */
void mae_draw(const struct mae *m, uint64_t seed, uint64_t epoch, uint64_t sample,
              int32_t *const kept[MAE_STREAMS], int32_t *const hidden[MAE_STREAMS]);

#endif
