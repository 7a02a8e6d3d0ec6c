/* YAML trees: structure and positions, and one refusal with its exact message for every limit. */
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"

static struct yaml_node *parse(struct arena *a, const char *text)
{
    struct error err = {0};
    struct yaml_node *root = NULL;
    if (yaml_parse(a, "t.yaml", text, strlen(text), &root, &err))
        fail_msg("%s", err.msg);
    return root;
}

/* A byte order mark is no part of the text. */
static void test_mark(void **state)
{
    (void)state;
    struct arena a = {0};
    const struct yaml_node *dim = yaml_get(parse(&a, "\xef\xbb\xbf"
                                                     "dim: 96\n"),
                                           "dim");
    assert_non_null(dim);
    assert_int_equal(dim->line, 1);
    assert_int_equal(dim->column, 6);
    arena_release(&a);
}

static void refuses(const char *text, const char *message)
{
    struct arena a = {0};
    struct error err = {0};
    struct yaml_node *root;
    assert_int_equal(yaml_parse(&a, "t.yaml", text, strlen(text), &root, &err), -1);
    assert_string_equal(err.msg, message);
    assert_int_equal(err.code, EXIT_USAGE);
    arena_release(&a);
}

static void test_tree(void **state)
{
    (void)state;
    struct arena a = {0};
    struct yaml_node *root = parse(&a, "# comment\n"
                                       "model:\n"
                                       "  dim: 96\n"
                                       "  name: \"96\"\n"
                                       "  list: [a, 'b c', 1e-3]\n"
                                       "empty:\n");
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->n_children, 2);
    struct yaml_node *model = yaml_get(root, "model");
    assert_int_equal(model->kind, YAML_MAP);
    assert_int_equal(model->key_line, 2);
    assert_int_equal(model->key_column, 1);
    struct yaml_node *dim = yaml_get(model, "dim");
    assert_string_equal(dim->text, "96");
    assert_string_equal(dim->file, "t.yaml");
    assert_int_equal(dim->line, 3);
    assert_int_equal(dim->column, 8);
    assert_int_equal(dim->key_column, 3);
    assert_false(dim->quoted);
    assert_true(yaml_get(model, "name")->quoted);
    struct yaml_node *list = yaml_get(model, "list");
    assert_int_equal(list->kind, YAML_LIST);
    assert_int_equal(list->n_children, 3);
    assert_string_equal(list->child->next->text, "b c");
    assert_string_equal(list->child->next->next->text, "1e-3");
    assert_string_equal(yaml_get(root, "empty")->text, "");
    assert_null(yaml_get(root, "nothing"));
    assert_null(yaml_get(dim, "dim"));
    arena_release(&a);
}

static void test_alias_is_a_copy(void **state)
{
    (void)state;
    struct arena a = {0};
    struct yaml_node *root = parse(&a, "a: &x {p: 1}\nb: *x\nc: [*x, *x]\n");
    struct yaml_node *b = yaml_get(root, "b"), *c = yaml_get(root, "c");
    assert_string_equal(yaml_get(b, "p")->text, "1");
    assert_int_equal(b->key_line, 2);
    assert_int_equal(yaml_get(b, "p")->line, 1); /* where the value has to be mended */
    assert_ptr_not_equal(b->child, yaml_get(root, "a")->child);
    assert_int_equal(c->n_children, 2);
    arena_release(&a);
}

static void test_refusals(void **state)
{
    (void)state;
    refuses("model: a\nepochs: 100\nepochs: 300\n",
            "t.yaml:3:1: duplicate key epochs (first set on line 2; remove one)");
    refuses("a: {b: 1, c: 2, b: 3}\n",
            "t.yaml:1:17: duplicate key b (first set on line 1; remove one)");
    refuses("optimizer:\n\tlr: 1\n", "t.yaml:2:1: tab used for indentation (use spaces)");
    refuses("a: !!int 3\n", "t.yaml:1:4: tags (!…) are not used here (remove the tag)");
    refuses("!x a: 3\n", "t.yaml:1:1: tags (!…) are not used here (remove the tag)");
    refuses("<<: 3\n",
            "t.yaml:1:1: merge keys (<<) are not used here (use base: in an experiment)");
    refuses("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document (keep one document a file)");
    refuses("[a, b]: 1\n", "t.yaml:1:1: a key must be a plain word, not a list, map or alias");
    refuses("\"\": 1\n", "t.yaml:1:1: a key is missing before the colon");
    refuses("a: *b\n", "t.yaml:1:4: alias *b has no anchor &b before it");
    refuses("a: &a [*a]\n", "t.yaml:1:8: an alias inside the value that it stands for");
    refuses("a: \"x\\0y\"\n", "t.yaml:1:4: a zero byte in a string (remove \\0)");
    refuses("", "t.yaml: the file is empty");
    refuses("# nothing but a comment\n", "t.yaml: the file is empty");
    refuses("a: [1, 2\n", "t.yaml:2:1: did not find expected ',' or ']' (while parsing a flow "
                          "sequence at line 1)");
    refuses("ok: 1\na: \xff\n",
            "t.yaml:2:4: invalid leading UTF-8 octet (save the file as UTF-8 text)");
}

