/* vittm doctor: what this machine has, and whether the database is whole. */
#include "cli/command.h"

#include <cblas.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <png.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>
#include <zlib.h>

#include <jpeglib.h>

#include "backend/backend.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/version.h"
#include "cli/models.h"
#include "cli/store.h"
#include "data/dataset.h"
#include "data/import.h"
#include "results/maintain.h"
#include "runner/machine.h"

static const struct option_spec options[] = {OPTION_FORMAT, OPTION_DB, {0}};

/* What a line says about the machine. */
enum verdict { GOOD, ABSENT /* fine without */, BAD };

struct checkup {
    struct rows *rows;
    int bad;
};

static void note(struct checkup *c, enum verdict verdict, const char *check, const char *result)
{
    static const char *const texts[] = {[GOOD] = "ok", [ABSENT] = "-", [BAD] = "BAD"};
    struct rows_cell *cell = rows_append(c->rows);
    rows_set_text(c->rows, &cell[0], check);
    rows_set_text(c->rows, &cell[1], texts[verdict]);
    rows_set_text(c->rows, &cell[2], result);
    c->bad += verdict == BAD;
}

static void check_build(struct checkup *c)
{
    struct strbuf text = STRBUF_INIT;
    strbuf_addf(&text, "%s, commit %.12s%s, %s", version_number(), version_commit(),
                version_dirty() ? " modified" : "", version_compiler());
    note(c, GOOD, "vittm", text.text);
    strbuf_release(&text);
}

static void check_devices(struct checkup *c)
{
    struct strbuf cores = STRBUF_INIT;
    strbuf_addf(&cores, "%d may be used", machine_cores((int[1024]){0}, 1024));
    note(c, GOOD, "cores", cores.text);
    strbuf_release(&cores);
    for (int i = 0; backend_at(i) != NULL; i++) {
        const struct backend *b = backend_at(i);
        struct backend_options o = {.threads = 1};
        struct error why = {0};
        char device[256] = "";
        int usable = backend_open(b, &o, device, sizeof device, &why) != NULL;
        struct strbuf name = STRBUF_INIT;
        strbuf_addf(&name, "device %s", b->choice.name);
        note(c, usable ? GOOD : ABSENT, name.text, usable ? device : why.msg);
        strbuf_release(&name);
    }
}

#define TEXT(x)  #x
#define VALUE(x) TEXT(x)

static void check_libraries(struct checkup *c)
{
    const struct {
        const char *name, *version;
    } libraries[] = {
        {"OpenBLAS", openblas_get_config()},
        {"SQLite", sqlite3_libversion()},
        {"libyaml", yaml_get_version_string()},
        {"jansson", jansson_version_str()},
        {"libpng", png_get_libpng_ver(NULL)},
        {"libjpeg-turbo", VALUE(LIBJPEG_TURBO_VERSION)},
        {"zlib", zlibVersion()},
        {"libcrypto", OpenSSL_version(OPENSSL_VERSION)},
    };
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++)
        note(c, GOOD, libraries[i].name, libraries[i].version);
}

/* The file that PATH finds for a program, in text; or NULL. */
static const char *find_program(const char *name, struct strbuf *text)
{
    const char *path = getenv("PATH");
    for (const char *p = path != NULL ? path : ""; *p != 0; p += *p == ':') {
        size_t n = strcspn(p, ":");
        strbuf_clear(text);
        strbuf_add(text, p, n);
        strbuf_addf(text, "/%s", name);
        if (n > 0 && access(text->text, X_OK) == 0)
            return text->text;
        p += n;
    }
    return NULL;
}

static void check_programs(struct checkup *c)
{
    static const struct {
        const char *name;
        enum verdict without;
        const char *why;
    } programs[] = {
        {"gnuplot", BAD, "missing: plot and report need it (apt-get install gnuplot-nox)"},
        {"curl", ABSENT, "missing: `vittm data get` takes wget then"},
        {"tar", ABSENT, "missing: `vittm data get` cannot unpack archives"},
    };
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        const char *found = find_program(programs[i].name, &text);
        note(c, found != NULL ? GOOD : programs[i].without, programs[i].name,
             found != NULL ? found : programs[i].why);
    }
    strbuf_release(&text);
}

