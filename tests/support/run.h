/* Configurations and devices of small runs, for tests. They fail the test where something is wrong.
 */
#ifndef TESTS_SUPPORT_RUN_H
#define TESTS_SUPPORT_RUN_H

#include "base/config.h"
#include "train/device.h"

/* The run that yaml describes, with keys set over it, resolved. pairs ends with a NULL key; NULL:
 * none. The caller frees it. */
struct config *run_configure(const char *yaml, const char *const pairs[][2]);

/* The device of this name. */
struct device run_device(const char *name, int threads);

#endif
