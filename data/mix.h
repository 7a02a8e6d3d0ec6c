/* What training does to a whole batch, after normalisation and in this order:
 *
 *   erase    one rectangle becomes 0, the mean colour (random erasing, Zhong et al., AAAI 2020)
 *   mixup    x[i] <- lambda x[i] + (1 - lambda) x[j]        (Zhang et al., ICLR 2018)
 *   cutmix   a box of x[i] <- that box of x[j]              (Yun et al., ICCV 2019)
 *
 * with j the partner of i; labels become targets lambda onehot(y[i]) + (1 - lambda) onehot(y[j]).
 *
 * Drawing and doing are apart: mix_plan_draw makes a plan out of (seed, epoch, batch), mix_apply
 * follows it. Both are pure, so a resumed run repeats them.
 *
 *   mix_init(&m, config, &err);
 *   if (mix_is_on(&m)) ...
 *   mix_plan_init(&p, B);
 *   mix_plan_draw(&m, seed, epoch, batch, B, S, S, &p);
 *   mix_apply(&p, B, C, S, S, images, out);
 *   mix_targets(&p, labels, B, K, targets); */
#ifndef DATA_MIX_H
#define DATA_MIX_H

#include <stdint.h>

#include "base/config.h"
#include "data/resize.h"

struct error;
struct rng;

enum mix_kind { MIX_NONE, MIX_MIXUP, MIX_CUTMIX };
enum mix_pairing { MIX_ROLL, MIX_PERMUTATION, MIX_FLIP };
enum mix_scope { MIX_BATCH, MIX_SAMPLE };

/* Root table of data.mix.* and data.erase.*. */
extern const struct config_key mix_keys[];

struct mix {
    double mixup_alpha, cutmix_alpha; /* 0: off; both on: one of them a draw, evenly */
    enum mix_pairing pairing;
    enum mix_scope scope;     /* of a draw of kind, lambda and box */
    double smoothing;         /* of labels before they are mixed */
    double erase_probability; /* 0: off */
    enum mix_scope erase_scope;
    double erase_scale[2], erase_ratio[2]; /* share of the area; height / width */
};

int mix_init(struct mix *m, const struct config *c, struct error *err);
int mix_is_on(const struct mix *m);       /* whether a batch can change at all */
int mix_has_targets(const struct mix *m); /* whether labels become soft targets */
int mix_has_both(const struct mix *m);    /* whether each draw takes mixup or cutmix */

struct mix_draw {
    enum mix_kind kind;
    double lambda;  /* weight of the sample's own label */
    struct box box; /* cutmix */
};

/* What happens to the samples of one batch. */
struct mix_plan {
    struct mix_draw *draw; /* (B) */
    int32_t *partner;      /* (B), whatever the kind */
    struct box *erased;    /* (B); height 0: nothing */
};

/* For up to `batch` samples; ends with mix_plan_release. */
void mix_plan_init(struct mix_plan *p, int batch);
void mix_plan_release(struct mix_plan *p);

/* Fills p for one batch of `batch` images of height x width. */
void mix_plan_draw(const struct mix *m, uint64_t seed, uint64_t epoch, uint64_t number, int batch,
                   int height, int width, struct mix_plan *p);

/* The same draw for every sample of a batch. */
void mix_plan_all(struct mix_plan *p, int batch, struct mix_draw draw);

/* What happens to a batch in two numbers. */
struct mix_mean {
    double lambda; /* mean weight of the samples' own labels */
    double cutmix; /* share of samples that cutmix mixes */
};
void mix_plan_mean(const struct mix_plan *p, int batch, struct mix_mean *mean);

/* images (B,C,H,W) -> out (B,C,H,W), which must not overlap. */
void mix_apply(const struct mix_plan *p, int batch, int channels, int height, int width,
               const float *images, float *out);
/* labels (B) -> targets (B,classes), of labels smoothed by that share (0: not); every row sums to
 * 1. */
void mix_targets(const struct mix_plan *p, const int32_t *labels, int batch, int classes,
                 double smoothing, float *targets);

/* The cutmix box around (cx, cy) for lambda; *lambda becomes the share of pixels that stay. */
struct box mix_cutmix_box(double *lambda, int cx, int cy, int height, int width);
/* One try of random erasing; 0 where the rectangle does not fit strictly inside. */
int mix_erase_size(int height, int width, double share, double aspect, int *box_height,
                   int *box_width);
/* Beta(alpha, alpha), in [0, 1]. */
double mix_beta(struct rng *r, double alpha);

#endif
