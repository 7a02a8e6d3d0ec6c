#include "data/geometry.h"

#include <math.h>

#define MAX_SIDE (1 << 30) /* a line of pixels, enlarged: keeps the arithmetic in range */

void geometry_short_side(int height, int width, int shorter, int *new_height, int *new_width)
{
    int is_tall = height > width, low = is_tall ? width : height, high = is_tall ? height : width;
    double exact = (double)((int64_t)shorter * high) / low;
    int longer = exact < MAX_SIDE ? (int)exact : MAX_SIDE;
    *new_height = is_tall ? longer : shorter;
    *new_width = is_tall ? shorter : longer;
}

int geometry_center(int side, int crop)
{
    if (side < crop)
        return -((crop - side) / 2);
    return (int)nearbyint((side - crop) / 2.0);
}

int geometry_rrc_size(int height, int width, double share, double aspect, int *box_height,
                      int *box_width)
{
    double area = (double)height * width * share;
    *box_width = (int)nearbyint(sqrt(area * aspect));
    *box_height = (int)nearbyint(sqrt(area / aspect));
    return *box_width > 0 && *box_width <= width && *box_height > 0 && *box_height <= height;
}

struct box geometry_rrc_fallback(int height, int width, double min_aspect, double max_aspect)
{
    double aspect = (double)width / height;
    struct box b = {.height = height, .width = width};
    if (aspect < min_aspect)
        b.height = (int)nearbyint(width / min_aspect);
    else if (aspect > max_aspect)
        b.width = (int)nearbyint(height * max_aspect);
    b.top = (height - b.height) / 2;
    b.left = (width - b.width) / 2;
    return b;
}
