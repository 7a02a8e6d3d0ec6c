/* ADE20K, scene parsing benchmark (Zhou et al., CVPR 2017): annotations hold 0 for other and 1 ..
 * 150 for the classes. */
#ifndef DATA_ADE20K_H
#define DATA_ADE20K_H

#include "data/mask.h"

#define ADE20K_CLASSES 150

extern const struct mask_rule ade20k_rule;
extern const char *const ade20k_names[ADE20K_CLASSES]; /* of class 0 .. 149: stored value - 1 */

#endif
