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
    network_close(&net);
    config_free(c);
    return (double)loss;
}

static void test_losses(void **state)
{
    static const char *const sum[][2] = {{"train.loss", "bce"}};
    static const char *const mean[][2] = {{"train.loss", "bce"}, {"train.bce_reduction", "mean"}};
    static const char *const ce[][2] = {{"train.loss", "ce"}};
    (void)state;
    double s = loss_of(sum, 1), m = loss_of(mean, 2);
    assert_true(isfinite(s) && s > 0);
    assert_true(fabs(s - CLASSES * m) < 1e-5 * s);
    /* Nothing set is cross entropy, and that is not the binary one. */
    assert_true(loss_of(NULL, 0) == loss_of(ce, 1));
    assert_true(fabs(loss_of(ce, 1) - s) > 0.1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_losses)};
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
