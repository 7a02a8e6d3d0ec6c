/* What commands that take a weights file share. */
#ifndef CLI_WEIGHTS_H
#define CLI_WEIGHTS_H

#include "train/device.h"
#include "train/network.h"
#include "train/weights_import.h"

struct args;
struct config;
struct error;

/* The configuration that the weights are for, resolved: the one cell of operand number operand
 * where it was given, else what the file says of itself, with the overrides. NULL with err set. */
struct config *cli_weights_config(const struct args *a, int operand, const struct safetensors *file,
                                  struct error *err);

/* A forward network on a device with weights that were imported by the configuration's rules
 * (train.weights_…); the device must outlive it. */
struct loaded_model {
    struct network net;
    struct weights weights;
    struct weights_report report;
};

/* What the file lacks starts as a run with this seed does; without a file everything does. Release
 * after failures too. */
int loaded_model_open(struct loaded_model *m, const struct config *c, const struct device *d,
                      const struct network_options *o, uint64_t seed,
                      const struct safetensors *file, struct error *err);
void loaded_model_release(struct loaded_model *m);

#endif
