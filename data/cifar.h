/* CIFAR-10 and CIFAR-100, binary version: files of records of label bytes and three planes of 32
 * x 32. */
#ifndef DATA_CIFAR_H
#define DATA_CIFAR_H

#include <stddef.h>
#include <stdint.h>

struct error;

#define CIFAR_SIDE   32
#define CIFAR_PIXELS (3 * CIFAR_SIDE * CIFAR_SIDE)

/* labels bytes come first; the last of them is the class. limits[i] values are allowed of label i.
 */
struct cifar_format {
    const char *name;
    int labels;
    int limits[2];
    const char *const *train; /* file names, NULL ends */
    const char *const *val;
    const char *const *class_names;
};

extern const char *const cifar10_train_files[], *const cifar10_val_files[];
extern const struct cifar_format cifar10_format, cifar100_format;

/* Bytes of a record. */
size_t cifar_record(const struct cifar_format *f);

/* Fails where the size is no multiple of a record or a label is out of range, naming path. */
int cifar_check(const struct cifar_format *f, const char *path, const unsigned char *data,
                size_t size, struct error *err);

#endif
