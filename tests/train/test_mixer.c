/* Mixing on the device: what op_mix makes of a plan's rows, of values or of bytes, cut into patches
 * or not, has the bits of mix_apply, and a sample without a row of its own stays what it is. */
#include "train/mixer.h"

#include "backend/backend.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/compile/plan.h"
#include "tensor/ops/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct size {
    int batch, channels, side, patch; /* patch 0: images */
};

/* A batch: bytes, their values, and what mix_apply makes of those. */
struct sample_batch {
    struct size s;
    int64_t count;
    uint8_t *bytes;
    float *table, *values, *mixed, *rows;
};

static void fill(struct sample_batch *b, struct size s, const struct mix *m, uint64_t number)
{
    struct rng r;
    struct mix_plan p;
    int64_t plane = (int64_t)s.side * s.side;
    *b = (struct sample_batch){.s = s, .count = s.batch * s.channels * plane};
    b->bytes = mem_alloc((size_t)b->count);
    b->table = mem_alloc(sizeof(float) * 256 * (size_t)s.channels);
    b->values = mem_alloc(sizeof(float) * (size_t)b->count);
    b->mixed = mem_alloc(sizeof(float) * (size_t)b->count);
    b->rows = mem_alloc(sizeof(float) * MIXED_FIELDS * (size_t)s.batch);
    rng_init(&r, number, "images", 0, 0);
    for (int i = 0; i < 256 * s.channels; i++)
        b->table[i] = ((float)(i % 256) / 255.0f - 0.4f) / (0.2f + 0.01f * (float)(i / 256));
    for (int64_t i = 0; i < b->count; i++) {
        b->bytes[i] = (uint8_t)rng_below(&r, 256);
        b->values[i] = b->table[i / plane % s.channels * 256 + b->bytes[i]];
    }
    mix_plan_init(&p, s.batch);
    mix_plan_draw(m, 7, 1, number, s.batch, s.side, s.side, &p);
    mix_apply(&p, s.batch, s.channels, s.side, s.side, b->values, b->mixed);
    mixer_rows(&p, s.batch, s.batch, b->rows);
    mix_plan_release(&p);
}

static void empty(struct sample_batch *b)
{
    free(b->bytes);
    free(b->table);
    free(b->values);
    free(b->mixed);
    free(b->rows);
}

/* A program of one op that takes images, mixes them if mixes, and cuts them into patches. */
struct made {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
};

static struct made make(const struct backend *b, struct size s, int bytes, int mixes)
{
    struct graph *g = graph_new();
    struct shape shape = SHAPE(s.batch, s.channels, s.side, s.side);
    struct tensor *x = graph_input(g, "input", shape, bytes ? TENSOR_BYTE : TENSOR_VALUE);
    if (bytes)
        x = op_levels(g, x, graph_input(g, "levels", SHAPE(s.channels, 256), TENSOR_VALUE));
    if (mixes)
        x = op_mix(g, x, graph_input(g, "mix", SHAPE(s.batch, MIXED_FIELDS), TENSOR_VALUE));
    if (s.patch)
        x = op_patchify(g, x, s.patch);
    graph_output(g, "y", mixes || s.patch ? x : op_affine(g, x, 1, 0));
    struct error err = {0};
    struct capability can = backend_capability(b, PRECISION_FP32);
    struct made m = {.backend = b, .plan = plan_compile(g, &(struct plan_options){0}, &can, &err)};
    m.program = m.plan ? b->load(m.plan, &(struct backend_options){.threads = 2}, &err) : NULL;
    if (!m.program)
        fail_msg("%s", err.msg);
    return m;
}

static void run(struct made *m, const void *images, const struct sample_batch *b, float *y)
{
    const struct graph *g = m->plan->graph;
    m->backend->write(m->program, graph_find(g, "input"), images);
    if (graph_find(g, "levels"))
        m->backend->write(m->program, graph_find(g, "levels"), b->table);
    if (graph_find(g, "mix"))
        m->backend->write(m->program, graph_find(g, "mix"), b->rows);
    m->backend->run(m->program, 1, 1);
    m->backend->read(m->program, graph_output_find(g, "y"), y);
}

static void unmake(struct made *m)
{
    m->backend->unload(m->program);
    plan_free(m->plan);
}

