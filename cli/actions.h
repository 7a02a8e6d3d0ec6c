/* Commands whose first operand says what to do: vittm data list|get|check. */
#ifndef CLI_ACTIONS_H
#define CLI_ACTIONS_H

#include "cli/command.h"

struct action {
    const char *name;               /* NULL ends a table */
    int min_operands, max_operands; /* the action's name among them */
    const char *takes;              /* "one argument", for the message */
    int (*run)(const struct args *a, struct error *err);
};

/* The i-th name; NULL past the last. */
const char *actions_name(const struct action *actions, int i);

/* Runs the action that the first operand names; an unknown one gets the nearest name. */
int actions_run(const struct action *actions, const struct args *a, struct error *err);

#endif
