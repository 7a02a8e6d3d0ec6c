/* Getting, listing and checking data sets. Downloads are tested with file: addresses. */
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/download.h"
#include "data/import.h"
#include "data/program.h"
#include "data/tree.h"
#include "data/work_place.h"
#include "tests/support/data.h"
#include "tests/support/golden.h"

#define assert_says(err, part)                                                                     \
    do {                                                                                           \
        if (!strstr((err).msg, part))                                                              \
            fail_msg("expected \"%s\" in: %s", part, (err).msg);                                   \
    } while (0)

static void note(void *ctx, const char *line)
{
    strbuf_addf(ctx, "%s\n", line);
}

static int get(const char *name, const char *from, const char *folder, struct strbuf *said,
               char *where, struct error *err)
{
    struct import_request q = {
        .name = name, .from = from, .folder = folder, .say = note, .ctx = said};
    strbuf_clear(said);
    return import_get(&q, where, 4096, err);
}

/* ---- get ---- */

/* The four files of MNIST with empty pictures: small when compressed. */
static void write_mnist(const char *folder, int train, int val)
{
    static const char *const names[] = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
                                        "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"};
    for (int i = 0; i < 4; i++) {
        int n = i < 2 ? train : val, rank = i % 2 ? 1 : 3;
        size_t size = rank == 3 ? 16 + (size_t)n * 784 : 8 + (size_t)n;
        unsigned char *bytes = mem_zalloc(size, 1);
        char path[1024];
        bytes[2] = 8;
        bytes[3] = (unsigned char)rank;
        for (int b = 0; b < 4; b++)
            bytes[4 + b] = (unsigned char)((unsigned)n >> (24 - 8 * b));
        if (rank == 3)
            bytes[11] = bytes[15] = 28;
        data_write(folder, names[i], "", 0);
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        gzFile f = gzopen(path, "wb1");
        assert_int_equal(gzwrite(f, bytes, (unsigned)size), size);
        gzclose(f);
        free(bytes);
    }
}

static void test_get(void **state)
{
    char folder[256], source[512], archive[512], cache[512], where[4096], path[8192];
    struct strbuf said = STRBUF_INIT;
    struct error err = {0};
    (void)state;
    data_folder(folder);
    snprintf(source, sizeof source, "%s/source", folder);
    snprintf(archive, sizeof archive, "%s/mnist.tar.gz", folder);
    snprintf(cache, sizeof cache, "%s/new/cache", folder);
    write_mnist(source, 60000, 10000);
    const char *const tar[] = {"tar", "-czf", archive, "-C", folder, "source", NULL};
    assert_int_equal(program_run(tar, &err), 0);

    /* What an attempt that was killed left is no part of the set. */
    data_write(cache, ".mnist.lock", "", 0);
    data_write(cache, ".mnist.import/made/train-labels-idx1-ubyte", "cut", 3);
    data_write(cache, ".mnist.import/unpacked/train-images-idx3-ubyte", "cut", 3);
    if (get("mnist", archive, cache, &said, where, &err))
        fail_msg("%s", err.msg);
    assert_non_null(strstr(said.text, "unpacking"));
    snprintf(path, sizeof path, "%s/mnist", cache);
    assert_string_equal(where, path);
    struct dataset *d =
        data_open(&err, SPLIT_VAL, "data.dataset", "mnist", "data.root", cache, NULL);
    if (!d)
        fail_msg("%s", err.msg);
    assert_int_equal(dataset_count(d), 10000);
    dataset_close(d);
    snprintf(path, sizeof path, "%s/.mnist.import", cache);
    assert_false(file_exists(path));
    snprintf(path, sizeof path, "%s/mnist/train-labels-idx1-ubyte", cache);
    assert_false(file_exists(path)); /* it is the .gz of the archive */
    snprintf(path, sizeof path, "%s/.mnist.lock", cache);
    assert_false(file_exists(path));

    assert_int_equal(get("mnist", "no-such-file", cache, &said, where, &err),
                     0); /* not even looked at */
    assert_non_null(strstr(said.text, "there and whole"));

    snprintf(path, sizeof path, "%s/mnist/t10k-labels-idx1-ubyte.gz", cache);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(get("mnist", source, cache, &said, where, &err),
                     0); /* a damaged set is made again */
    assert_true(file_exists(path));
    strbuf_release(&said);
    data_folder_remove(folder);
}

