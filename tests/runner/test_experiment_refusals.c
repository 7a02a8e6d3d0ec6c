/* Experiments that are refused, with their exact messages. */
#include "tests/support/lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"

static void test_file_refusals(void **state)
{
    struct lab *lab = *state;
    lab_refuses(lab, "model: {rwhead: linear}\n",
                "q.yaml:1:9: unknown key model.rwhead (did you mean model.rw_head?)");
    lab_refuses(
        lab, "model: vit_s16\nepocs: 100\noptimizer:\n  name: adamw\n  weight_decya: 0.1\n",
        "q.yaml:2:1: unknown key epocs (did you mean train.epochs?); q.yaml:4:3: unknown key "
        "optimizer.name; q.yaml:5:3: unknown key optimizer.weight_decya (did you mean "
        "train.weight_decay?)");
    lab_refuses(lab, "gird: {}\n", "q.yaml:1:1: unknown key gird (did you mean grid?)");
    lab_refuses(lab, "model: {dim: 96x}\n", "q.yaml:1:14: model.dim: 96x is not an integer");
    lab_refuses(lab, "grid: {model.dim: [64, 96x]}\n",
                "q.yaml:1:24: model.dim: 96x is not an integer");
    lab_refuses(lab, "model: {dim: 96}\nmodel.dim: 64\n",
                "q.yaml:2:1: duplicate key model.dim (first set on line 1; remove one)");
    lab_refuses(lab, "grid: {model.dim: [1]}\ngrid: {}\n",
                "q.yaml:2:1: duplicate key grid (first set on line 1; remove one)");
    lab_refuses(lab, "model: {dim: [64, 96]}\n",
                "q.yaml:1:14: model.dim: a list where one value is expected "
                "(several values are an axis: put them under grid)");
    lab_refuses(
        lab, "model: {dim: }\n",
        "q.yaml:1:14: model.dim: no value (write one, or leave the key out for its default)");
    lab_refuses(lab, "grid: {model.dims: [1]}\n",
                "q.yaml:1:8: unknown key model.dims (did you mean model.dim?)");
    lab_refuses(lab, "grid: {model.dim: []}\n",
                "q.yaml:1:19: model.dim: an empty list (write its values)");
    lab_refuses(lab, "grid: [1]\n", "q.yaml:1:7: grid: expected keys and values (key: value)");
    lab_refuses(lab, "[1, 2]\n", "q.yaml:1:1: expected keys and values (key: value)");
    lab_refuses(
        lab, "zip: {model.dim: [1, 2], model.heads: [1]}\n",
        "q.yaml:1:26: zip: model.heads has 1 values and model.dim has 2: they are walked together");
    lab_refuses(lab, "zip: {model.dim: [1, 2]}\ngrid: {model.dim: [1]}\n",
                "q.yaml:2:8: model.dim: in grid and in zip: keep one of them");
    lab_refuses(lab, "grid: {train.epochs: 'range(1,3)'}\ncells: 3\n",
                "q.yaml:2:8: cells: expected a list of maps");
    lab_refuses(lab, "grid:\n  train.epochs: range(3,1)\n",
                "q.yaml:2:17: train.epochs: range: no values (stop is exclusive)");
    lab_refuses(lab, "grid: {train.epochs: 'range(1,5,0)'}\n",
                "q.yaml:1:22: train.epochs: range: the step is 0");
    lab_refuses(
        lab, "grid: {train.lr: 'logspace(0,1,3)', train.epochs: 3}\n",
        "q.yaml:1:18: train.lr: logspace(first, last, count) takes two positive ends and a count");
    lab_refuses(
        lab, "grid: {train.lr: ['logspace(1)']}\n",
        "q.yaml:1:19: train.lr: logspace(first, last, count) takes two positive ends and a count");
    lab_refuses(lab, "cells: [{model.dmi: 3}]\n",
                "q.yaml:1:10: unknown key model.dmi (did you mean model.dim?)");
    lab_refuses(lab, "base: [nothing.yaml]\n",
                "q.yaml:1:8: base: no file nothing.yaml (beside this file, or below experiments/)");
    lab_refuses(lab, "base: q.yaml\n",
                "q.yaml:1:7: base: q.yaml: files include each other more than 16 deep");
    lab_refuses(lab, "model: vittm_x\n",
                "q.yaml:1:8: unknown model vittm_x (did you mean vittm_s?)");
    lab_refuses(lab, "published: none.csv\n",
                "q.yaml:1:12: published: no file none.csv (beside this file, or below results/)");
}

