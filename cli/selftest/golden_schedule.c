/* Golden files about learning rates: every step of a schedule. */
#include "base/error.h"
#include "cli/selftest/golden_train.h"
#include "train/schedule.h"

#include <stdlib.h>
#include <string.h>

/* Their schedule names and ours. */
static const char *const schedule_names[][2] = {
    {"cosine", "cosine"}, {"poly", "poly"}, {"mmseg_poly", "poly_min"}};

static const struct lr_schedule *find_schedule(const char *name)
{
    const struct lr_schedule *k;
    for (size_t i = 0; name && i < sizeof schedule_names / sizeof *schedule_names; i++)
        for (int j = 0; !strcmp(name, schedule_names[i][0]) && (k = lr_schedule_at(j)); j++)
            if (!strcmp(k->choice.name, schedule_names[i][1]))
                return k;
    return NULL;
}

int train_check_schedule(struct train_case *s, struct error *err)
{
    struct lr_plan p = {.kind = find_schedule(json_string_value(json_object_get(s->json, "sched"))),
                        .lr = golden_number(s->json, "lr"),
                        .warmup_lr = golden_number(s->json, "warmup_lr"),
                        .min_lr = golden_number(
                            s->json, json_object_get(s->json, "eta_min") ? "eta_min" : "min_lr"),
                        .power = golden_number(s->json, "power"),
                        .warmup = (int64_t)golden_number(s->json, "warmup_steps"),
                        .total = (int64_t)golden_number(
                            s->json, json_object_get(s->json, "end") ? "end" : "total_steps")};
    int64_t n = 0;
    double *want = golden_values(s->file, "lr", &n, err);
    const char *said = json_string_value(json_object_get(json_object_get(s->json, "tol"), "lr"));
    double relative = said && !strncmp(said, "rel ", 4) ? strtod(said + 4, NULL) : 1e-9;
    int rc = want && p.kind ? 0 : error_set(err, "a schedule that this build does not know");
    for (int64_t i = 0; !rc && i < n; i++) {
        double got = lr_plan_rate(&p, i);
        train_compare(&s->result, "lr", &got, &want[i], 1, 1e-15, relative);
    }
    free(want);
    return rc;
}
