/* Where crops lie: the integer arithmetic of evaluation and of random resized crops, apart from
 * pixels so that tests can hold it against reference tables. All rounding is half to even, as in
 * Python. */
#ifndef DATA_GEOMETRY_H
#define DATA_GEOMETRY_H

#include "data/resize.h"

/* The size after the short side became `shorter`; the long side is cut to an integer. */
void geometry_short_side(int height, int width, int shorter, int *new_height, int *new_width);

/* Offset of a centred window of `crop` in `side`; negative where the side is smaller: then that
 * many black pixels come first. */
int geometry_center(int side, int crop);

/* One try of a random resized crop: the box has round(sqrt(area * aspect)) x round(sqrt(area /
 * aspect)) (width x height) pixels, area = share * height * width. Returns 0 where it does not fit.
 */
int geometry_rrc_size(int height, int width, double share, double aspect, int *box_height,
                      int *box_width);

/* What is taken after ten tries: the central box with the nearest allowed aspect. */
struct box geometry_rrc_fallback(int height, int width, double min_aspect, double max_aspect);

#endif
