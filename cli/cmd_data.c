/* vittm data: which data sets are here, bringing them in, checking files. */
#include "cli/actions.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "cli/schema.h"
#include "cli/store.h"
#include "data/dataset.h"
#include "data/import.h"
#include "runner/experiment.h"
#include "train/run_config.h"
#include "train/safetensors.h"

static const struct option_spec options[] = {
    {.name = "from",
     .type = OPTION_TEXT,
     .value = "PATH",
     .doc = "get: an archive or folder that is here already, in place of a download"},
    {.name = "to",
     .type = OPTION_TEXT,
     .value = "FOLDER",
     .doc = "get: the data folder (default: $VITTM_DATA, else ~/.cache/vittm)"},
    OPTION_FORMAT,
    {0}};

static void add_entry(struct rows *r, const struct import_entry *e)
{
    const struct dataset_kind *k = e->kind;
    struct rows_cell *cell = rows_append(r);
    rows_set_text(r, &cell[0], k->choice.name);
    rows_set_text(r, &cell[1], import_state_name(e->state));
    if (k->known_classes > 0)
        rows_set_integer(&cell[2], k->known_classes);
    if (k->train_images > 0)
        rows_set_integer(&cell[3], k->train_images);
    if (k->val_images > 0)
        rows_set_integer(&cell[4], k->val_images);
    rows_set_text(r, &cell[5], e->state == IMPORT_FOUND ? e->path : k->choice.doc);
}

static int list(const struct args *a, struct error *err)
{
    static const char *const names[] = {"dataset", "state", "classes", "train", "val", "about"};
    struct rows *r = rows_new(6, names);
    struct import_entry e;
    for (int i = 0; import_list(i, &e); i++)
        add_entry(r, &e);
    return cli_print(a, r, NULL, err);
}

static const char *dataset_at(const void *ctx, int i)
{
    (void)ctx;
    const struct dataset_kind *k = dataset_kind_at(i);
    return k != NULL ? k->choice.name : NULL;
}

static void say(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

static int get(const struct args *a, struct error *err)
{
    const char *name = a->operands[1];
    if (dataset_kind_named(name) == NULL) {
        const char *near = config_nearest(name, dataset_at, NULL);
        if (near != NULL)
            return error_set(err, "unknown data set %s (did you mean %s?)", name, near);
        return error_set(err, "unknown data set %s (`vittm data list` names them)", name);
    }
    struct import_request q = {
        .name = name, .from = args_text(a, "from"), .folder = args_text(a, "to"), .say = say};
    char where[4096] = "";
    if (import_get(&q, where, sizeof where, err) != 0)
        return -1;
    if (where[0] != 0)
        printf("%s\n", where);
    return EXIT_FINE;
}

static int check_safetensors(const char *path, struct error *err)
{
    struct safetensors s;
    if (safetensors_open(&s, path, err) != 0)
        return -1;
    safetensors_close(&s);
    return 0;
}

static int check_experiment(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    if (strcmp(slash != NULL ? slash + 1 : path, "run.yaml") != 0)
        return experiment_check_keys(cli_schema(), path, err);
    struct run_config run;
    int rc = run_config_load(&run, path, err);
    run_config_release(&run);
    return rc;
}

static void print_bad(void *ctx, const char *file, const char *reason)
{
    (void)ctx;
    if (strncmp(reason, file, strlen(file)) == 0) /* most reasons name the file themselves */
        printf("%s\n", reason);
    else
        printf("%s: %s\n", file, reason);
}

static int check(const struct args *a, struct error *err)
{
    static const struct import_checker extra[] = {{".safetensors", check_safetensors},
                                                  {".yaml", check_experiment},
                                                  {".yml", check_experiment},
                                                  {0}};
    struct import_counts n = {0};
    if (import_check(a->operands[1], extra, print_bad, NULL, &n, err) != 0)
        return -1;
    fprintf(stderr,
            "%" PRId64 " files: %" PRId64 " good, %" PRId64 " bad, %" PRId64 " of no known kind\n",
            n.files, n.good, n.bad, n.other);
    return n.bad > 0 ? EXIT_FAILED : EXIT_FINE;
}

static const struct action actions[] = {{"list", 1, 1, "no further argument", list},
                                        {"get", 2, 2, "one argument", get},
                                        {"check", 2, 2, "one argument", check},
                                        {0}};

static const char *action_name(int i)
{
    return actions_name(actions, i);
}

static int run(const struct args *a, struct error *err)
{
    return actions_run(actions, a, err);
}

const struct command command_data = {
    .name = "data",
    .group = "Parts",
    .summary = "data sets: which are here, bring one in, check files",
    .operands = "list | get NAME | check PATH",
    .min_operands = 1,
    .max_operands = 2,
    .operand_kind = OPERAND_WORD,
    .word = action_name,
    .options = options,
    .details =
        "get goes on with a download where an earlier attempt stopped. An import of what is here "
        "already starts over: it reads and converts everything in seconds, which is less than it "
        "would take to find out what of an earlier attempt can be trusted. Either way the set "
        "appears whole or not at all.\n\n"
        "check reads every file under PATH to its end, prints one line for each bad one, and "
        "exits 1 if there is any. Files are known by their names' endings: images (jpg, jpeg, png, "
        "...) are decoded; *.bin are CIFAR; *-ubyte and *-ubyte.gz are IDX; YAML files are "
        "experiments, whose keys must be known, but for the run.yaml of a run; safetensors. PNG "
        "files with annotation, label or "
        "mask in their name or that of their folder hold ADE20K's labels, and are as large as the "
        "image of the same name in the folder images beside annotations.",
    .run = run,
};
