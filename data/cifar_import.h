/* How CIFAR comes in: from the official binary archives, or CIFAR-10 from JPEG files in class
 * folders. */
#ifndef DATA_CIFAR_IMPORT_H
#define DATA_CIFAR_IMPORT_H

#include "data/import.h"

extern const struct import_recipe cifar10_import, cifar100_import;

#endif
