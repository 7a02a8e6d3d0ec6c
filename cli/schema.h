/* The schema: the root tables of every configuration key that a run reads. The cli collects them,
 * so that the layers that only handle configurations as text (runner, results) need not know who
 * reads what. */
#ifndef CLI_SCHEMA_H
#define CLI_SCHEMA_H

struct config_key;

/* NULL-terminated, for config_new. */
const struct config_key *const *cli_schema(void);

#endif
