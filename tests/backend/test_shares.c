/* Blocks shared out among threads: each is taken once, a part in its order, and a thread that does
 * not come back keeps nobody from the rest of its part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/cpu/kernels/shares.h"

enum { MOST = 2000 };

static void check_once(int64_t blocks, int threads)
{
    static _Atomic int taken[MOST];
    struct shares s;
    for (int64_t i = 0; i < MOST; i++)
        taken[i] = 0;
    assert_ptr_equal(shares_begin(&s, blocks, threads), &s);
#pragma omp parallel num_threads(threads)
    for (int64_t i; (i = shares_next(&s)) >= 0;)
        atomic_fetch_add(&taken[i], 1);
    for (int64_t i = 0; i < MOST; i++)
        assert_int_equal(taken[i], i < blocks);
}

static void test_each_block_once(void **state)
{
    (void)state;
    static const int64_t blocks[] = {0, 1, 2, 5, 64, 1999};
    static const int threads[] = {1, 2, 3, 7, SHARES_MOST + 3};
    for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++)
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++)
            check_once(blocks[b], threads[t]);
}

static void test_one_thread_in_order(void **state)
{
    (void)state;
    struct shares s;
    shares_begin(&s, 9, 1);
    for (int64_t i = 0; i < 9; i++)
        assert_int_equal(shares_next(&s), i);
    assert_int_equal(shares_next(&s), -1);
}

/* This thread has the first part; the second thread took one block and does not come back. */
static void test_takes_what_is_left(void **state)
{
    (void)state;
    static const int64_t order[] = {0, 1, 2, 3, 7, 6, 5, -1, -1};
    struct shares s;
    shares_begin(&s, 8, 2);
    assert_int_equal(share_take(&s.of[1], 0), 4);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        assert_int_equal(shares_next(&s), order[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_block_once),
        cmocka_unit_test(test_one_thread_in_order),
        cmocka_unit_test(test_takes_what_is_left),
    };
    return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
