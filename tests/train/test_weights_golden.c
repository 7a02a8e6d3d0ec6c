/* Every reference model as a plain weights file: imported, it reproduces the reference outputs, and
 * exported and imported again it is the same to the bit. */
#include "cli/selftest/golden.h"
#include "train/weights_file.h"
#include "train/weights_start.h"

#include "base/error.h"
#include "base/memory.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char root[200];
static struct device judge;

static int open_all(void **state)
{
    (void)state;
    struct error err = {0};
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/vittm-weights-XXXXXX", tmp ? tmp : "/tmp");
    return !mkdtemp(root) || device_open(&judge, "judge", 1, &err) ? -1 : 0;
}

static int close_all(void **state)
{
    (void)state;
    return rmdir(root);
}

static const char *in_root(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

/* The parameters of a reference file under their own names, each with wrapper in front, and a
 * counter of averaging where there is a wrapper. */
static void write_plain(const struct safetensors *s, const char *wrapper, const char *path)
{
    static const int64_t counter = 17;
    struct arena a = {0};
    struct error err = {0};
    struct safetensors_entry *entries = ARENA_ARRAY(&a, struct safetensors_entry, s->n_tensors + 1);
    size_t n = 0;
    for (size_t i = 0; i < s->n_tensors; i++) {
        const struct safetensors_tensor *t = &s->tensors[i];
        if (strncmp(t->name, "param/", 6) != 0)
            continue;
        entries[n] =
            (struct safetensors_entry){.name = arena_printf(&a, "%s%s", wrapper, t->name + 6),
                                       .type = t->type,
                                       .rank = t->rank,
                                       .data = t->data};
        memcpy(entries[n++].dim, t->dim, sizeof t->dim);
    }
    if (*wrapper)
        entries[n++] = (struct safetensors_entry){
            .name = "n_averaged", .type = SAFETENSORS_I64, .data = &counter};
    if (safetensors_write(path, entries, n, NULL, 0, NULL, &err))
        fail_msg("%s", err.msg);
    arena_release(&a);
}

/* Imports path over initial values; expects every parameter from the file, and ignored tensors of
 * it. */
static void import(struct weights *w, struct network *net, const char *path, int ignored)
{
    struct safetensors file;
    struct error err = {0};
    struct weights_report report = {0};
    struct weights_rules strict = {.lenient = 0};
    network_init(net, 3);
    weights_init(w, net);
    weights_get(w, net);
    if (weights_open(&file, path, &err) || weights_import(w, &file, &strict, &report, &err))
        fail_msg("%s", err.msg);
    if (report.counts[WEIGHTS_USED] != w->n)
        fail_msg("%s: %d of %d parameters used", path, report.counts[WEIGHTS_USED], w->n);
    assert_int_equal(report.counts[WEIGHTS_IGNORED], ignored);
    assert_int_equal(report.counts[WEIGHTS_REPLACED], 0);
    weights_report_release(&report);
    safetensors_close(&file);
    weights_put(w, net);
}

static void expect_same(const struct weights *a, const struct weights *b, const char *what)
{
    for (int i = 0; i < a->n; i++)
        if (memcmp(a->values[i], b->values[i],
                   (size_t)shape_count(a->tensors[i]->shape) * a->value_size) != 0)
            fail_msg("%s: %s differs", what, a->tensors[i]->name);
}

static void expect_outputs(struct network *net, const struct safetensors *s)
{
    struct comparison c = {0};
    double *x = golden_stored(s, "", "input", shape_count(net->image->shape));
    assert_non_null(x);
    network_put(net, net->image, x);
    free(x);
    network_run(net, 0, 0);
    for (int i = 0; i < net->n_logits; i++) {
        const struct graph *g = net->plan->graph;
        int64_t n = shape_count(net->logits[i]->shape);
        double *got = mem_alloc(sizeof *got * (size_t)n), *want = NULL;
        for (int k = 0; k < g->n_outputs && !want; k++)
            if (g->outputs[k] == net->logits[i])
                want = golden_stored(s, "", g->output_names[k], n);
        assert_non_null(want);
        network_get(net, net->logits[i], got);
        golden_compare(&c, net->heads[i], got, want, n, GOLDEN_TOLERANCE_DOUBLE, 1e-12);
        free(got);
        free(want);
    }
    if (!(c.worst <= 1) || !c.compared)
        fail_msg("%s: %s", s->path, c.what);
}

static void expect_round_trip(const struct weights *w, struct network *net, const struct config *c)
{
    const char *path = in_root("exported.safetensors");
    struct weights again;
    struct error err = {0};
    struct weights_about about = {.config = c, .both_names = 1};
    if (weights_write(w, path, &about, NULL, &err))
        fail_msg("%s", err.msg);
    import(&again, net, path, 0);
    expect_same(w, &again, "exported and imported");
    weights_release(&again);
    unlink(path);
}

static void check_file(const struct safetensors *s, const struct config *c)
{
    struct network net;
    struct weights plain, wrapped;
    struct error err = {0};
    const struct safetensors_tensor *input = safetensors_find(s, "input");
    struct network_options o = {.batch = input->dim[0]};
    const char *path = in_root("plain.safetensors");
    if (network_open(&net, c, &judge, &o, &err))
        fail_msg("%s: %s", s->path, err.msg);
    write_plain(s, "", path);
    import(&plain, &net, path, 0);
    expect_outputs(&net, s);
    path = in_root("plain.safetensors");
    write_plain(s, "module._orig_mod.", path);
    import(&wrapped, &net, path, 1);
    expect_same(&plain, &wrapped, "wrapped names");
    unlink(in_root("plain.safetensors"));
    expect_round_trip(&plain, &net, c);
    weights_release(&plain);
    weights_release(&wrapped);
    network_close(&net);
}

/* Models of these families' plain inference. */
static int is_case(const char *file)
{
    static const char *const families[] = {"vit-",      "vittm-",  "lookupvit-",
                                           "crossvit-", "revvit-", "tome-r"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strncmp(file, families[i], strlen(families[i])))
            return 1;
    return 0;
}

static int check_folder(const char *folder)
{
    int n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        char path[600];
        struct safetensors s;
        struct error err = {0};
        if (!is_case(e->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (safetensors_open(&s, path, &err))
            fail_msg("%s", err.msg);
        struct config *c = golden_config(&s, &err);
        if (!c)
            fail_msg("%s: %s", path, err.msg);
        check_file(&s, c);
        config_free(c);
        safetensors_close(&s);
        n++;
    }
    closedir(dir);
    return n;
}

static void test_kept_models(void **state)
{
    (void)state;
    int n = check_folder("tests/golden");
    print_message("%d reference models imported\n", n);
    assert_true(n >= 12);
}

static void test_shared_models(void **state)
{
    (void)state;
    char folder[500];
    const char *shared = getenv("VITTM_SHARED");
    snprintf(folder, sizeof folder, "%s/golden/model", shared && *shared ? shared : "../shared");
    if (access(folder, R_OK)) {
        print_message("%s is not there\n", folder);
        skip();
    }
    print_message("%d reference models imported\n", check_folder(folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_models),
        cmocka_unit_test(test_shared_models),
    };
    return cmocka_run_group_tests_name("train/weights_golden", tests, open_all, close_all);
}
