/* The parts that figures are made of: the Pareto front, scales and axes, colours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "plots/axis.h"
#include "plots/front.h"
#include "plots/metric.h"
#include "plots/style.h"

static void test_front(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3, 4, 2}, y[] = {10, 12, 11, 15, 9};
    struct front f;
    front_find(&f, x, y, 5, 0, 1, 5, 8);
    assert_int_equal(f.n, 3);
    assert_int_equal(f.points[0].index, 0);
    assert_int_equal(f.points[1].index, 1);
    assert_int_equal(f.points[2].index, 3);
    const double line[][2] = {{1, 8}, {1, 10}, {2, 10}, {2, 12}, {4, 12}, {4, 15}, {5, 15}};
    assert_int_equal(f.n_line, 7);
    for (int i = 0; i < 7; i++) {
        assert_true(f.line[i].x == line[i][0]);
        assert_true(f.line[i].y == line[i][1]);
    }
    /* (2-1)*(10-8) + (4-2)*(12-8) + (5-4)*(15-8) */
    assert_true(fabs(front_hypervolume(&f, 5, 8) - 17) < 1e-12);
    front_release(&f);
    front_find(&f, x, y, 5, 1, 1, 0, 8); /* both up: only (4, 15) */
    assert_int_equal(f.n, 1);
    front_release(&f);
}

static void test_scales(void **state)
{
    (void)state;
    struct metric_scale s;
    metric_scale(&s, "cost/macs", 9.9e9);
    assert_string_equal(s.label, "MACs (billions)");
    metric_scale(&s, "cost/params", 2.5e6);
    assert_string_equal(s.header, "params (M)");
    metric_scale(&s, "memory/peak_bytes", 3 << 20);
    assert_string_equal(s.label, "peak memory (MB)");
    assert_true(s.factor == 1e-6);
    metric_scale(&s, "latency/p50_ms", 12);
    assert_string_equal(s.label, "median latency (ms)");
    metric_scale(&s, "my/odd_ms", 12);
    assert_string_equal(s.label, "my/odd_ms (ms)");
    assert_int_equal(metric_maximize("val/loss"), 0);
    assert_int_equal(metric_maximize("val/top1"), 1);
    assert_int_equal(metric_maximize("throughput/img_s"), 1);
    struct axis a;
    axis_fit(&a, 10, 1000, 0.05, 1);
    assert_int_equal(a.logarithmic, 1);
    assert_true(fabs(axis_position(&a, 100) - 0.5) < 1e-9);
    axis_fit(&a, 50, 68, 0.05, 1);
    assert_int_equal(a.logarithmic, 0);
    assert_true(a.step == 5 || a.step == 2);
    axis_fit(&a, 3, 3, 0.05, 0); /* one value still has a range */
    assert_true(a.high > a.low);
}

static void test_palette(void **state)
{
    (void)state;
    char text[8];
    for (int i = 0; i < STYLE_COLORS; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(style_color(i), style_color(k));
    assert_string_equal(style_tint("#000000", 1, text), "#000000");
    assert_string_equal(style_tint("#000000", 0, text), "#ffffff");
    assert_string_equal(style_contrast("#ffffff"), "#000000");
    assert_string_equal(style_contrast("#00224e"), "#ffffff");
    for (int i = 0; i < STYLE_MARKERS; i++)
        assert_int_equal(style_open_marker(i) + 1, style_marker(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_front),
        cmocka_unit_test(test_scales),
        cmocka_unit_test(test_palette),
    };
    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
