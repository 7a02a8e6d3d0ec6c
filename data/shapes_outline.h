/* Outlines of the shapes, for data/shapes.c: one row a class. */
#ifndef DATA_SHAPES_OUTLINE_H
#define DATA_SHAPES_OUTLINE_H

/* distance(x, y): below 0 inside, above 0 outside, near the edge the distance to it; the shape lies
 * within the circle of radius 1 about the origin, y pointing down. */
struct shapes_outline {
    const char *name;
    float (*distance)(float x, float y);
};

/* In order of class; the row past the last has no name. */
extern const struct shapes_outline shapes_outlines[];

#endif
