/* Golden files about accuracy: which images count as top-1 and top-5. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden_train.h"
#include "train/evaluate.h"

#include <stdlib.h>

int train_check_topk(struct train_case *s, struct error *err)
{
    static const char *const names[] = {"logits", "labels", "correct1", "correct5", "top1", "top5"};
    const struct safetensors_tensor *t = safetensors_find(s->file, "logits");
    double *x[6] = {NULL};
    int64_t n[6];
    int rc = t && t->rank == 2 ? 0 : error_set(err, "has no logits (B,K)");
    for (int i = 0; !rc && i < 6; i++)
        if (!(x[i] = golden_values(s->file, names[i], &n[i], err)))
            rc = -1;
    if (!rc) {
        int64_t batch = t->dim[0], classes = t->dim[1];
        float *logits = mem_alloc(sizeof *logits * (size_t)n[0]);
        struct score sum = {0};
        safetensors_read_float(t, logits);
        for (int64_t i = 0; i < batch; i++) {
            int32_t label = (int32_t)x[1][i];
            double hit[2] = {(double)sum.top1, (double)sum.top5};
            score_add(&sum, logits + i * classes, &label, 1, (int)classes, NULL);
            hit[0] = (double)sum.top1 - hit[0];
            hit[1] = (double)sum.top5 - hit[1];
            golden_compare_exactly(&s->result, "correct1", &hit[0], &x[2][i], 1);
            golden_compare_exactly(&s->result, "correct5", &hit[1], &x[3][i], 1);
        }
        double top[2] = {(double)sum.top1 / (double)batch, (double)sum.top5 / (double)batch};
        /* Stored in single precision: half a unit in the last place below 1 is 3e-8. */
        train_compare(&s->result, "top1", &top[0], x[4], 1, 1e-7, 0);
        train_compare(&s->result, "top5", &top[1], x[5], 1, 1e-7, 0);
        free(logits);
    }
    for (int i = 0; i < 6; i++)
        free(x[i]);
    return rc;
}