static void check_data(struct checkup *c)
{
    struct import_entry e;
    for (int i = 0; import_list(i, &e); i++) {
        struct strbuf name = STRBUF_INIT, text = STRBUF_INIT;
        strbuf_addf(&name, "data %s", e.kind->choice.name);
        if (e.state == IMPORT_FOUND)
            strbuf_adds(&text, e.path);
        else if (e.state == IMPORT_BUILT_IN)
            strbuf_adds(&text, "built in");
        else if (e.state == IMPORT_USER)
            strbuf_adds(&text, "your own: data.root names it");
        else
            strbuf_addf(&text, "not here (`vittm data get %s`)", e.kind->choice.name);
        note(c, e.state == IMPORT_MISSING ? ABSENT : GOOD, name.text, text.text);
        strbuf_release(&name);
        strbuf_release(&text);
    }
}

static void check_models(struct checkup *c)
{
    struct arena arena = {0};
    struct error why = {0};
    const char *const *names = models_names(&arena, &why);
    int n = 0;
    while (names != NULL && names[n] != NULL)
        n++;
    note(c, n > 0 ? GOOD : BAD, "named models", n > 0 ? arena_printf(&arena, "%d", n) : why.msg);
    arena_release(&arena);
}

/* The store's own findings, row by row. */
static void copy_findings(struct checkup *c, const struct rows *found)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct rows_cell *cell = rows_cell(found, i, 0);
        struct strbuf name = STRBUF_INIT, text = STRBUF_INIT;
        strbuf_addf(&name, "database: %s", cell[0].text);
        if (cell[1].type == ROWS_TEXT)
            strbuf_adds(&text, cell[1].text);
        else
            strbuf_addf(&text, "%.15g", rows_number(&cell[1]));
        note(c, rows_number(&cell[2]) > 0 ? GOOD : BAD, name.text, text.text);
        strbuf_release(&name);
        strbuf_release(&text);
    }
}

static void check_database(struct checkup *c, const struct args *a)
{
    const char *path = args_db(a);
    struct error why = {0};
    if (!file_exists(path)) {
        note(c, ABSENT, "database", "none yet (`vittm run` makes it)");
        return;
    }
    struct store *s = cli_store_open(a, STORE_READ, &why);
    int healthy = 0;
    struct rows *found = s != NULL ? store_doctor(s, &healthy, &why) : NULL;
    note(c, found != NULL && healthy ? GOOD : BAD, "database", found != NULL ? path : why.msg);
    if (found != NULL) {
        copy_findings(c, found);
        rows_free(found);
    }
    store_close(s);
}

static void check_room(struct checkup *c)
{
    struct strbuf text = STRBUF_INIT;
    long long disk = machine_free_bytes("."), memory = machine_free_memory();
    strbuf_addf(&text, "%.1f GB on this disk, %.1f GB of memory", (double)disk / 1e9,
                (double)memory / 1e9);
    note(c, disk >= 0 && disk < 100000000 ? BAD : GOOD, "free", text.text);
    strbuf_release(&text);
}

static int run(const struct args *a, struct error *err)
{
    struct checkup c = {.rows = rows_new(3, (const char *const[]){"check", "ok", "result"})};
    c.rows->wraps = 1;
    check_build(&c);
    check_devices(&c);
    check_room(&c);
    check_libraries(&c);
    check_programs(&c);
    check_models(&c);
    check_data(&c);
    check_database(&c, a);
    int bad = c.bad;
    int rc = cli_print(a, c.rows, NULL, err);
    if (rc != EXIT_FINE)
        return rc;
    if (bad > 0)
        fprintf(stderr, "%d of the lines above are BAD\n", bad);
    else
        fprintf(stderr, "all well\n");
    return bad > 0 ? EXIT_ENVIRONMENT : EXIT_FINE;
}

const struct command command_doctor = {
    .name = "doctor",
    .group = "About the program",
    .summary = "devices, libraries, programs, data, health of the database",
    .options = options,
    .details = "Exits 3 where something that is needed is missing or damaged.",
    .run = run,
};
