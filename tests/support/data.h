/* Data sets and temporary folders for tests. */
#ifndef TESTS_SUPPORT_DATA_H
#define TESTS_SUPPORT_DATA_H

#include "base/error.h"
#include "data/dataset.h"

/* Opens a data set from "key", "value" pairs that end with NULL. NULL and err filled where that
 * fails. */
struct dataset *data_open(struct error *err, enum split split, ...);

/* A new folder below build/tmp; data_folder_remove deletes it with all that is in it. text has room
 * for 256. */
char *data_folder(char *text);
void data_folder_remove(const char *path);

/* Writes size bytes to folder/name, making folders on the way. */
void data_write(const char *folder, const char *name, const void *bytes, size_t size);

/* A small complete CIFAR-10 in folder/cifar-10-batches-bin: per_file random records in each of its
 * 6 files. */
void data_write_cifar10(const char *folder, int per_file);

/* A PNG of width x height with every sample `level` at folder/name. */
void data_write_png(const char *folder, const char *name, int width, int height, int level);

#endif
