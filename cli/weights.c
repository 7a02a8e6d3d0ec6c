#include "cli/weights.h"

#include <string.h>

#include "base/config.h"
#include "base/config_file.h"
#include "base/error.h"
#include "cli/cells.h"
#include "cli/command.h"
#include "train/run_config.h"
#include "train/weights_start.h"

static struct config *resolved(struct config *c, struct error *err)
{
    if (!c || !config_resolve(c, err))
        return c;
    config_free(c);
    return NULL;
}

static struct config *own_config(const struct safetensors *file, const struct args *a,
                                 struct error *err)
{
    const char *text = safetensors_metadata(file, "config");
    struct config *c;
    if (!text) {
        error_set(err, "%s: does not say what model it is for: name a model or FILE.yaml after it",
                  file->path);
        return NULL;
    }
    if (run_config_parse(&c, file->path, text, strlen(text), err))
        return NULL;
    for (int i = 0; i < a->n_overrides; i++) {
        if (config_override(c, a->overrides[i], err)) {
            config_free(c);
            return NULL;
        }
    }
    return resolved(c, err);
}

static struct config *named_config(const struct args *a, const char *name, struct error *err)
{
    struct cells s;
    struct config *c = NULL;
    int planned = 0;
    if (cells_load(&s, a, name, err))
        return NULL;
    for (int i = 0; i < s.experiment.n_cells; i++) {
        if (s.experiment.cells[i].state != CELL_PLANNED)
            continue;
        if (!planned++)
            c = config_copy(s.experiment.cells[i].config);
    }
    if (planned != 1) {
        error_set(err, "%s has %d cells, and weights belong to one (choose it with key=value)",
                  name, planned);
        if (c)
            config_free(c);
        c = NULL;
    }
    cells_release(&s);
    return resolved(c, err);
}

struct config *cli_weights_config(const struct args *a, int operand, const struct safetensors *file,
                                  struct error *err)
{
    return a->n_operands > operand ? named_config(a, a->operands[operand], err)
                                   : own_config(file, a, err);
}

int loaded_model_open(struct loaded_model *m, const struct config *c, const struct device *d,
                      const struct network_options *o, uint64_t seed,
                      const struct safetensors *file, struct error *err)
{
    struct weights_rules rules = weights_rules_of(c);
    if (network_open(&m->net, c, d, o, err))
        return -1;
    network_init(&m->net, seed);
    weights_init(&m->weights, &m->net);
    weights_get(&m->weights, &m->net);
    if (file && weights_import(&m->weights, file, &rules, &m->report, err))
        return -1;
    weights_put(&m->weights, &m->net);
    return 0;
}

void loaded_model_release(struct loaded_model *m)
{
    weights_report_release(&m->report);
    weights_release(&m->weights);
    network_close(&m->net);
}
