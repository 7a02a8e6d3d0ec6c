/* Labels beside points: apart, near their own, off lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "plots/place.h"

static int boxes_touch(const struct place_box *a, const struct place_box *b)
{
    return a->x0 < b->x1 && b->x0 < a->x1 && a->y0 < b->y1 && b->y0 < a->y1;
}

/* Whether the leader of a runs over the box, felt at every tenth of a pixel. */
static int leader_touches(const struct place_wish *a, const struct place_box *b)
{
    double dx = a->spot.from_x - a->x, dy = a->spot.from_y - a->y, length = hypot(dx, dy);
    for (double at = 8; a->spot.leader && at < length; at += 0.1) {
        double x = a->x + dx * at / length, y = a->y + dy * at / length;
        if (x > b->x0 && x < b->x1 && y > b->y0 && y < b->y1)
            return 1;
    }
    return 0;
}

/* Labels on points or on each other, and leaders over labels: never. Returns how many there are. */
static size_t labels_apart(const struct placer *p, const struct place_wish *w, size_t n)
{
    size_t placed = 0;
    for (size_t i = 0; i < n; i++) {
        if (!w[i].placed)
            continue;
        placed++;
        for (size_t k = 0; k < p->n_points; k++)
            assert_false(boxes_touch(&w[i].spot.box, &p->points[k]));
        for (size_t k = 0; k < i; k++)
            assert_false(w[k].placed && boxes_touch(&w[i].spot.box, &w[k].spot.box));
        for (size_t k = 0; k < n; k++)
            assert_false(k != i && w[k].placed && leader_touches(&w[i], &w[k].spot.box));
    }
    return placed;
}

static void test_labels_apart(void **state)
{
    (void)state;
    enum { N = 200 };
    struct placer p = {.bounds = {0, 0, 600, 400}};
    struct place_wish wishes[N], again[N];
    struct rng r;
    rng_init(&r, 1, "labels", 0, 0);
    for (int i = 0; i < N; i++) {
        double x = rng_range(&r, 10, 590), y = rng_range(&r, 10, 390);
        wishes[i] = (struct place_wish){.x = x, .y = y, .width = 60, .weight = 1};
        place_point(&p, x, y, 5);
    }
    memcpy(again, wishes, sizeof again);
    place_labels(&p, wishes, N, 12);
    assert_true(labels_apart(&p, wishes, N) > 90);
    place_labels(&p, again, N, 12);
    for (int i = 0; i < N; i++) {
        assert_int_equal(wishes[i].placed, again[i].placed);
        if (wishes[i].placed)
            assert_memory_equal(&wishes[i].spot.box, &again[i].spot.box, sizeof(struct place_box));
    }
    place_release(&p);
}

/* Where there is room for all, each label is there, off the steps of the front. The points, in
 * pixels, are the crowded corner of a paper's figure, with their labels' widths. */
static void test_labels_off_lines(void **state)
{
    (void)state;
    static const double points[][3] = {
        {92, 147, 81},  {147, 134, 51}, {209, 67, 81},  {209, 108, 58}, {221, 80, 62},
        {223, 97, 68},  {222, 111, 88}, {257, 95, 74},  {207, 176, 74}, {146, 257, 44},
        {155, 265, 22}, {163, 261, 22}, {138, 280, 22}, {128, 293, 28}, {120, 313, 28},
        {111, 339, 28}, {104, 389, 28}, {138, 300, 45}, {318, 65, 74},  {318, 70, 67},
        {314, 76, 62},  {256, 182, 28}, {281, 154, 28}};
    static const double steps[][2] = {{92, 416},  {92, 147}, {147, 147}, {147, 134},
                                      {209, 134}, {209, 67}, {318, 67},  {318, 64}};
    enum { N = sizeof points / sizeof *points, STEPS = sizeof steps / sizeof *steps - 1 };
    struct placer p = {.bounds = {61, 10, 440, 414}};
    struct place_wish w[N];
    for (size_t i = 0; i < N; i++) {
        w[i] = (struct place_wish){
            .x = points[i][0], .y = points[i][1], .width = points[i][2], .weight = 1};
        place_point(&p, w[i].x, w[i].y, 6);
    }
    for (size_t i = 0; i < STEPS; i++)
        place_avoid(&p,
                    (struct place_box){steps[i][0] - 2, fmin(steps[i][1], steps[i + 1][1]) - 2,
                                       steps[i + 1][0] + 2, fmax(steps[i][1], steps[i + 1][1]) + 2},
                    PLACE_LINE);
    place_labels(&p, w, N, 13.75);
    assert_int_equal(labels_apart(&p, w, N), N);
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < p.n_obstacles; k++)
            assert_false(boxes_touch(&w[i].spot.box, &p.obstacles[k].box));
    place_release(&p);
}

/* A label that stands between two points, without a line to its own, is nobody's. */
static void test_labels_near_their_own(void **state)
{
    (void)state;
    struct placer p = {.bounds = {0, 0, 600, 400}};
    struct place_wish w = {.x = 100, .y = 100, .width = 60, .weight = 1};
    place_point(&p, 100, 100, 5);
    place_point(&p, 178, 100, 5); /* to the right of where the label would be */
    place_labels(&p, &w, 1, 12);
    assert_true(w.placed);
    assert_true(w.spot.box.x1 < 100); /* to the left then */
    place_release(&p);
}

/* One that matters would rather lie on a line than be left out, another not. */
static void test_labels_by_weight(void **state)
{
    (void)state;
    for (int weight = 1; weight <= 3; weight += 2) {
        struct placer p = {.bounds = {60, 80, 140, 120}};
        struct place_wish w = {.x = 100, .y = 100, .width = 60, .weight = weight};
        place_point(&p, 100, 100, 5);
        place_avoid(&p, (struct place_box){60, 80, 140, 120}, PLACE_LINE);
        place_labels(&p, &w, 1, 10);
        assert_int_equal(w.placed, weight == 3);
        place_release(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_apart),
        cmocka_unit_test(test_labels_off_lines),
        cmocka_unit_test(test_labels_near_their_own),
        cmocka_unit_test(test_labels_by_weight),
    };
    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
