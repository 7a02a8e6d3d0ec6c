/* Weights from elsewhere into a network of ours.
 *
 * Our parameters have the names of timm and of the authors, so most tensors go in by name. What
 * else happens follows from a few rules, and every tensor of the file and of the model ends in one
 * row of the report:
 *
 *   used      same name (or the second name of a shared parameter), same shape
 *   reshaped  position tables are resampled to the model's grid (antialiased bicubic; prefix
 *             entries as they are), patch kernels resized (train/resample_weights.h), dimensions of
 *             1 dropped or added
 *   replaced  a classifier for another number of classes: the model's initial values stay
 *   missing   a rule says why the file lacks it: the model's initial values stay. A ViT's file does
 *             not have what ViTTM and the like add to a ViT; parameters that nothing reads need no
 *             values; a model that normalises after pooling has fc_norm in place of norm
 *   ignored   a rule says why the model lacks it: norm where there is fc_norm, DeiT's second
 *             classifier and token, the class token of a model without one, counters of averaging,
 *             a masked autoencoder's decoders
 *
 * A segmenter takes a classifier's file for its backbone: names get "encoder." or "backbone." in
 * front, classifiers are left out, the decoder starts anew.
 *
 * Anything else is an error that names the tensor; a shape that no rule explains always is. Such a
 * file is whole and another model's: EXIT_USAGE. What is wrong with the file itself, values that
 * are not finite too, is EXIT_ENVIRONMENT. */
#ifndef TRAIN_WEIGHTS_IMPORT_H
#define TRAIN_WEIGHTS_IMPORT_H

#include "base/arena.h"
#include "train/resample_weights.h"
#include "train/weights.h"

struct config_choice;
struct error;
struct strbuf;

struct weights_rules {
    enum resample_kernel kernels;
    /* A ViT's patch embedding also makes, resized where it must be, a ViTTM's memory and process
     * embeddings (the authors' --flexi-process). */
    int spread_patches;
    int replace_heads; /* classifiers stay at their initial values though they would fit */
    int lenient; /* tensors that only one side has are listed, whatever the reason, not refused */
};

/* How to resize kernels, by name: "pinv", "interpolate". */
const struct config_choice *weights_kernel_choice(int i);

enum weights_state {
    WEIGHTS_USED,
    WEIGHTS_RESHAPED,
    WEIGHTS_REPLACED,
    WEIGHTS_MISSING,
    WEIGHTS_IGNORED,
    WEIGHTS_STATES
};
const char *weights_state_name(enum weights_state state);

struct weights_row {
    enum weights_state state;
    const char *parameter; /* of the model; NULL: ignored */
    const char *tensor;    /* of the file; NULL: missing */
    const char *shape;     /* the model's; or NULL */
    const char *file_shape;
    const char *why; /* how reshaped, why ignored, how initialised; "" where there is nothing to
                      * say */
};

/* Zero-initialise; release after use. */
struct weights_report {
    struct arena arena;
    struct weights_row *rows; /* parameters in the model's order, then what was ignored */
    int n;
    int counts[WEIGHTS_STATES];
};
void weights_report_release(struct weights_report *r);

/* "152 used, 1 reshaped, 96 missing, 2 ignored". */
void weights_report_summary(const struct weights_report *r, struct strbuf *out);
/* The rows that are not plainly used, those of all layers of one kind as one line each:
 * "missing   read_head.*.q.weight (12): a ViT has none; normal, deviation 0.02". */
void weights_report_text(const struct weights_report *r, struct strbuf *out);

/* Puts the file into w, which holds the model's initial values. On an error w is as good as lost.
 * report gets what was done; where it is not NULL it must be released after errors too. */
int weights_import(struct weights *w, const struct safetensors *file,
                   const struct weights_rules *rules, struct weights_report *report,
                   struct error *err);

#endif
