/* Shapes from half-planes, discs and segments: intersection is max, union is min. */
#include "data/shapes_outline.h"

#include <math.h>
#include <stddef.h>

static float disc_at(float x, float y, float cx, float cy, float r)
{
    x -= cx;
    y -= cy;
    return sqrtf(x * x + y * y) - r;
}

static float box_at(float x, float y, float cx, float cy, float half_width, float half_height)
{
    return fmaxf(fabsf(x - cx) - half_width, fabsf(y - cy) - half_height);
}

static float disc(float x, float y)
{
    return disc_at(x, y, 0, 0, 0.92f);
}

static float ring(float x, float y)
{
    return fabsf(disc_at(x, y, 0, 0, 0.72f)) - 0.25f;
}

static float crescent(float x, float y)
{
    return fmaxf(disc_at(x, y, 0.1f, 0, 0.95f), -disc_at(x, y, 0.58f, 0, 0.78f));
}

static float triangle(float x, float y)
{
    float slanted = 0.8660254f * fabsf(x) - 0.5f * y - 0.5f;
    return fmaxf(slanted, y - 0.5f);
}

static float square(float x, float y)
{
    return box_at(x, y, 0, 0, 0.7f, 0.7f);
}

static float capsule(float x, float y)
{
    float along = fminf(fmaxf(x, -0.62f), 0.62f);
    return disc_at(x, y, along, 0, 0.33f);
}

static float cross(float x, float y)
{
    return fminf(box_at(x, y, 0, 0, 0.92f, 0.3f), box_at(x, y, 0, 0, 0.3f, 0.92f));
}

/* A pentagram is where at most one of the five half-planes of its pentagon is left: the second
 * largest. */
static float star(float x, float y)
{
    static const float normals[5][2] = {{0, 1},
                                        {0.95105652f, 0.30901699f},
                                        {0.58778525f, -0.80901699f},
                                        {-0.58778525f, -0.80901699f},
                                        {-0.95105652f, 0.30901699f}};
    float first = -9, second = -9;
    for (int i = 0; i < 5; i++) {
        float d = normals[i][0] * x + normals[i][1] * y - 0.36f;
        second = fmaxf(second, fminf(first, d));
        first = fmaxf(first, d);
    }
    return second;
}

/* A square on its corner with a disc on each upper side. */
static float heart(float x, float y)
{
    float corner = 0.70710678f * (fabsf(x) + fabsf(y - 0.13f)) - 0.55f;
    float lobe = disc_at(fabsf(x), y, 0.3889f, -0.2589f, 0.55f);
    return fminf(corner, lobe);
}

static float arrow(float x, float y)
{
    float shaft = box_at(x, y, -0.4f, 0, 0.5f, 0.2f);
    float head = fmaxf(0.70710678f * (x + fabsf(y)) - 0.64f, -x + 0.05f);
    return fminf(shaft, head);
}

const struct shapes_outline shapes_outlines[] = {
    {"disc", disc},     {"ring", ring},   {"crescent", crescent}, {"triangle", triangle},
    {"square", square}, {"star", star},   {"capsule", capsule},   {"cross", cross},
    {"heart", heart},   {"arrow", arrow}, {NULL, NULL},
};
