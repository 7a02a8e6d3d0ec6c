/* train.loss reaches the compiled network: the same tiny model under each loss. */
#include "train/loss.h"

#include "base/error.h"
#include "tensor/ops/ops.h"
#include "train/network.h"
#include "train/run_config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 2, CLASSES = 7, IMAGE = 3 * 16 * 16 };

static const char tiny[] = "model: {family: vittm, image_size: 16, classes: 7, dim: 16, depth: 2,\n"
                           "  heads: 2, memory_patch: 4, process_patch: 8, rw_head: linear,\n"
                           "  fusion: add}\n"
                           "data: {dataset: shapes}\n";

/* What an evaluation would say of the same logits: the loss itself where it is no cross entropy. */
static void expect_score(const struct network *net, const struct config *c, const int32_t *labels,
                         double loss)
{
    const struct loss_score *own = loss_score(c);
    float logits[BATCH * CLASSES];
    double sum = 0;
    if (!own)
        return;
    assert_string_equal(own->name, "bce");
    for (int h = 0; h < net->n_logits; h++) {
        network_read(net, net->logits[h], logits);
        for (int i = 0; i < BATCH; i++)
            sum += own->of(logits + i * CLASSES, CLASSES, labels[i]) / BATCH /
                   (own->mean ? CLASSES : 1);
    }
    if (!(fabs(sum - loss) < 1e-5 * loss))
        fail_msg("trained %g, scored %g", loss, sum);
}

static void test_score(void **state)
{
    static const float logits[] = {0, 1000, -1000};
    struct error err = {0};
    struct config *c;
    (void)state;
    if (run_config_parse(&c, "tiny", tiny, strlen(tiny), &err) || config_resolve(c, &err))
        fail_msg("%s", err.msg);
    assert_null(loss_score(c)); /* the cross entropy is reported anyway */
    if (config_set(c, "train.loss", "bce", (struct config_origin){"test", 0, 0}, &err) ||
        config_resolve(c, &err))
        fail_msg("%s", err.msg);
    const struct loss_score *own = loss_score(c);
    assert_true(fabs(own->of(logits, 3, 1) - log(2)) < 1e-12);
    assert_true(fabs(own->of(logits, 3, 2) - log(2) - 2000) < 1e-9);
    config_free(c);
}

static double loss_of(const char *const pairs[][2], int n)
{
    struct error err = {0};
    struct config *c;
    struct device d;
    struct network net;
    struct network_options o = {.batch = BATCH, .training = 1};
    float image[BATCH * IMAGE], loss;
    const int32_t labels[BATCH] = {1, 6};
    const float hyper[HYPER_COUNT] = {
        [HYPER_EPS] = 1, [HYPER_T] = 1, [HYPER_NEW1] = 1, [HYPER_NEW2] = 1};
    if (run_config_parse(&c, "tiny", tiny, strlen(tiny), &err))
        fail_msg("%s", err.msg);
    for (int i = 0; i < n; i++)
        if (config_set(c, pairs[i][0], pairs[i][1], (struct config_origin){"test", 0, 0}, &err))
            fail_msg("%s", err.msg);
    if (config_resolve(c, &err) || device_open(&d, "cpu", 1, &err) ||
        network_open(&net, c, &d, &o, &err))
        fail_msg("%s", err.msg);
    network_init(&net, 3);
    for (int i = 0; i < BATCH * IMAGE; i++)
        image[i] = (float)sin(i * 0.37);
    network_write(&net, net.image, image);
    network_write(&net, net.target, labels);
    network_write(&net, net.hyper, hyper);
    network_run(&net, 1, 0);
    network_read(&net, net.loss, &loss);
    expect_score(&net, c, labels, (double)loss);
    network_close(&net);
    config_free(c);
    return (double)loss;
}

static void test_losses(void **state)
{
    static const char *const sum[][2] = {{"train.loss", "bce"}};
    static const char *const mean[][2] = {{"train.loss", "bce"}, {"train.bce_reduction", "mean"}};
    static const char *const ce[][2] = {{"train.loss", "ce"}};
    static const char *const halves[][2] = {{"train.head_loss", "mean"}};
    (void)state;
    double s = loss_of(sum, 1), m = loss_of(mean, 2);
    assert_true(isfinite(s) && s > 0);
    assert_true(fabs(s - CLASSES * m) < 1e-5 * s);
    /* Nothing set is cross entropy, and that is not the binary one. */
    assert_true(loss_of(NULL, 0) == loss_of(ce, 1));
    assert_true(fabs(loss_of(ce, 1) - s) > 0.1);
    /* Two classifiers. */
    assert_true(fabs(loss_of(halves, 1) - loss_of(ce, 1) / 2) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_losses), cmocka_unit_test(test_score)};
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