static void test_value_refusals(void **state)
{
    struct lab *lab = *state;
    lab_refuses(lab, "name: a b\n",
                "q.yaml:1:7: name: a b: letters, digits, '.', '_' and '-', at most 64 of "
                "them, the first a letter or digit");
    lab_refuses(lab, "seeds: 0\n",
                "q.yaml:1:8: seeds: 0 is not a number of seeds (1 to 10000; or a list)");
    lab_refuses(lab, "seeds: [1, 2, 1]\n", "q.yaml:1:15: seeds: 1 is there twice");
    lab_refuses(lab, "seeds: [1, -2]\n",
                "q.yaml:1:12: seeds: -2 is not a seed (an integer from 0)");
    lab_refuses(lab, "limits: {timeout: soon}\n",
                "q.yaml:1:19: limits.timeout: soon is not a time (90s, 30m, 2h, 1d)");
    lab_refuses(lab, "limits: {retries: -1}\n",
                "q.yaml:1:19: limits.retries: -1 is not a number from 0 to 100");
    lab_refuses(lab, "limits: {time: 3}\n",
                "q.yaml:1:10: unknown key limits.time (there are timeout and retries)");
    lab_refuses(lab, "measure: [cost, speed]\n",
                "q.yaml:1:17: measure: speed is none of cost, accuracy, latency");
    lab_refuses(
        lab, "objectives: {top1: max}\n",
        "q.yaml:1:14: objectives: top1 is no metric (they are split/name, such as val/top1)");
    lab_refuses(lab, "objectives: {val/top1: up}\n",
                "q.yaml:1:24: objectives: val/top1: up is not max or min");
    lab_refuses(lab, "where: 'model.dimm > 3'\n",
                "q.yaml:1:8: where: column 1: unknown name model.dimm (did you mean model.dim?)");
    lab_refuses(lab, "where: 'model.dim >'\n",
                "q.yaml:1:8: where: column 12: expected a value, found the end");
    lab_refuses(lab, "exclude: ['model.family > 3']\n",
                "q.yaml:1:11: exclude: column 1: 'vit' is text where a number is needed");
    lab_refuses(lab, "when: {model.dim: 'cost.macs > 3'}\n",
                "q.yaml:1:19: when: model.dim: costs are not known before the keys are");
    lab_refuses(lab, "when: {model.dimm: 'true'}\n",
                "q.yaml:1:8: unknown key model.dimm (did you mean model.dim?)");
    lab_refuses(lab, "baseline: {model.dim: 17}\n",
                "q.yaml:1:23: baseline: no cell has these values");
    lab_refuses(lab, "baseline: {model.latent_dim: 17}\n",
                "q.yaml:1:30: baseline: no cell reads model.latent_dim");
    lab_refuses(lab, "baseline: {model.dim: x}\n", "q.yaml:1:23: model.dim: x is not an integer");
}

static void test_unread_keys(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    const char *text = "model: {family: vittm, rw_head: cross, latent_dim: 24}\n";
    lab_refuses(lab, text,
                "q.yaml:1:52: no cell reads model.latent_dim: it belongs to model.rw_head latent, "
                "latent_cross, linear");
    lab_refuses(lab, "grid: {model.reduce.r: [1, 2]}\n",
                "q.yaml:1:8: no cell reads model.reduce.r: it belongs to "
                "model.reduce.method tome, mctf");
    lab_refuses(lab,
                "grid: {model.reduce.r: [1, 2], model.reduce.method: [tome]}\n"
                "when: {model.reduce.r: 'model.dim > 1e4'}\n",
                "q.yaml:1:8: no cell reads model.reduce.r: its condition in when never holds");
    /* one cell that reads it is enough; values of base files may stay unread */
    lab_load(lab, &e,
             "model: {family: vittm, latent_dim: 24}\ngrid: {model.rw_head: [cross, linear]}\n",
             NULL, 0);
    experiment_release(&e);
    lab_load(lab, &e, "base: base/vittm.yaml\nmodel: {rw_head: cross}\n", NULL, 0);
    experiment_release(&e);
    /* an override may make the file's own keys idle, but is not idle itself */
    lab_load(lab, &e, lab_quick, (const char *const[]){"model.rw_head=cross", "model.fusion=add"},
             2);
    experiment_release(&e);
    lab_refuses_with(
        lab, "name: x\n", (const char *const[]){"model.latent_dim=3"}, 1,
        "command line: no cell reads model.latent_dim: it belongs to model.rw_head latent, "
        "latent_cross, linear");
}