static void test_get_refusals(void **state)
{
    char folder[256], path[512], where[4096];
    struct strbuf said = STRBUF_INIT;
    struct error err = {0};
    (void)state;
    data_folder(folder);
    assert_int_equal(get("cifar1", NULL, folder, &said, where, &err), -1);
    assert_says(err, "unknown data set cifar1 (did you mean cifar10?)");
    assert_int_equal(get("shapes", NULL, folder, &said, where, &err), 0);
    assert_string_equal(where, "");
    assert_non_null(strstr(said.text, "built in"));
    assert_int_equal(get("imagenet1k", NULL, folder, &said, where, &err), -1);
    assert_says(err, "image-net.org");
    assert_int_equal(get("cifar10", "build/no-such-file", folder, &said, where, &err), -1);
    assert_says(err, "build/no-such-file: No such file");
    data_write(folder, "some/file", "x", 1);
    snprintf(path, sizeof path, "%s/some", folder);
    assert_int_equal(get("cifar10", path, folder, &said, where, &err), -1);
    assert_says(err, "neither data_batch_1.bin nor train/CLASS/IMAGE.jpg is in it");
    data_write(folder, "broken.tar.gz", "not a tar", 9);
    snprintf(path, sizeof path, "%s/broken.tar.gz", folder);
    assert_int_equal(get("cifar10", path, folder, &said, where, &err), -1);
    assert_says(err, "broken.tar.gz: tar cannot unpack it");
    snprintf(path, sizeof path, "%s/cifar", folder);
    data_write_cifar10(path, 3);
    assert_int_equal(get("cifar10", path, folder, &said, where, &err), -1);
    assert_says(err, "3 records, expected 10000");
    snprintf(path, sizeof path, "%s/jpegs", folder);
    data_write_png(path, "train/airplane/1.png", 32, 32, 1);
    data_write_png(path, "test/airplane/1.png", 32, 32, 1);
    assert_int_equal(get("cifar10", path, folder, &said, where, &err), -1);
    assert_says(err, "1 classes and 1 images, CIFAR-10 has 10 and 50000");
    snprintf(path, sizeof path, "%s/cifar-10-batches-bin", folder);
    assert_false(file_exists(path)); /* nothing half-made is left */
    strbuf_release(&said);
    data_folder_remove(folder);
}

/* ---- one at a time ---- */

enum { GETTERS = 4, TURNS = 200 };

/* Takes the lock TURNS times and makes a file each time that must not be there yet. */
static int take_turns(const char *folder)
{
    char path[512];
    struct error err = {0};
    struct work_lock l;
    snprintf(path, sizeof path, "%s/inside", folder);
    for (int done = 0; done < TURNS;) {
        if (work_lock_take(&l, dataset_kind_named("mnist"), folder, &err)) {
            if (!strstr(err.msg, ".mnist.lock: another vittm is getting this data set"))
                return 1;
            sched_yield();
            continue;
        }
        int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0644);
        if (fd < 0 || close(fd) || unlink(path))
            return 2;
        work_lock_release(&l);
        done++;
    }
    return 0;
}

