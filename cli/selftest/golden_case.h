/* What the golden files of the data pipeline share: a case, its tensors, exact comparison. */
#ifndef CLI_SELFTEST_GOLDEN_CASE_H
#define CLI_SELFTEST_GOLDEN_CASE_H

#include "cli/selftest/golden.h"
#include "cli/selftest/golden_kind.h"
#include "data/resize.h"

struct golden_case {
    const struct safetensors *file;
    const json_t *json;
    struct comparison *result;
    struct error *err;
};

typedef int golden_check(struct golden_case *g);

/* Runs a check and counts its verdict; a check that compared nothing fails. */
void case_run(struct selftest *t, const char *name, const struct safetensors *file, json_t *json,
              golden_check *check);

/* The row of a check in a table of kinds: run_KIND calls check_KIND. */
#define GOLDEN_RUN(kind)                                                                           \
    static void run_##kind(struct selftest *t, const char *name, const struct safetensors *file,   \
                           json_t *json)                                                           \
    {                                                                                              \
        case_run(t, name, file, json, check_##kind);                                               \
    }

/* A tensor of the file; NULL and the reason where it lacks it. */
const struct safetensors_tensor *case_tensor(struct golden_case *g, const char *name);
/* Its values, which the caller frees. */
float *case_floats(const struct safetensors_tensor *t);
double *case_doubles(const struct safetensors_tensor *t);
float *case_of_bytes(const unsigned char *x, int64_t n);

/* A whole number of the case. */
int case_element(const json_t *array, size_t i);

/* |got - want| <= tolerance (0: equal) wherever tie, repeated for every plane, is 0; up to `spare`
 * values may be off. */
struct golden_allowance {
    double tolerance, spare;
    const struct safetensors_tensor *tie;
};

void case_compare_values(struct golden_case *g, const char *name, const float *got,
                         const float *want, int64_t n, struct golden_allowance a);
/* With the values of a tensor of the file. */
int case_compare(struct golden_case *g, const char *name, const float *got, int64_t n,
                 struct golden_allowance a);
/* Equal. */
int case_compare_bytes(struct golden_case *g, const char *name, const unsigned char *got,
                       int64_t n);
void case_compare_number(struct golden_case *g, const char *name, double got, double want,
                         double tolerance);

/* A stored image (H,W,3), or (H,W). */
struct image_view case_stored_view(const struct safetensors_tensor *t);
/* A stored image (3,H,W). */
struct image_view case_planar_view(const struct safetensors_tensor *t);
/* A box of v resampled to (3,size,size), values 0 to 1; the caller frees it. */
float *case_cropped(const struct image_view *v, struct box b, int size, enum resize_filter filter);

#endif
