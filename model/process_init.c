/* The registry of process token initialisations. */
#include "model/process_init.h"

#define PROCESS_INIT(name) extern const struct process_init process_init_##name;
#include "model/process_inits.def"
#undef PROCESS_INIT

static const struct process_init *const inits[] = {
#define PROCESS_INIT(name) &process_init_##name,
#include "model/process_inits.def"
#undef PROCESS_INIT
};

const struct process_init *process_init_at(int i)
{
    return i >= 0 && i < (int)(sizeof inits / sizeof *inits) ? inits[i] : NULL;
}

const struct config_choice *process_init_choice(int i)
{
    return process_init_at(i) ? &process_init_at(i)->choice : NULL;
}
