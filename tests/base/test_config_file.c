/* Configurations from YAML files, model files by name, and overrides. */
#include "base/config_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "base/yaml.h"

static const struct config_key keys[] = {
    {"model.dim", CONFIG_INT, "192", 1, 65536, NULL, 0, "channels"},
    {"model.patch", CONFIG_INTS, "16", 1, 1024, NULL, 0, "patch size, pixels"},
    {"model.reduce.r", CONFIG_INT, "0", 0, 1000, NULL, 0, "tokens removed in each layer"},
    {"data.root", CONFIG_STRING, "auto", 0, 0, NULL, CONFIG_UNHASHED, "folder"},
    {0}};
static const struct config_key *const tables[] = {keys, NULL};

static char folder[300];
static const char *roots[] = {"no-such-folder", folder, NULL};

static const char *path_of(const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    struct error err = {0};
    if (file_write(path_of(name), text, strlen(text), &err))
        fail_msg("%s", err.msg);
}

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    struct error err = {0};
    snprintf(folder, sizeof folder, "%s/vittm-config-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder) || file_make_folder(path_of("experiments/models"), &err))
        return -1;
    write_file("experiments/models/vit_s16.yaml", "model: {dim: 384}\n");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    remove(path_of("experiments/models/vit_s16.yaml"));
    remove(path_of("c.yaml"));
    rmdir(path_of("experiments/models"));
    rmdir(path_of("experiments"));
    return rmdir(folder);
}

static int take_seed(void *ctx, const struct yaml_node *node, struct error *err)
{
    (void)err;
    if (strcmp(node->key, "seed"))
        return 0;
    *(int *)ctx = (int)strtol(node->text, NULL, 10);
    return 1;
}

static void refuses(const char *text, const char *message)
{
    struct config *c = config_new(tables);
    struct error err = {0};
    struct strbuf s = STRBUF_INIT;
    write_file("c.yaml", text);
    assert_int_equal(config_load(c, path_of("c.yaml"), NULL, NULL, &err), -1);
    size_t length = strlen(folder);
    for (const char *p = err.msg; *p; p++) {
        if (!strncmp(p, folder, length))
            p += length + 1;
        strbuf_addc(&s, *p);
    }
    assert_string_equal(s.text, message);
    strbuf_release(&s);
    config_free(c);
}