static void test_command_line_refusals(void **state)
{
    struct lab *lab = *state;
    lab_refuses_with(lab, "name: x\n", (const char *const[]){"model.dimm=3"}, 1,
                     "command line: unknown key model.dimm (did you mean model.dim?)");
    lab_refuses_with(lab, "name: x\n", (const char *const[]){"dim"}, 1,
                     "command line: dim: expected key=value");
    lab_refuses_with(lab, "name: x\n", (const char *const[]){"model.dim=3,x"}, 1,
                     "command line: model.dim: x is not an integer");
    lab_refuses_with(lab, "name: x\n", (const char *const[]){"seeds=x"}, 1,
                     "command line: seeds: x is not a number of seeds (1 to 10000; or a list)");
    lab_refuses_with(lab, "name: x\n", (const char *const[]){"model=nothing"}, 1,
                     "command line: unknown model nothing (vittm list models names them)");
}

static void test_too_many(void **state)
{
    struct lab *lab = *state;
    struct experiment e;
    struct error err = {0};
    const char *text =
        "seeds: 100\ngrid: {model.dim: 'range(1,1002)', train.epochs: 'range(1,3)'}\n";
    lab_refuses(
        lab, text,
        "q.yaml: 2002 cells with 100 seeds are 200200 runs, more than 100000 (narrow the grid, "
        "or say --many)");
    char path[600];
    snprintf(path, sizeof path, "%s/q.yaml", lab->folder);
    lab_write(lab, "q.yaml", text);
    if (experiment_load(&e, &lab->source, path, NULL, 0, &err) ||
        experiment_expand(&e, NULL, 1, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(e.n_cells, 2002);
    experiment_release(&e);
    lab_refuses(lab,
                "grid: {model.dim: 'range(1,60000)', train.epochs: 'range(0,60000)', model.heads: "
                "'range(1,1000)', "
                "model.depth: 'range(1,60)', train.lr: 'range(0,60000)', train.weight_decay: "
                "'range(0,1,1e-4)'}\n",
                "q.yaml: more cells than can be counted (narrow the grid)");
}

/* The malformed experiment that lies beside the checkout, where it does. */
static void test_shared_file(void **state)
{
    struct lab *lab = *state;
    const char *shared = getenv("VITTM_SHARED");
    char path[1000];
    struct experiment e;
    struct error err = {0};
    snprintf(path, sizeof path, "%s/data/bad/15_unknown_keys.yaml", shared ? shared : "../shared");
    if (!file_exists(path)) {
        print_message("%s is not here: skipped\n", path);
        skip();
    }
    assert_int_equal(experiment_load(&e, &lab->source, path, NULL, 0, &err), -1);
    assert_non_null(strstr(err.msg, "15_unknown_keys.yaml:2:1: unknown key epocs"));
    assert_non_null(
        strstr(err.msg, "15_unknown_keys.yaml:6:3: unknown key optimizer.weight_decya"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_refusals), cmocka_unit_test(test_value_refusals),
        cmocka_unit_test(test_unread_keys),   cmocka_unit_test(test_command_line_refusals),
        cmocka_unit_test(test_too_many),      cmocka_unit_test(test_shared_file),
    };
    return cmocka_run_group_tests_name("runner/experiment_refusals", tests, lab_setup,
                                       lab_teardown);
}
