/* Scores of pixels: what a segmenting network says, at any size. */
#ifndef TRAIN_SCORES_H
#define TRAIN_SCORES_H

/* v (height,width,classes), owned. Zero-initialise, release. */
struct scores {
    int height, width, classes;
    float *v;
};

/* Zeros of that size; what was there is gone. */
void scores_init(struct scores *s, int height, int width, int classes);
void scores_release(struct scores *s);

/* Bilinear, without corners aligned and without antialiasing, as logits are resized everywhere in
 * segmentation code. out is made by scores_init. */
void scores_resize(const struct scores *in, int height, int width, struct scores *out);

/* sum += weight * softmax over the classes of s, which may be of the mirrored image: then it is
 * mirrored back. Both have one size. */
void scores_add_softmax(struct scores *sum, const struct scores *s, int mirrored, double weight);

/* The class with the highest score of each pixel, the lowest of equals: (height,width). There are
 * at most 255 classes. */
void scores_argmax(const struct scores *s, unsigned char *out);

#endif
