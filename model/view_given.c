/* Any tensor of another sensor, whose costs are wanted before there is a data set. */
#include "model/view.h"

static const struct config_key keys[] = {
    {.name = "model.second.channels",
     .type = CONFIG_INT,
     .fallback = "1",
     .min = 1,
     .max = 1024,
     .doc = "channels of the second input"},
    {0},
};

static int64_t channels_of(const struct config *c)
{
    return config_int(c, "model.second.channels");
}

const struct view view_given = {
    .choice = {.name = "given",
               .doc = "a tensor of model.second.channels that no data set has: to be counted and "
                      "timed, not trained",
               .keys = keys},
    .channels = channels_of,
};
