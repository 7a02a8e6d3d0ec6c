/* The table of launchers. */
#include "runner/launcher.h"

#include <stddef.h>
#include <string.h>

static const struct launcher *const members[] = {
#define LAUNCHER(name) &launch_##name,
#include "runner/launchers.def"
#undef LAUNCHER
};

const struct launcher *launcher_at(int i)
{
    return i >= 0 && i < (int)(sizeof members / sizeof *members) ? members[i] : NULL;
}

const struct launcher *launcher_find(const char *name)
{
    for (int i = 0; launcher_at(i); i++)
        if (!strcmp(launcher_at(i)->choice.name, name))
            return launcher_at(i);
    return NULL;
}
