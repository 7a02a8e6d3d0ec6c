/* Inside train/weights_import.c and weights_reasons.c only: one import, and what explains a tensor
 * that only one side has. */
#ifndef TRAIN_WEIGHTS_IMPORT_INTERNAL_H
#define TRAIN_WEIGHTS_IMPORT_INTERNAL_H

#include "train/weights_import.h"
#include "train/weights_names.h"

struct import {
    struct weights *w;
    const struct safetensors *file;
    const struct weights_rules *rules;
    struct named_tensors names;
    int from_vit; /* the file is a plain ViT's */
    struct weights_report *report;
    int unexplained; /* tensors of one side only that no rule explains */
    struct weights_row first;
    int backbone; /* the file is of a classifier, the model a segmenter with it as its backbone */
};

/* Without the name that segmentation code gives a backbone: "encoder.blocks.0" -> "blocks.0". */
const char *import_bare_name(const char *name);
int import_file_has(const struct import *m, const char *module);

/* Why the file lacks a parameter, why the model lacks a tensor of that name: by a rule, or NULL. */
const char *import_why_missing(const struct import *m, const struct tensor *t);
const char *import_why_ignored(const struct import *m, const char *name);

#endif
