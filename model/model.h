/* Models: a configuration becomes a graph. Families are listed in models.def. */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include "base/config.h"
#include "tensor/graph/graph.h"

struct builder;
struct consistency;
struct error;
struct features;
struct mae;
struct segment;
struct view;

#define MODEL_HEADS_MAX 2
#define MODEL_TERMS_MAX 3

/* The tensors of a built model that others need. Names are the graph's outputs. */
struct model_io {
    /* (B, channels, H, W), normalised: the input "input", or with bytes the values that the input
     * "levels" (channels, 256) has for the samples of "input"; with mix these mixed as the input
     * "mix" (B, MIXED_FIELDS) says. */
    struct tensor *image;
    struct tensor *second;   /* input "second", what the memory sees, of another size and other
                              * channels (model/memory_input.h); NULL: the image */
    const struct view *view; /* what second shows; NULL without one */
    /* input "target": int32 (B), or soft targets (B, K); NULL without a loss */
    struct tensor *target;
    /* Classifier outputs "output/logits", or "output/memory_logits" and "output/process_logits";
     * the first is the one that papers report. */
    struct tensor *logits[MODEL_HEADS_MAX];
    const char *logits_names[MODEL_HEADS_MAX]; /* "logits"; "memory_logits", "process_logits" */
    int n_logits;
    struct tensor *loss; /* output "loss", the sum of its terms; NULL without a loss */
    /* The terms where there are several, outputs "loss_NAME": of two classifiers "memory" and
     * "process". With mean_heads the loss is their mean. */
    const char *terms[MODEL_TERMS_MAX];
    int n_terms;
    /* a second pass adds to the loss; NULL: none */
    const struct consistency *consistency;
    /* masks and errors of train.objective mae, which has no logits; or NULL */
    const struct mae *mae;
    /* of train.objective segment, whose target is of pixels; or NULL */
    const struct segment *segment;
};

/* Adds a term to io->loss, and makes it an output. The name lives as long as g; NULL: there is no
 * other term. */
void model_add_loss(struct graph *g, struct model_io *io, const char *name, struct tensor *term);

/* The stream of a classifier: "memory" of "memory_logits", "logits" where there is one. */
const char *model_head_name(struct arena *a, const char *logits);

/* One family. build makes the forward pass from b's graph and configuration and fills io's image
 * and logits. */
struct model {
    struct config_choice choice; /* name, doc and the keys that only this family reads */
    const char *paper;
    void (*build)(struct builder *b, struct model_io *io);
    /* From an image to tokens on a grid (model/features.h), without a classifier; NULL: it cannot.
     * Parameters stand in features_scope, the name that segmentation code gives the backbone. */
    void (*features)(struct builder *b, struct tensor *image, struct features *out);
    const char *features_scope;
};

const struct model *model_at(int i); /* NULL past the last */
const struct config_choice *model_choice(int i);

/* Root table of the schema: model.family, train.objective and the keys that all of them read. */
extern const struct config_key model_keys[];

struct model_options {
    int64_t batch;
    int64_t height, width; /* of the image, which need not be a square; 0: model.image_size */
    int with_loss;         /* add targets and the loss */
    int soft_targets;      /* targets are (B, K) values */
    int training;          /* stochastic depth is active */
    double smoothing;
    int bce, bce_mean; /* binary cross entropy; averaged over classes, not summed */
    int mean_heads;    /* the loss of two classifiers is the mean of theirs, not the sum */
    int bytes, mix;    /* the image comes in bytes, is mixed here: see model_io.image */
    int token_outputs; /* also name the final tokens: "output/tokens", or "output/memory_tokens" and
                        * "output/process_tokens" */
};

/* Builds the configured model. Returns the graph (the caller's, or plan_compile's), or NULL with
 * the reason: an impossible combination is refused here, before anything is allocated. */
struct graph *model_build(const struct config *c, const struct model_options *o,
                          struct model_io *io, struct error *err);

#endif
