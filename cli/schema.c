#include "cli/schema.h"

#include "train/keys.h"

const struct config_key *const *cli_schema(void)
{
    return train_schema;
}
