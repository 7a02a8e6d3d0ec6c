/* Every kernel of every variant that this machine runs, on random shapes, against plain loops:
 *
 *   error      over all cases of an op at most twice that of the same loop in float (flash
 *              attention's rule), with operands of products rounded where the variant rounds them,
 *              relative to the largest value; judge to 1e-11
 *   threads    1, 2 and 3 give the same bits
 *   in place   ops that say so give the same bits when the output lies on an input
 *   bounds     inputs and what lies behind the outputs are untouched */
#include "tests/backend/cases.h"

#include "backend/cpu/cpu.h"

#include <cblas.h>

static void call(const struct subject *s, struct run *u, int threads)
{
    const struct kernel_table *table = s->ctx;
    const struct kernel *k = kernel_find(table, u->node->op);
    struct kernel_memory m = k->memory(u->node);
    struct kernel_call c = {
        .node = u->node,
        .in = u->in,
        .out = u->out,
        .scratch = buffer(m.shared),
        .work_stride = (m.thread + GUARD + 63) / 64 * 64,
        .seed = TEST_SEED,
        .step = TEST_STEP,
        .threads = threads,
    };
    c.work = buffer(c.work_stride * (size_t)threads);
    k->run(&c);
    if (!intact(c.scratch, m.shared))
        fail_msg("%s wrote behind its scratch", u->node->op->name);
    for (int t = 0; t < threads; t++)
        if (!intact(c.work + c.work_stride * (size_t)t, m.thread))
            fail_msg("%s wrote behind its work", u->node->op->name);
    check_guards(u);
    free(c.scratch);
    free(c.work);
}

/* Every variant that runs here, then judge; NULL past the last. */
static const struct kernel_table *table_at(int i)
{
    int seen = 0, k = 0;
    for (; cpu_variant_at(k); k++)
        if (cpu_variant_runs(cpu_variant_at(k)) && seen++ == i)
            return cpu_variant_at(k);
    return seen == i ? judge_variant() : NULL;
}

/* The same as subjects, ended by a row without a name. */
static void list_subjects(struct subject subjects[TABLES])
{
    int n = 0;
    for (const struct kernel_table *t; n < TABLES - 1 && (t = table_at(n)); n++)
        subjects[n] = (struct subject){t->variant, t->value_size, t->precision, call, 3, 1, t};
    subjects[n] = (struct subject){0};
}

/* ---- tests ----------------------------------------------------------------------------------- */

enum { CASES = 12 };

static void test_random_shapes(void **state)
{
    (void)state;
    struct subject subjects[TABLES];
    list_subjects(subjects);
    for (int i = 0; subjects[i].variant; i++)
        print_message("           %s\n", subjects[i].variant);
    for (const struct recipe *r = recipes; r < recipes + N_RECIPES; r++)
        if (!(op_find(r->op)->flags & OP_OPTIONAL))
            check_recipe(r, subjects, CASES, NULL);
}

static void test_complete(void **state)
{
    (void)state;
    for (int i = 0; i < op_count(); i++) {
        const struct op *op = op_at(i);
        int tested = (op->flags & OP_ALIAS) != 0;
        for (int k = 0; k < N_RECIPES; k++)
            tested |= !strcmp(recipes[k].op, op->name);
        if (!tested)
            fail_msg("op %s has no recipe in this test", op->name);
        for (int k = 0; table_at(k); k++)
            if (!(op->flags & (OP_ALIAS | OP_OPTIONAL)) && !kernel_find(table_at(k), op))
                fail_msg("op %s has no %s kernel", op->name, table_at(k)->variant);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_random_shapes),
    };
    openblas_set_num_threads(1);
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