/* What is mixed on the device against what is mixed on the host and cut on the device. */
static void compare(const struct backend *back, struct size s, const struct mix *m, int batches)
{
    struct made of_bytes = make(back, s, 1, 1), of_values = make(back, s, 0, 1),
                after = make(back, s, 0, 0);
    if (s.patch) {
        assert_int_equal(of_bytes.plan->n_steps, 1);
        assert_string_equal(of_bytes.plan->steps[0].node->op->name, "patch_mix");
        assert_int_equal(of_values.plan->n_steps, 1);
    }
    for (int i = 0; i < batches; i++) {
        struct sample_batch b;
        fill(&b, s, m, (uint64_t)i);
        size_t size = sizeof(float) * (size_t)b.count;
        float *y = mem_alloc(size), *want = mem_alloc(size);
        run(&after, b.mixed, &b, want);
        run(&of_bytes, b.bytes, &b, y);
        assert_memory_equal(y, want, size);
        run(&of_values, b.values, &b, y);
        assert_memory_equal(y, want, size);
        free(y);
        free(want);
        empty(&b);
    }
    unmake(&of_bytes);
    unmake(&of_values);
    unmake(&after);
}

static void compare_all(const char *name, int batches)
{
    static const struct size sizes[] = {{1, 1, 7, 7},   {5, 1, 9, 3}, {4, 3, 16, 4},
                                        {3, 3, 28, 14}, {5, 1, 9, 0}, {4, 3, 16, 0}};
    const struct mix mixes[] = {{.mixup_alpha = 0.3,
                                 .cutmix_alpha = 1,
                                 .erase_probability = 0.6,
                                 .scope = MIX_SAMPLE,
                                 .erase_scope = MIX_SAMPLE,
                                 .pairing = MIX_PERMUTATION,
                                 .erase_scale = {0.02, 0.5},
                                 .erase_ratio = {0.3, 3.3}},
                                {.mixup_alpha = 0.8,
                                 .cutmix_alpha = 0.8,
                                 .erase_probability = 0.5,
                                 .erase_scale = {0.02, 0.33},
                                 .erase_ratio = {0.3, 3.3}},
                                {.cutmix_alpha = 1, .pairing = MIX_FLIP},
                                {.erase_probability = 0.8,
                                 .erase_scope = MIX_SAMPLE,
                                 .erase_scale = {0.02, 0.33},
                                 .erase_ratio = {0.3, 3.3}}};
    static char text[200];
    struct error err = {0};
    const struct backend *b = backend_open(
        backend_find(name), &(struct backend_options){.threads = 2}, text, sizeof text, &err);
    if (!b) {
        print_message("%s\n", err.msg);
        skip();
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizeof mixes / sizeof *mixes; k++)
            compare(b, sizes[i], &mixes[k], batches);
}

static void bits_on_the_processor(void **state)
{
    (void)state;
    compare_all("cpu", 30);
}

static void bits_on_the_emulated_device(void **state)
{
    (void)state;
    compare_all("sim", 3);
}

/* Every sample is mixed and erased by the plan, but a batch may have fewer. */
static void rows_past_a_batch_change_nothing(void **state)
{
    (void)state;
    enum { BATCH = 4, COUNT = 2 };
    const struct mix m = {.mixup_alpha = 1,
                          .erase_probability = 1,
                          .erase_scale = {0.1, 0.2},
                          .erase_ratio = {0.5, 2}};
    struct mix_plan p;
    float rows[BATCH * MIXED_FIELDS];
    mix_plan_init(&p, BATCH);
    mix_plan_draw(&m, 1, 0, 0, BATCH, 16, 16, &p);
    mixer_rows(&p, COUNT, BATCH, rows);
    for (int i = 0; i < BATCH; i++) {
        const float *row = rows + (ptrdiff_t)i * MIXED_FIELDS;
        assert_true(row[MIXED_PARTNER] == (float)(i < COUNT ? p.partner[i] : i));
        assert_true(row[MIXED_SUM] == (i < COUNT));
        assert_true((row[MIXED_ERASED + 2] > 0) == (i < COUNT));
        assert_true(row[MIXED_BOX + 2] == 0);
    }
    mix_plan_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_on_the_processor),
        cmocka_unit_test(bits_on_the_emulated_device),
        cmocka_unit_test(rows_past_a_batch_change_nothing),
    };
    return cmocka_run_group_tests_name("mixer", tests, NULL, NULL);
}
