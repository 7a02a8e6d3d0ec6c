/* How fast a device of this machine trains, from a short measurement. */
#ifndef CLI_RATE_H
#define CLI_RATE_H

struct device;
struct error;

/* Multiply-adds a second of a training step of a small ViT on the device; takes about a third of a
 * second there. Other models differ from it, by a factor of two as a rule. */
int rate_measure(const struct device *d, double *macs_per_s, struct error *err);

#endif
