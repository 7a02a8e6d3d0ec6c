#include "cli/registries.h"

#include <string.h>

#include "backend/backend.h"
#include "base/config.h"
#include "data/dataset.h"
#include "fusion/fusion.h"
#include "heads/head.h"
#include "model/decoder.h"
#include "model/memory_block.h"
#include "model/model.h"
#include "model/objective.h"
#include "model/process_init.h"
#include "model/view.h"
#include "model/reducer.h"
#include "plots/figure.h"
#include "runner/launcher.h"
#include "train/optimizer.h"
#include "train/schedule.h"

static const struct config_choice *dataset_choice(int i)
{
    const struct dataset_kind *k = dataset_kind_at(i);
    return k != NULL ? &k->choice : NULL;
}

static const struct config_choice *launcher_choice(int i)
{
    const struct launcher *l = launcher_at(i);
    return l != NULL ? &l->choice : NULL;
}

static const struct registry registries[] = {
    {"families", "model.family", model_choice},
    {"heads", "model.rw_head", head_choice},
    {"fusions", "model.fusion", fusion_choice},
    {"process-inits", "model.process_init", process_init_choice},
    {"memory-blocks", "model.memory_block", memory_block_choice},
    {"views", "model.second.view", view_choice},
    {"objectives", "train.objective", objective_choice},
    {"decoders", "model.decoder.type", decoder_choice},
    {"reducers", "model.reduce.method", reducer_choice},
    {"datasets", "data.dataset", dataset_choice},
    {"optimizers", "train.optimizer", optimizer_choice},
    {"schedules", "train.schedule", lr_schedule_choice},
    {"figures", NULL, figure_choice},
    {"launchers", NULL, launcher_choice},
};

enum { COUNT = sizeof registries / sizeof registries[0] };

const struct registry *registry_at(int i)
{
    return i >= 0 && i < COUNT ? &registries[i] : NULL;
}

const struct registry *registry_find(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (strcmp(registries[i].name, name) == 0)
            return &registries[i];
    return NULL;
}
