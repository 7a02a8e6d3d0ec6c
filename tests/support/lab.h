/* A place to try experiments in: a schema of its own (a family whose head owns keys), costs that
 * are simple products, and a folder with model files and a base file. Failures fail the test. */
#ifndef TESTS_SUPPORT_LAB_H
#define TESTS_SUPPORT_LAB_H

#include "runner/experiment.h"

struct lab {
    char folder[300];
    const char *roots[2];
    struct experiment_source source; /* lab_tables, and files below the folder */
    struct cost_model model;         /* lab_cost, counting in calls */
    int calls;                       /* of model since the last load */
};

/* Keys of models, then those of training. */
extern const struct config_key *const lab_tables[];

/* Two heads with three fusions, three seeds. */
extern const char lab_quick[];

/* Of a group of tests: *state is the lab. */
int lab_setup(void **state);
int lab_teardown(void **state);

/* A file of the folder; folders of its name are made. */
void lab_write(const struct lab *lab, const char *name, const char *text);

/* params = dim * dim * depth, macs = 10 * params; refuses a dim that heads do not divide. calls:
 * an int that counts. */
int lab_cost(void *calls, const struct config *c, struct cell_cost *out, struct error *err);

/* Loads and expands text as q.yaml with n overrides; the caller releases e. */
void lab_load(struct lab *lab, struct experiment *e, const char *text, const char *const *overrides,
              int n);

/* The same must fail with this message; names of files in it are without the folder. */
void lab_refuses_with(struct lab *lab, const char *text, const char *const *overrides, int n,
                      const char *message);
void lab_refuses(struct lab *lab, const char *text, const char *message);

/* Labels of all cells, joined by spaces. */
void lab_labels_are(const struct experiment *e, const char *expected);

#endif