static void test_lock(void **state)
{
    char folder[256], path[512];
    pid_t pids[GETTERS];
    (void)state;
    data_folder(folder);
    for (int i = 0; i < GETTERS; i++)
        if ((pids[i] = fork()) == 0)
            _exit(take_turns(folder));
    for (int i = 0; i < GETTERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    snprintf(path, sizeof path, "%s/.mnist.lock", folder);
    assert_false(file_exists(path));
    data_folder_remove(folder);
}

/* ---- downloads ---- */

static void test_download(void **state)
{
    char folder[256], here[4096], url[8192], to[512], *text;
    unsigned char bytes[5000];
    struct error err = {0};
    size_t size;
    struct import_file f = {url, "file", sizeof bytes, NULL};
    char hex[65];
    (void)state;
    if (!program_exists("curl")) {
        print_message("curl is not installed\n");
        skip();
    }
    assert_non_null(getcwd(here, sizeof here));
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * i / 7);
    file_sha256_bytes(bytes, sizeof bytes, hex);
    f.sha256 = hex;
    data_write(data_folder(folder), "home", bytes, sizeof bytes);
    snprintf(url, sizeof url, "file://%s/%s/home", here, folder);
    snprintf(to, sizeof to, "%s/copy", folder);
    data_write(folder, "copy", bytes, 1234); /* what an earlier attempt left */
    assert_false(download_is_whole(&f, to));
    if (download_file(&f, to, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(file_read(to, 10000, &text, &size, &err), 0);
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(text, bytes, size);
    free(text);
    unsigned char more[6000] = {0}; /* nothing to go on from */
    data_write(folder, "copy", more, sizeof more);
    if (download_file(&f, to, &err))
        fail_msg("%s", err.msg);
    f.sha256 = "0000";
    assert_int_equal(download_file(&f, to, &err), -1);
    assert_says(err, "expected 0000 (removed: try again)");
    assert_false(file_exists(to));
    data_folder_remove(folder);
    assert_int_equal(download_file(&f, "build/tmp/nothing", &err), -1);
    assert_says(err, "curl failed with exit code");
}

/* ---- list, check ---- */

static void test_list(void **state)
{
    struct import_entry e;
    int n = 0;
    (void)state;
    while (import_list(n, &e)) {
        assert_ptr_equal(e.kind, dataset_kind_at(n));
        assert_true(*import_state_name(e.state));
        assert_true((e.state == IMPORT_FOUND) == (e.path[0] != 0));
        n++;
    }
    assert_null(dataset_kind_at(n));
    import_list(0, &e);
    assert_int_equal(e.state, IMPORT_BUILT_IN);
}

static int refuse(const char *path, struct error *err)
{
    return error_env(err, "%s: refused", path);
}

static void collect(void *ctx, const char *file, const char *reason)
{
    assert_non_null(strstr(reason, strrchr(file, '/') + 1));
    note(ctx, reason);
}

static void test_check(void **state)
{
    const struct import_checker extra[] = {{".safetensors", refuse}, {NULL, NULL}};
    char folder[256];
    struct import_counts n;
    struct strbuf bad = STRBUF_INIT;
    struct error err = {0};
    (void)state;
    data_write_cifar10(data_folder(folder), 2);
    data_write_png(folder, "a/1.png", 3, 3, 1);
    data_write_png(folder, "annotations/1.png", 3, 3, 1); /* three channels are no labels */
    data_write(folder, "a/2.JPG", "x", 1);
    data_write(folder, "x.safetensors", "x", 1);
    data_write(folder, "notes.txt", "x", 1);
    data_write(folder, "bad.yaml", "a: 1\na: 2\n", 10);
    assert_int_equal(import_check(folder, extra, collect, &bad, &n, &err), 0);
    assert_int_equal(n.files, 6 + 6);
    assert_int_equal(n.good, 6 + 1);
    assert_int_equal(n.bad, 4);
    assert_int_equal(n.other, 1);
    assert_non_null(strstr(bad.text, "x.safetensors: refused"));
    assert_non_null(strstr(bad.text, "bad.yaml:2:1: duplicate key a"));
    assert_int_equal(import_check("build/no-such-folder", NULL, collect, &bad, &n, &err), -1);
    assert_says(err, "build/no-such-folder: No such file");
    strbuf_release(&bad);
    data_folder_remove(folder);
}

/* What a killed `data get` leaves is neither data nor bad. */
static void test_check_own_files(void **state)
{
    char folder[256];
    struct import_counts n;
    struct strbuf bad = STRBUF_INIT;
    struct error err = {0};
    (void)state;
    data_write_cifar10(data_folder(folder), 2);
    data_write(folder, ".cifar10.lock", "", 0);
    data_write(folder, ".cifar10.import/made/data_batch_1.bin", "cut", 3);
    data_write(folder, "sets/.mnist.import/download/train-images-idx3-ubyte.gz", "cut", 3);
    data_write(folder, ".mine.lock", "", 0); /* of no data set */
    assert_int_equal(import_check(folder, NULL, collect, &bad, &n, &err), 0);
    assert_int_equal(n.files, 6 + 1);
    assert_int_equal(n.good, 6);
    assert_int_equal(n.bad, 0);
    assert_int_equal(n.other, 1);
    strbuf_release(&bad);
    data_folder_remove(folder);
}

static void test_check_bad_files(void **state)
{
    static const char *const files[] = {"01_", "02_", "03_", "04_", "05_", "06_",
                                        "07_", "08_", "09_", "13_", "14_", "16_",
                                        "20_", "22_", "23_", "24_", "26_"};
    char path[4096];
    struct import_counts n;
    struct strbuf bad = STRBUF_INIT;
    struct error err = {0};
    (void)state;
    if (!golden_path("data/bad", path, sizeof path)) {
        print_message("no data/bad here\n");
        skip();
    }
    assert_int_equal(import_check(path, NULL, collect, &bad, &n, &err), 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[16];
        snprintf(name, sizeof name, "/%s", files[i]);
        if (!strstr(bad.text, name))
            fail_msg("%s is not among the bad files", files[i]);
    }
    strbuf_release(&bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_get_refusals),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_download),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_own_files),
        cmocka_unit_test(test_check_bad_files),
    };
    return cmocka_run_group_tests_name("data/import", tests, NULL, NULL);
}