static void test_deep_nesting(void **state)
{
    (void)state;
    char text[40001];
    memset(text, '[', 40000);
    text[40000] = 0;
    refuses(text, "t.yaml:1:65: nested deeper than 64 levels (flatten the file)");
}

static void test_size(void **state)
{
    (void)state;
    size_t size = (1 << 20) + 1;
    char *text = malloc(size + 1);
    memset(text, ' ', size);
    text[size] = 0;
    refuses(text, "t.yaml: 1048577 bytes, more than 1 MiB (split the file)");
    free(text);
}

static void test_alias_bomb(void **state)
{
    (void)state;
    struct strbuf s = STRBUF_INIT;
    strbuf_adds(&s, "a: &a [x,x,x,x,x,x,x,x,x,x]\n");
    for (char c = 'b'; c <= 'j'; c++) {
        strbuf_addf(&s, "%c: &%c [", c, c);
        for (int i = 0; i < 10; i++)
            strbuf_addf(&s, "%s*%c", i ? "," : "", c - 1);
        strbuf_adds(&s, "]\n");
    }
    refuses(s.text,
            "t.yaml:5:29: more than 100000 values after expanding aliases (split the file)");
    strbuf_clear(&s);
    strbuf_adds(&s, "a: &a 1\nb: [");
    for (int i = 0; i < 1001; i++)
        strbuf_addf(&s, "%s*a", i ? "," : "");
    strbuf_adds(&s, "]\n");
    refuses(s.text, "t.yaml:2:3005: more than 1000 aliases (write the values out)");
    strbuf_release(&s);
}

static void test_missing_file(void **state)
{
    (void)state;
    struct arena a = {0};
    struct error err = {0};
    struct yaml_node *root;
    assert_int_equal(yaml_load(&a, "no/such.yaml", &root, &err), -1);
    assert_non_null(strstr(err.msg, "no/such.yaml"));
    assert_int_equal(err.code, EXIT_ENVIRONMENT);
    arena_release(&a);
}

/* The malformed files that are too large or too odd to write here, where they lie beside the
 * checkout. */
static void test_shared_files(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"13_duplicate_keys.yaml", ":3:1: duplicate key epochs"},
        {"14_alias_bomb.yaml", "more than 100000 values"},
        {"15_unknown_keys.yaml", NULL},
        {"22_deep_nesting.yaml", "nested deeper than 64 levels"},
        {"23_tabs.yaml", ":2:1: tab used for indentation"},
    };
    const char *shared = getenv("VITTM_SHARED");
    char path[1000];
    snprintf(path, sizeof path, "%s/data/bad", shared ? shared : "../shared");
    if (!file_is_folder(path)) {
        print_message("%s is not here: its files are skipped\n", path);
        skip();
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = {0};
        struct error err = {0};
        struct yaml_node *root;
        snprintf(path, sizeof path, "%s/data/bad/%s", shared ? shared : "../shared", cases[i][0]);
        int rc = yaml_load(&a, path, &root, &err);
        if (!cases[i][1]) {
            assert_int_equal(rc, 0); /* well formed: the experiment refuses its keys */
        } else {
            assert_int_equal(rc, -1);
            if (!strstr(err.msg, cases[i][1]) || !strstr(err.msg, cases[i][0]))
                fail_msg("%s: %s", cases[i][0], err.msg);
        }
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mark),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_alias_is_a_copy),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_alias_bomb),
        cmocka_unit_test(test_missing_file),
        cmocka_unit_test(test_shared_files),
    };
    return cmocka_run_group_tests_name("base/yaml", tests, NULL, NULL);
}
