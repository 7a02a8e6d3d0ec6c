#include "train/metrics.h"

#include "base/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct metric *find(const struct metrics *m, const char *name)
{
    for (int i = 0; i < m->n; i++)
        if (!strcmp(m->all[i].name, name))
            return (struct metric *)&m->all[i];
    return NULL;
}

void metrics_set(struct metrics *m, const char *name, double value)
{
    struct metric *at = find(m, name);
    if (!isfinite(value))
        return;
    if (!at) {
        if (m->n == METRICS_MAX || strlen(name) >= sizeof at->name)
            BUG("no room for the metric %s", name);
        at = &m->all[m->n++];
        snprintf(at->name, sizeof at->name, "%s", name);
    }
    at->value = value;
}

double metrics_get(const struct metrics *m, const char *name)
{
    const struct metric *at = find(m, name);
    return at ? at->value : NAN;
}

json_t *metrics_json(const struct metrics *m)
{
    json_t *object = json_object();
    for (int i = 0; i < m->n; i++)
        json_object_set_new(object, m->all[i].name, json_real(m->all[i].value));
    return object;
}

void metrics_take(struct metrics *m, json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        if (json_is_number(value))
            metrics_set(m, name, json_number_value(value));
    }
}
