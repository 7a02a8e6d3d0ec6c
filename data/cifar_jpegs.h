/* The binary files of CIFAR-10 out of its JPEG copy: train/CLASS/IMAGE.jpg and
 * test/CLASS/IMAGE.jpg. The result is compared with the known checksums. */
#ifndef DATA_CIFAR_JPEGS_H
#define DATA_CIFAR_JPEGS_H

struct dataset_kind;
struct error;

/* from holds the folders train and test. */
int cifar_jpegs_folder(const char *from, const char *to, struct error *err);

/* Straight from an archive; 1 where it holds something else (see struct import_recipe). */
int cifar_jpegs_archive(const struct dataset_kind *k, const char *archive, const char *to,
                        struct error *err);

#endif