static void test_load(void **state)
{
    (void)state;
    struct config *c = config_new(tables);
    struct error err = {0};
    const int64_t *patch;
    int seed = 0;
    write_file("c.yaml", "model: {dim: 96, patch: [4, 8], reduce: {r: 3}}\n"
                         "data.root: /a b\n"
                         "seed: 7\n");
    if (config_load(c, path_of("c.yaml"), take_seed, &seed, &err) || config_resolve(c, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(seed, 7);
    assert_int_equal(config_int(c, "model.dim"), 96);
    assert_int_equal(config_ints(c, "model.patch", &patch), 2);
    assert_int_equal(config_int(c, "model.reduce.r"), 3);
    assert_string_equal(config_string(c, "data.root"), "/a b");
    config_free(c);
}

/* What config_dump writes, config_load reads back: a run's folder depends on it. */
static void test_dump_reads_back(void **state)
{
    (void)state;
    static const char *const roots_to_try[] = {
        "auto",        "",      "a b", "true",   "1e3",  ".5",    "null",
        "~",           "-",     "#x",  "x: y",   "a\nb", "\"q\"", "tab\there",
        "caf\xc3\xa9", " lead", "[a]", "*alias", "\\",   "0x10",  "\x7f\x01"};
    for (size_t i = 0; i < sizeof roots_to_try / sizeof *roots_to_try; i++) {
        struct config *a = config_new(tables), *b = config_new(tables);
        struct strbuf first = STRBUF_INIT, second = STRBUF_INIT;
        struct error err = {0};
        const struct config_origin here = {"test", 0, 0};
        if (config_set(a, "data.root", roots_to_try[i], here, &err) ||
            config_set(a, "model.patch", "3,5", here, &err) || config_resolve(a, &err))
            fail_msg("%s", err.msg);
        config_dump(a, &first);
        write_file("c.yaml", first.text);
        if (config_load(b, path_of("c.yaml"), NULL, NULL, &err) || config_resolve(b, &err))
            fail_msg("%s: %s", roots_to_try[i], err.msg);
        assert_string_equal(config_string(b, "data.root"), roots_to_try[i]);
        config_dump(b, &second);
        assert_string_equal(second.text, first.text);
        strbuf_release(&first);
        strbuf_release(&second);
        config_free(a);
        config_free(b);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    refuses("model: {dims: 3}\nseed: 3\n",
            "c.yaml:1:9: unknown key model.dims (did you mean model.dim?); "
            "c.yaml:2:1: unknown key seed");
    refuses("model: {dim: 3}\nmodel.dim: 4\n",
            "c.yaml:2:1: duplicate key model.dim (first set on line 1; remove one)");
    refuses("model: {dim: ~}\n",
            "c.yaml:1:14: model.dim: no value (write one, or leave the key out for its default)");
    refuses("model: {dim: {a: 3}}\n", "c.yaml:1:14: model.dim: a map where one value is expected");
    refuses("model: {patch: [[3]]}\n", "c.yaml:1:17: model.patch: a list of numbers is expected");
    refuses("model: 3\n", "c.yaml:1:1: unknown key model");
    refuses("- a\n", "c.yaml:1:1: expected keys and values (key: value)");
}

static void test_models(void **state)
{
    (void)state;
    struct config *c = config_new(tables);
    struct error err = {0};
    if (config_load_model(c, "vit_s16", roots, &err) ||
        config_override(c, "model.reduce.r=4", &err) || config_resolve(c, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(config_int(c, "model.dim"), 384);
    assert_int_equal(config_int(c, "model.reduce.r"), 4);
    if (config_load_model(c, path_of("experiments/models/vit_s16.yaml"), NULL, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(config_load_model(c, "vit_s17", roots, &err), -1);
    assert_string_equal(err.msg, "unknown model vit_s17 (did you mean vit_s16?)");
    assert_int_equal(config_load_model(c, "gru", roots, &err), -1);
    assert_string_equal(err.msg, "unknown model gru (vittm list models names them)");
    assert_int_equal(config_load_model(c, "gru", NULL, &err), -1);
    assert_string_equal(err.msg, "no file gru and no folder experiments/models to look it up in");
    assert_int_equal(config_override(c, "model.dim", &err), -1);
    assert_string_equal(err.msg, "command line: model.dim: expected key=value");
    assert_int_equal(config_override(c, "model.din=3", &err), -1);
    assert_string_equal(err.msg, "command line: unknown key model.din (did you mean model.dim?)");
    config_free(c);
}

static int set_key(void *ctx, const char *key, const char *text, struct config_origin origin,
                   struct error *err)
{
    return config_set(ctx, key, text, origin, err);
}

/* Damaged files may be refused, never crash: a sanitizer build is the judge. */
static void test_damaged_files(void **state)
{
    (void)state;
    static const char good[] =
        "# note\nmodel: &m {dim: 96, patch: [4, 8], reduce: {r: 3}}\n"
        "data.root: \"a\\tb\"\nother: *m\nlist:\n- 1\n- {a: 'b'}\n|x: >\n  y\n";
    static const char alphabet[] = "\n\t :,-[]{}&*!|>'\"%@`#?a0\\\x80\xff\x01";
    struct rng r;
    rng_init(&r, 1, "damage", 0, 0);
    for (int i = 0; i < 20000; i++) {
        char text[sizeof good];
        struct arena a = {0};
        struct error err = {0};
        struct yaml_node *root;
        struct config *c = config_new(tables);
        memcpy(text, good, sizeof good);
        for (int k = (int)rng_below(&r, 4); k >= 0; k--)
            text[rng_below(&r, sizeof good - 1)] =
                alphabet[rng_below(&r, (int64_t)sizeof alphabet - 1)];
        if (!yaml_parse(&a, "d", text, (size_t)rng_below(&r, sizeof good), &root, &err)) {
            const struct config_visitor visitor = {set_key, NULL, c};
            if (!config_walk(c, &a, root, &visitor, &err))
                config_resolve(c, &err);
        } else {
            assert_true(err.msg[0] && !strchr(err.msg, '\n'));
        }
        config_free(c);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_load),          cmocka_unit_test(test_dump_reads_back),
        cmocka_unit_test(test_refusals),      cmocka_unit_test(test_models),
        cmocka_unit_test(test_damaged_files),
    };
    return cmocka_run_group_tests_name("base/config_file", tests, make_folder, remove_folder);
}
