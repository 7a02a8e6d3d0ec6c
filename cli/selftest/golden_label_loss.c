/* The loss at the size of the labels: resized scores, cross entropy, its gradient. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden_segment.h"
#include "cli/selftest/selftest.h"
#include "model/segment.h"

#include <stdlib.h>

struct loss_case {
    int64_t classes, rows, cols, height, width;
};

static struct graph *loss_graph(const struct loss_case *s)
{
    struct graph *g = graph_new();
    struct tensor *x =
        graph_param(g, "x", SHAPE(1, s->rows, s->cols, s->classes), (struct init){INIT_ZERO, 0});
    struct tensor *t = graph_input(g, "target", SHAPE(1, s->height, s->width), TENSOR_INT);
    struct grid to = {s->height, s->width};
    struct tensor *scores = segment_upsample(g, x, to, to);
    struct label_loss_attr a = {.ignore = SEGMENT_IGNORE, .over_all = 1};
    struct tensor *y = graph_param(g, "y", scores->shape, (struct init){INIT_ZERO, 0});
    graph_output(g, "resized", scores);
    graph_output(g, "loss", op_label_cross_entropy(g, y, t, a));
    return g;
}

static int compare_result(struct comparison *c, const struct backend *b, struct program *p,
                          const struct plan *plan, const struct safetensors *f, const char *name,
                          const char *output, int64_t classes, struct error *err)
{
    const struct tensor *t = graph_output_find(plan->graph, output);
    int64_t n = shape_count(t->shape);
    double *x = mem_alloc(sizeof *x * (size_t)n), *planes = mem_alloc(sizeof *x * (size_t)n);
    b->read_double(p, t, x);
    segment_to_pixels(x, planes, classes, n / classes, 1);
    int rc = segment_compare(c, f, name, planes, n, 5e-6, err);
    free(planes);
    free(x);
    return rc;
}

/* A parameter's values, classes innermost, from the planes of the file. */
static int write_rows(const struct backend *b, struct program *p, const struct plan *plan,
                      const char *param, const struct safetensors *f, const char *name,
                      struct error *err)
{
    const struct tensor *t = graph_find(plan->graph, param);
    int64_t n = shape_count(t->shape), classes = shape_last(t->shape);
    double *planes = golden_stored(f, "", name, n);
    if (!planes)
        return error_set(err, "has no %s of its size", name);
    double *x = mem_alloc(sizeof *x * (size_t)n);
    segment_to_pixels(planes, x, classes, n / classes, 0);
    b->write_double(p, t, x);
    free(x);
    free(planes);
    return 0;
}

static int write_labels(const struct backend *b, struct program *p, const struct plan *plan,
                        const struct safetensors *f, struct error *err)
{
    int64_t n = 0;
    double *labels = golden_values(f, "labels", &n, err);
    int32_t *target = labels ? mem_alloc(sizeof *target * (size_t)n) : NULL;
    for (int64_t i = 0; i < n; i++)
        target[i] = (int32_t)labels[i];
    if (labels)
        b->write(p, graph_find(plan->graph, "target"), target);
    free(target);
    free(labels);
    return labels ? 0 : -1;
}

/* x is resampled, and the loss is of y, the stored result: its gradient is what is stored. */
static int run_loss(struct comparison *c, const struct backend *b, int threads,
                    const struct safetensors *f, const struct loss_case *s, struct error *err)
{
    struct plan_options po = {.loss = "loss", .keep_gradients = 1};
    struct capability can = backend_capability(b, PRECISION_FP32);
    struct backend_options bo = {.threads = threads};
    struct plan *plan = plan_compile(loss_graph(s), &po, &can, err);
    struct program *p = plan ? b->load(plan, &bo, err) : NULL;
    int rc = -1;
    if (p && !write_rows(b, p, plan, "x", f, "logits", err) &&
        !write_rows(b, p, plan, "y", f, "resized", err) && !write_labels(b, p, plan, f, err)) {
        b->run(p, 0, 0);
        rc = compare_result(c, b, p, plan, f, "resized", "resized", s->classes, err) ||
                     compare_result(c, b, p, plan, f, "loss", "loss", 1, err) ||
                     compare_result(c, b, p, plan, f, "grad", "grad/y", s->classes, err)
                 ? -1
                 : 0;
    }
    if (p)
        b->unload(p);
    plan_free(plan);
    return rc;
}

void segment_check_loss(struct selftest *t, const char *name, const struct safetensors *f,
                        json_t *json)
{
    const struct safetensors_tensor *x = safetensors_find(f, "logits"),
                                    *y = safetensors_find(f, "labels");
    (void)json;
    for (int i = 0; t->backends[i]; i++) {
        struct comparison c = {0};
        struct error err = {0};
        int rc = x && y && x->rank == 4 && y->rank == 3 ? 0 : error_set(&err, "has no logits");
        if (!rc) {
            struct loss_case s = {x->dim[1], x->dim[2], x->dim[3], y->dim[1], y->dim[2]};
            rc = run_loss(&c, t->backends[i], t->threads, f, &s, &err);
        }
        golden_verdict(t, name, t->backends[i]->choice.name, rc, &c, &err);
    }
}
