/* What the golden files about segmentation share, and the checks of its parts. A check compares
 * into c; 0, or -1 and the reason. */
#ifndef CLI_SELFTEST_GOLDEN_SEGMENT_H
#define CLI_SELFTEST_GOLDEN_SEGMENT_H

#include "cli/selftest/golden.h"

/* golden_values of a tensor of bytes. */
unsigned char *segment_stored_bytes(const struct safetensors *f, const char *name, int64_t *n,
                                    struct error *err);
/* Largest difference of a tensor of the file, of which allowed are fine (0: equal). */
int segment_compare(struct comparison *c, const struct safetensors *f, const char *name,
                    const double *got, int64_t n, double allowed, struct error *err);
int segment_compare_bytes(struct comparison *c, const struct safetensors *f, const char *name,
                          const unsigned char *got, int64_t n, double allowed, struct error *err);
/* (B,K,h,w) to (B,h,w,K), B being 1; back: the reverse. The files have planes. */
void segment_to_pixels(const double *from, double *to, int64_t classes, int64_t pixels, int back);

int segment_check_cv2(struct comparison *c, const struct safetensors *f, const json_t *json,
                      struct error *err);
/* Of mmseg's files, and of those of one evaluation step. */
int segment_check_miou(struct comparison *c, const struct safetensors *f, const json_t *json,
                       struct error *err);
int segment_check_miou_step(struct comparison *c, const struct safetensors *f, const json_t *config,
                            struct error *err);
/* On every backend of t, verdicts counted. */
void segment_check_loss(struct selftest *t, const char *name, const struct safetensors *f,
                        json_t *json);
void segment_check_slide(struct selftest *t, const char *name, const struct safetensors *f,
                         const json_t *config);

#endif
