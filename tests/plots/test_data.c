/* What figures and the report draw: cells and factors arranged from rows, called as people call
 * them, layers in the order of the forward pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/error.h"
#include "plots/encode.h"
#include "plots/layers.h"
#include "tests/plots/synthetic.h"

static void test_arrange(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    struct plot_data d;
    s.failed = 1;
    synthetic_arrange(&d, &s, 0);
    assert_int_equal(d.n_cells, 12);
    assert_int_equal(d.n_factors, 2);
    assert_string_equal(d.factors[0].key, "model.rw_head");
    assert_int_equal(d.factors[0].n, 4);
    assert_int_equal(d.factors[1].n, 3);
    assert_int_equal(d.n_objectives, 2);
    assert_string_equal(data_main_metric(&d), "val/top1");
    assert_string_equal(data_main_cost(&d), "cost/macs");
    assert_int_equal(data_maximize(&d, "val/top1"), 1);
    assert_int_equal(data_maximize(&d, "cost/macs"), 0);
    struct plot_stat first = data_stat(&d, &d.cells[0], "val/top1"),
                     last = data_stat(&d, &d.cells[11], "val/top1");
    assert_int_equal(first.n, 3);
    assert_int_equal(last.n, 2); /* a failed run has no part in a mean */
    double mean = (synthetic_top1(0, 0, 0) + synthetic_top1(0, 0, 1) + synthetic_top1(0, 0, 2)) / 3;
    assert_true(fabs(first.mean - mean) < 1e-12);
    assert_int_equal(data_stat(&d, &d.cells[0], "val/miou").n, 0);
    assert_string_equal(data_cell_title(&d, &d.cells[11]), "linear · add erase");
    assert_int_equal(data_factor(&d, "fusion"), 1);
    assert_int_equal(data_factor(&d, "dim"), -1);
    data_release(&d);
}

/* A label by hand is what a cell is called; one that only joins its values is said in words. */
static void test_titles(void **state)
{
    (void)state;
    static const struct {
        const char *label, *title;
    } cases[] = {
        {"linear/add_erase", "linear · add erase"},
        {"linear,add_erase", "linear · add erase"},
        {"linear/-/add_erase", "linear · add erase"},
        {"ViT ToMe", "ViT ToMe"},
        {"linear/48", "linear/48"},
        {"linear2", "linear2"},
        {"ViT-S/16", "ViT-S/16"},
        {"", "linear · add erase"},
        {"4a2b3c5b", "4a2b3c5b"}, /* no id of this cell */
    };
    struct synthetic s = SYNTHETIC_INIT;
    struct plot_data d;
    synthetic_arrange(&d, &s, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        d.cells[11].label = cases[i].label;
        assert_string_equal(data_cell_title(&d, &d.cells[11]), cases[i].title);
    }
    d.cells[11].label = arena_strndup(&d.arena, d.cells[11].id, 8); /* as an import calls it */
    assert_string_equal(data_cell_title(&d, &d.cells[11]), "linear · add erase");
    data_release(&d);
}

/* Numbers and flags are said with their key. */
static void test_title_keys(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    static const char *const depths[] = {"2", "4", "6", "8"};
    struct plot_data d;
    memcpy(s.heads, depths, sizeof depths);
    s.fusions[0] = "true";
    synthetic_arrange(&d, &s, 0);
    d.cells[0].label = "";
    assert_string_equal(data_cell_title(&d, &d.cells[0]), "read-write head 2 · fusion true");
    data_release(&d);
    s.fusions[0] = "none";
    synthetic_arrange(&d, &s, 0);
    d.cells[0].label = "2/none";
    assert_string_equal(data_cell_title(&d, &d.cells[0]), "read-write head 2 · no fusion");
    data_release(&d);
}

/* Lists of numbers as people write them; those of one number are that number, and in its order. */
static void test_title_lists(void **state)
{
    (void)state;
    struct synthetic s = SYNTHETIC_INIT;
    static const char *const ones[] = {"[16]", "[8]", "[4]", "[0.5]"};
    struct plot_data d;
    memcpy(s.heads, ones, sizeof ones);
    s.fusions[0] = "[3, 6, 9]";
    synthetic_arrange(&d, &s, 0);
    assert_true(d.factors[0].numeric);
    assert_string_equal(d.factors[0].levels[0], "0.5");
    assert_string_equal(d.factors[0].levels[3], "16");
    assert_string_equal(data_cell_key(&d, &d.cells[3], "model.rw_head"), "8");
    static const char *const labels[] = {"", "16/3,6,9", "[16]/[3, 6, 9]", "16,3,6,9"};
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        d.cells[0].label = labels[i];
        assert_string_equal(data_cell_title(&d, &d.cells[0]), "read-write head 16 · fusion 3,6,9");
    }
    data_release(&d);
}

static void put_layer(struct rows *r, const char *cell, const char *name)
{
    struct rows_cell *c = rows_append(r);
    rows_set_text(r, &c[0], cell);
    rows_set_text(r, &c[1], "layer");
    rows_set_text(r, &c[2], name);
    rows_set_real(&c[3], 1e6);
}

/* Layers stand in the order of the forward pass, also those that only deeper cells have. */
static void test_layers(void **state)
{
    (void)state;
    static const char *const names[] = {"cell", "by", "name", "macs"};
    static const char *const shallow[] = {"embed", "blocks.0", "head"};
    static const char *const deep[] = {"embed", "blocks.0", "blocks.1", "blocks.2", "head"};
    struct synthetic s = SYNTHETIC_INIT;
    struct plot_source source = synthetic_source(&s, 0);
    struct plot_data d;
    struct error err = {0};
    struct encoding e;
    struct layers l;
    char first[32], last[32];
    synthetic_id(first, sizeof first, 0, 0);
    synthetic_id(last, sizeof last, SYNTHETIC_HEADS - 1, 0);
    rows_free(source.costs);
    source.costs = rows_new(4, names);
    for (int i = 0; i < 3; i++)
        put_layer(source.costs, first, shallow[i]);
    for (int i = 0; i < 5; i++)
        put_layer(source.costs, last, deep[i]);
    assert_int_equal(data_arrange(&d, source, &err), 0);
    encode_init(&e, &d);
    layers_collect(&l, &d, &e);
    assert_int_equal(l.n, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(l.names[i], deep[i]);
    assert_true(isnan(l.macs[2])); /* the first level has no blocks.1 */
    assert_true(l.macs[4] == 1e6);
    assert_true(l.macs[(SYNTHETIC_HEADS - 1) * l.n + 2] == 1e6);
    data_release(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrange),    cmocka_unit_test(test_titles),
        cmocka_unit_test(test_title_keys), cmocka_unit_test(test_title_lists),
        cmocka_unit_test(test_layers),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
