/* The registry of training objectives. */
#include "model/objective.h"

#define OBJECTIVE(name) extern const struct objective objective_##name;
#include "model/objectives.def"
#undef OBJECTIVE

static const struct objective *const objectives[] = {
#define OBJECTIVE(name) &objective_##name,
#include "model/objectives.def"
#undef OBJECTIVE
};

const struct objective *objective_at(int i)
{
    return i >= 0 && i < (int)(sizeof objectives / sizeof *objectives) ? objectives[i] : NULL;
}

const struct config_choice *objective_choice(int i)
{
    return objective_at(i) ? &objective_at(i)->choice : NULL;
}
