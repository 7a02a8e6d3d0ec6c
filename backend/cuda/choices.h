/* Choices between ways to compute the same, made once by measurement and kept in a file for one
 * kind of device, one line "KEY = VALUE" each. The first line with a key counts: whoever wrote it
 * first has chosen for every process after, so that all compute the same bits. */
#ifndef BACKEND_CUDA_CHOICES_H
#define BACKEND_CUDA_CHOICES_H

#include <stddef.h>

/* The file of choices called `name` of the current device, NAME-DEVICE.txt in file_cache_folder;
 * the caller frees it. NULL where there is no place for one: then nothing may be
 * measured, and what is known without is taken. */
char *choices_path(const char *name);

/* The value of a key into value (size bytes); -1 if the file, which may be NULL, has none. */
int choices_find(const char *path, const char *key, char *value, size_t size);

/* Adds a choice, then reads what counts; -1 if it cannot be kept. Keys and values are one line. */
int choices_keep(const char *path, const char *key, char *value, size_t size);

#endif
