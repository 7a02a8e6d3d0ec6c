/* The contract of a whole model, for files that add configurations. */
#ifndef CLI_SELFTEST_CONTRACT_H
#define CLI_SELFTEST_CONTRACT_H

#include "base/config.h"
#include "cli/selftest/selftest.h"
#include "tensor/graph/graph.h"

struct error;

/* A family at a size that runs in milliseconds; the caller frees. */
struct config *contract_config(const char *family);
/* Sets a key where it is declared at all. */
void contract_set(struct config *c, const char *key, const char *value);
/* The training graph of a resolved configuration, or NULL and the reason. */
struct graph *contract_build(const struct config *c, struct error *err);
/* Gradient against differences (where asked for), lowered without fused ops, same bits again. */
void contract_check(struct selftest *t, const char *name, struct config *c, int gradient);

#endif
